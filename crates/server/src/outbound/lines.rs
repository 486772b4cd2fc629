//! What is known of addresses that strangers name: bounded in number and bytes, and what was not used for longest is forgotten.

use std::sync::Arc;

use hashbrown::HashMap;

/// What knowing one address costs besides its text and what is there.
pub(super) const OVERHEAD: usize = 1024;

/// What is known, by address.
#[derive(Debug)]
pub(super) struct Lines<T> {
    by_url: HashMap<String, Slot<T>>,
    uses: u64,
    bytes: usize,
    most: usize,
    budget: usize,
}

#[derive(Debug)]
struct Slot<T> {
    line: Arc<T>,
    used: u64,
    weight: usize,
}

impl<T> Lines<T> {
    /// Knows nothing yet, and never more than so many addresses and so many bytes.
    pub(super) fn new(most: usize, budget: usize) -> Self {
        Lines { by_url: HashMap::new(), uses: 0, bytes: 0, most, budget }
    }

    /// What is known of this address, if it is.
    pub(super) fn known(&mut self, url: &str) -> Option<Arc<T>> {
        self.uses += 1;
        let slot = self.by_url.get_mut(url)?;
        slot.used = self.uses;
        Some(slot.line.clone())
    }

    /// What is known of this address; from now on it is one of those that are.
    pub(super) fn line(&mut self, url: &str) -> Arc<T>
    where
        T: Default,
    {
        if let Some(line) = self.known(url) {
            return line;
        }
        let line = Arc::<T>::default();
        let weight = url.len() + OVERHEAD;
        self.bytes += weight;
        self.by_url.insert(url.to_owned(), Slot { line: line.clone(), used: self.uses, weight });
        self.shrink();
        line
    }

    /// Notes how many bytes there are at this address. A line that was forgotten meanwhile costs nothing.
    pub(super) fn weigh(&mut self, url: &str, line: &T, length: usize) {
        let Some(slot) = self.by_url.get_mut(url).filter(|slot| std::ptr::eq(&*slot.line, line)) else {
            return;
        };
        let weight = url.len() + OVERHEAD + length;
        self.bytes = self.bytes - slot.weight + weight;
        slot.weight = weight;
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.by_url.len() > self.most || self.bytes > self.budget {
            let oldest = self.by_url.iter().min_by_key(|(_, slot)| slot.used).map(|(url, _)| url.clone());
            let Some(slot) = oldest.and_then(|url| self.by_url.remove(&url)) else { return };
            self.bytes -= slot.weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_is_forgotten() {
        let mut lines: Lines<u8> = Lines::new(3, usize::MAX);
        let first = lines.line("https://a.example/");
        for name in ["b", "c"] {
            lines.line(&format!("https://{name}.example/"));
        }
        assert!(Arc::ptr_eq(&first, &lines.line("https://a.example/")), "three are kept");
        lines.line("https://d.example/");
        assert_eq!(lines.by_url.len(), 3);
        assert!(lines.known("https://b.example/").is_none());
        assert!(Arc::ptr_eq(&first, &lines.line("https://a.example/")));
        assert_eq!(lines.bytes, 3 * ("https://a.example/".len() + OVERHEAD));
    }

    #[test]
    fn there_is_a_budget_of_bytes() {
        let each = "https://a.example/".len() + OVERHEAD + 5000;
        let mut lines: Lines<u8> = Lines::new(100, 2 * each);
        for name in ["a", "b"] {
            let url = format!("https://{name}.example/");
            let line = lines.line(&url);
            lines.weigh(&url, &line, 5000);
        }
        assert_eq!((lines.by_url.len(), lines.bytes), (2, 2 * each), "at the limit");
        let line = lines.line("https://b.example/");
        lines.weigh("https://b.example/", &line, 5001);
        assert_eq!((lines.by_url.len(), lines.bytes), (1, each + 1), "one byte above it");
        lines.weigh("https://a.example/", &line, 5000);
        lines.weigh("https://b.example/", &0, 1);
        assert_eq!(lines.bytes, each + 1, "what is forgotten weighs nothing");
    }
}
