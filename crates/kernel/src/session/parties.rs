//! The clients that take part in a session: those that learned of it by an ID token.

use serde::{Deserialize, Serialize};

/// The most clients of one session; the one that came first gives way.
pub const MAX_PARTIES: usize = 100;

/// Clients by their `client_id`, in the order in which they came.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Parties(Vec<Box<str>>);

impl Parties {
    /// With this client, which is there once however often it comes.
    #[must_use]
    pub fn with(mut self, client: &str) -> Self {
        if !self.0.iter().any(|own| **own == *client) {
            let surplus = (self.0.len() + 1).saturating_sub(MAX_PARTIES);
            self.0.drain(..surplus);
            self.0.push(client.into());
        }
        self
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|client| &**client)
    }

    /// About how many bytes they take in memory.
    pub fn weight(&self) -> usize {
        size_of::<Self>() + self.0.iter().map(|client| size_of::<Box<str>>() + client.len()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_is_there_once_and_the_first_gives_way() {
        let mut all = Parties::default().with("a").with("b").with("a");
        assert_eq!(all.iter().collect::<Vec<_>>(), ["a", "b"]);
        for number in 2..MAX_PARTIES {
            all = all.with(&number.to_string());
        }
        assert_eq!((all.iter().count(), all.iter().next()), (MAX_PARTIES, Some("a")));
        all = all.with("one more");
        assert_eq!((all.iter().count(), all.iter().next()), (MAX_PARTIES, Some("b")));
        assert_eq!(all.iter().last(), Some("one more"));
    }
}
