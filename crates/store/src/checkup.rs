//! What an engine says of itself, for an operator: `gateward doctor` prints it.

/// How good a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// As it should be.
    Good,
    /// It works, and an accident costs more than it needs to.
    Warning,
    /// It does not work, or loses sessions without any accident.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// How good it is.
    pub level: Level,
    /// What is, in one sentence.
    pub said: String,
    /// What to do, and what is lost otherwise.
    pub advice: Option<String>,
}

impl Finding {
    /// Something is as it should be.
    pub fn good(said: impl Into<String>) -> Self {
        Finding { level: Level::Good, said: said.into(), advice: None }
    }

    /// Something could be better.
    pub fn warning(said: impl Into<String>, advice: impl Into<String>) -> Self {
        Finding { level: Level::Warning, said: said.into(), advice: Some(advice.into()) }
    }

    /// Something must be better.
    pub fn bad(said: impl Into<String>, advice: impl Into<String>) -> Self {
        Finding { level: Level::Bad, said: said.into(), advice: Some(advice.into()) }
    }
}
