//! Several rounds of the same measurement, and what they say together.

use serde::Serialize;

use crate::histogram::Histogram;
use crate::load::Sample;

/// A median and the extremes around it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Spread {
    /// `None` without values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (lowest, highest) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        let lower = *values.get(middle - usize::from(values.len().is_multiple_of(2)))?;
        Some(Self { median: f64::midpoint(lower, upper), lowest, highest })
    }
}

/// The series of this label.
pub(crate) fn find<'a>(all: &'a [Series], label: &str) -> Option<&'a Series> {
    all.iter().find(|series| series.label == label)
}

/// Answers per second of the server's processor time, where that is known: what most ratios are of.
pub(crate) fn per_cpu_second(sample: &Sample) -> Option<f64> {
    sample.per_cpu_second
}

/// One server on one path, measured once a round.
#[derive(Serialize)]
pub(crate) struct Series {
    pub(crate) label: String,
    pub(crate) samples: Vec<Sample>,
}

impl Series {
    pub(crate) fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), samples: Vec::new() }
    }

    pub(crate) fn per_second(&self) -> Option<Spread> {
        Spread::of(self.samples.iter().map(|sample| sample.per_second))
    }

    pub(crate) fn per_cpu_second(&self) -> Option<Spread> {
        Spread::of(self.samples.iter().filter_map(|sample| sample.per_cpu_second))
    }

    /// Which part of one core the server used, over all rounds.
    pub(crate) fn server_share(&self) -> Option<f64> {
        let cpu: Option<f64> = self.samples.iter().map(|sample| sample.server_cpu).sum();
        cpu.map(|cpu| cpu / self.seconds())
    }

    /// Which part of one core the load generator used, over all rounds.
    pub(crate) fn load_share(&self) -> Option<f64> {
        let cpu: Option<f64> = self.samples.iter().map(|sample| sample.load_cpu).sum();
        cpu.map(|cpu| cpu / self.seconds())
    }

    /// How much of one core everything else on the machine used, over all rounds.
    pub(crate) fn others_share(&self) -> Option<f64> {
        let cpu: Option<f64> = self.samples.iter().map(|sample| sample.others_cpu).sum();
        cpu.map(|cpu| cpu / self.seconds())
    }

    fn seconds(&self) -> f64 {
        self.samples.iter().map(|sample| sample.seconds).sum()
    }

    /// The latencies of all rounds together.
    pub(crate) fn latency(&self) -> Histogram {
        let mut all = Histogram::default();
        for sample in &self.samples {
            all.add(&sample.latency);
        }
        all
    }

    pub(crate) fn errors(&self) -> u64 {
        self.samples.iter().map(Sample::error_count).sum()
    }

    /// The different errors with their counts, for a person to read.
    pub(crate) fn error_text(&self) -> Vec<String> {
        let all = self.samples.iter().flat_map(|sample| &sample.errors);
        all.map(|(error, count)| format!("{}: {error} (× {count})", self.label)).collect()
    }

    /// Our value over the other's, round by round.
    pub(crate) fn ratio(&self, other: &Self, value: impl Fn(&Sample) -> Option<f64>) -> Option<Spread> {
        let pairs = self.samples.iter().zip(&other.samples);
        Spread::of(pairs.filter_map(|(ours, theirs)| Some(value(ours)? / value(theirs)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([7.0]), Some(Spread { median: 7.0, lowest: 7.0, highest: 7.0 }));
        assert_eq!(Spread::of([9.0, 1.0, 2.0]), Some(Spread { median: 2.0, lowest: 1.0, highest: 9.0 }));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 9.0]), Some(Spread { median: 3.0, lowest: 1.0, highest: 9.0 }));
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let series = |label: &str, values: [f64; 3]| {
            let sample =
                |per_second| Sample { per_second, seconds: 2.0, load_cpu: Some(1.0), ..Sample::default() };
            Series { label: label.to_owned(), samples: values.map(sample).into() }
        };
        let (ours, theirs) = (series("a", [50.0, 90.0, 80.0]), series("b", [100.0, 100.0, 200.0]));
        let ratio = ours.ratio(&theirs, |sample| Some(sample.per_second)).unwrap();
        assert_eq!(ratio, Spread { median: 0.5, lowest: 0.4, highest: 0.9 });
        assert_eq!(ours.ratio(&theirs, |sample| sample.per_cpu_second), None);
        assert_eq!((ours.load_share(), ours.server_share()), (Some(0.5), None));
    }
}
