//! What a new password must be: the rules of NIST SP 800-63B-4 §3.1.1.2.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The longest password in bytes after normalisation.
pub const MAX_PASSWORD: usize = 1024;

/// Words of fewer characters than this are too short to be looked for inside a password.
const SHORTEST_WORD: usize = 4;

/// A password as it was typed, in Unicode NFC. It has no `Display`, and is wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Password(String);

impl Password {
    /// What was typed, normalised so that the same password typed on another keyboard stays the same. `None` when it
    /// is longer than any password can be: such a one is not even hashed.
    pub fn typed(mut text: String) -> Option<Self> {
        // Normalisation makes a text at most three times as long (Unicode UAX #15); the bound keeps it cheap.
        let fits = text.len() <= MAX_PASSWORD * 3;
        let normal = fits.then(|| Password(text.nfc().collect()));
        text.zeroize();
        normal.filter(|password| password.0.len() <= MAX_PASSWORD)
    }

    /// The text, for hashing and judging it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What is wrong with a new password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PasswordProblem {
    /// Shorter than the smallest length.
    #[error("the password is too short")]
    TooShort,
    /// Longer than [`MAX_PASSWORD`].
    #[error("the password is longer than {MAX_PASSWORD} bytes")]
    TooLong,
    /// Among the commonest ones.
    #[error("the password is among the most common ones, which are tried first")]
    Common,
    /// Little more than the person's own name or address.
    #[error("the password is made of the person's own name or e-mail address")]
    ContainsName,
}

/// Judges a new password. No rules of composition: length, the list of common ones, and the person's own words.
pub fn judge<'a>(
    password: &Password,
    min_length: usize,
    is_common: impl Fn(&str) -> bool,
    own_words: impl IntoIterator<Item = &'a str>,
) -> Result<(), PasswordProblem> {
    let text = password.expose();
    if text.len() < min_length {
        return Err(PasswordProblem::TooShort);
    }
    let folded = text.to_lowercase();
    if is_common(&folded) {
        return Err(PasswordProblem::Common);
    }
    for word in own_words.into_iter().flat_map(|words| words.split(|c: char| !c.is_alphanumeric())) {
        let word = word.to_lowercase();
        // What remains beside the word must be a password of its own: "annemarie1" is the name, a sentence that
        // mentions it is not.
        let remains = folded.replace(&word, "").len();
        if word.chars().count() >= SHORTEST_WORD && folded.contains(&word) && remains < min_length {
            return Err(PasswordProblem::ContainsName);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> Result<(), PasswordProblem> {
        let password = Password::typed(text.to_owned()).ok_or(PasswordProblem::TooLong)?;
        judge(&password, 8, |text| text == "password1", ["annemarie", "anne.miller@example.com"])
    }

    #[test]
    fn lengths_at_below_and_above_the_limits() {
        assert_eq!(judged("1qzyx9w"), Err(PasswordProblem::TooShort));
        assert_eq!(judged("1qzyx9wv"), Ok(()));
        assert_eq!(judged(&"ab".repeat(512)), Ok(()));
        assert_eq!(judged(&"a".repeat(1025)), Err(PasswordProblem::TooLong));
        assert_eq!(judged(&"a".repeat(100_000)), Err(PasswordProblem::TooLong));
        // Two bytes each after composition, three before it.
        assert_eq!(judged(&"e\u{301}".repeat(512)), Ok(()));
        assert_eq!(judged(&"e\u{301}".repeat(513)), Err(PasswordProblem::TooLong));
    }

    #[test]
    fn common_ones_and_own_words_are_refused() {
        assert_eq!(judged("PassWord1"), Err(PasswordProblem::Common));
        assert_eq!(judged("Annemarie1"), Err(PasswordProblem::ContainsName));
        assert_eq!(judged("miller2026"), Err(PasswordProblem::ContainsName));
        assert_eq!(judged("miller likes green tea"), Ok(()));
    }

    #[test]
    fn the_same_password_typed_otherwise_is_the_same() {
        let one = Password::typed("caf\u{e9}caf\u{e9}".into()).unwrap();
        let other = Password::typed("cafe\u{301}cafe\u{301}".into()).unwrap();
        assert_eq!(one.expose(), other.expose());
        assert_eq!(format!("{one:?}"), "Password(…)");
    }
}
