//! The list of common passwords: a compact embedded one, and the operator's own.

/// Sorted lower-case lines. The list is the one that comes with zxcvbn (MIT), derived from public leaks.
const COMMON: &str = include_str!("common.txt");

/// Passwords that are refused because they are tried first.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocklist {
    own: Vec<String>,
}

impl Blocklist {
    /// The embedded list and these lines.
    pub(super) fn with(own: &str) -> Self {
        let lines = own.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut own: Vec<String> = lines.map(str::to_lowercase).collect();
        own.sort_unstable();
        own.dedup();
        Blocklist { own }
    }

    /// Whether the lower-case text is on it. Found by halving: nothing is unpacked into memory.
    pub(super) fn holds(&self, lower: &str) -> bool {
        self.own.binary_search_by(|own| own.as_str().cmp(lower)).is_ok() || is_common(lower)
    }
}

fn is_common(lower: &str) -> bool {
    let bytes = COMMON.as_bytes();
    let (mut low, mut high) = (0, bytes.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let line_start = bytes.get(low..middle).and_then(|part| part.iter().rposition(|byte| *byte == b'\n'));
        let start = line_start.map_or(low, |at| low + at + 1);
        let line_end = bytes.get(start..high).and_then(|part| part.iter().position(|byte| *byte == b'\n'));
        let end = line_end.map_or(high, |at| start + at);
        let Some(line) = bytes.get(start..end) else { return false };
        match line.cmp(lower.as_bytes()) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_list_is_sorted_single_and_large() {
        let lines: Vec<&str> = COMMON.lines().collect();
        assert!(lines.len() >= 10_000, "{}", lines.len());
        assert!(lines.windows(2).all(|pair| pair[0].as_bytes() < pair[1].as_bytes()));
        for line in
            [lines[0], lines[1], lines[lines.len() / 2], lines[lines.len() - 1], "password", "12345678"]
        {
            assert!(is_common(line), "{line}");
        }
        for other in ["", "\n", "zzzzzzzzzzzzzz~", "correct horse battery", " password"] {
            assert!(!is_common(other), "{other}");
        }
        assert!(lines.iter().step_by(37).all(|line| is_common(line)));
    }

    #[test]
    fn the_operators_own_lines_count_too() {
        let list = Blocklist::with("Acme2026\n\n acme-acme \n");
        assert!(list.holds("acme2026") && list.holds("acme-acme") && list.holds("password"));
        assert!(!list.holds("acme"));
    }
}
