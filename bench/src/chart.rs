//! A bar chart as SVG: one bar a measurement, a thin line from its lowest to its highest round.

use std::fmt::Write as _;

use crate::report::count;
use crate::series::Spread;

const WIDTH: f64 = 860.0;
const LABELS: f64 = 300.0;
const LONGEST_BAR: f64 = 420.0;
const ROW: f64 = 46.0;
const TOP: f64 = 78.0;
const OURS: &str = "#1f6f54";
const OTHERS: &str = "#9aa7b4";

#[derive(Default)]
pub(crate) struct Chart {
    pub(crate) title: String,
    /// What a bar's length means.
    pub(crate) unit: String,
    pub(crate) bars: Vec<Bar>,
}

pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: Spread,
    /// Drawn in our colour; limits are grey.
    pub(crate) ours: bool,
}

impl Chart {
    pub(crate) fn svg(&self) -> String {
        let height = TOP + ROW * self.bars.len() as f64 + 16.0;
        let highest = self.bars.iter().map(|bar| bar.value.highest).fold(f64::MIN_POSITIVE, f64::max);
        let scale = LONGEST_BAR / highest;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" role=\"img\" font-family=\"system-ui, sans-serif\" fill=\"#1c2530\">\n\
             <title>{title}</title>\n\
             <rect width=\"{WIDTH}\" height=\"{height}\" rx=\"8\" fill=\"#fbfcfd\"/>\n\
             <text x=\"20\" y=\"32\" font-size=\"18\" font-weight=\"600\">{title}</text>\n\
             <text x=\"20\" y=\"54\" font-size=\"13\" fill=\"#5a6673\">{unit}</text>\n",
            title = escape(&self.title),
            unit = escape(&self.unit),
        );
        for (index, bar) in self.bars.iter().enumerate() {
            bar.draw(&mut svg, TOP + ROW * index as f64, scale);
        }
        svg.push_str("</svg>\n");
        svg
    }
}

impl Bar {
    fn draw(&self, svg: &mut String, top: f64, scale: f64) {
        let Spread { median, lowest, highest } = self.value;
        let colour = if self.ours { OURS } else { OTHERS };
        let middle = top + 15.0;
        let at = |value: f64| LABELS + value * scale;
        let _ = writeln!(
            svg,
            "<text x=\"{label_end}\" y=\"{text_line}\" font-size=\"14\" text-anchor=\"end\">{label}</text>\n\
             <rect x=\"{LABELS}\" y=\"{top}\" width=\"{length:.1}\" height=\"30\" rx=\"3\" fill=\"{colour}\"/>\n\
             <path d=\"M{low:.1} {middle} H{high:.1} M{low:.1} {tick_top} v8 M{high:.1} {tick_top} v8\" \
             stroke=\"#1c2530\" stroke-opacity=\"0.65\" fill=\"none\"/>\n\
             <text x=\"{value_start:.1}\" y=\"{text_line}\" font-size=\"14\" font-weight=\"600\">{value}</text>",
            label_end = LABELS - 12.0,
            text_line = middle + 5.0,
            label = escape(&self.label),
            length = median * scale,
            low = at(lowest),
            high = at(highest),
            tick_top = middle - 4.0,
            value_start = at(highest) + 12.0,
            value = count(median),
        );
    }
}

/// Text for an XML element or attribute; characters XML 1.0 cannot hold are left out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' => escaped.push(' '),
            control if control.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_element() {
        assert_eq!(escape("a<b>&\"c'\n\u{1}d"), "a&lt;b&gt;&amp;&quot;c&#39; d");
        let value = Spread { median: 1.0, lowest: 1.0, highest: 1.0 };
        let bar = Bar { label: "</text><script>".to_owned(), value, ours: true };
        let chart = Chart { title: "<&>".to_owned(), unit: "\"".to_owned(), bars: vec![bar] };
        let svg = chart.svg();
        assert!(!svg.contains("<script"));
        assert!(svg.contains("<title>&lt;&amp;&gt;</title>"));
    }

    #[test]
    fn the_longest_whisker_fits_and_lengths_are_in_proportion() {
        let bar = |median: f64, highest: f64| Bar {
            label: String::new(),
            value: Spread { median, lowest: 0.0, highest },
            ours: false,
        };
        let chart = Chart { bars: vec![bar(50.0, 60.0), bar(100.0, 200.0)], ..Chart::default() };
        let svg = chart.svg();
        assert!(svg.contains("width=\"105.0\"") && svg.contains("width=\"210.0\""), "{svg}");
        assert!(svg.contains("H720.0"), "the longest line ends at the end of the scale");
    }

    #[test]
    fn a_chart_without_bars_is_still_a_picture() {
        assert!(Chart::default().svg().ends_with("</svg>\n"));
    }
}
