//! A secret that names its record as it travels: a prefix that tells the kind, and 72 characters of base64url.
//!
//! Inside are the record's id (16 bytes), the secret (32 bytes) and a keyed checksum over both (6 bytes of
//! HMAC-SHA256). The checksum is no protection, the secret is; it lets garbage be refused before a store is asked, and is
//! not looked at where memory knows the record. The `1` in the prefix is the version of this form. Each kind has a
//! prefix and a checksum key of its own, so that none is taken for another.

use std::marker::PhantomData;

use data_encoding::BASE64URL_NOPAD;
use zeroize::{Zeroize, Zeroizing};

use crate::secret::{Digest, MacKey, RootKey, Secret};

const PREFIX_LENGTH: usize = 5;
const CHECKSUM: usize = 6;
const BODY: usize = 16 + 32 + CHECKSUM;
/// The length of every handle in its text form.
pub const TEXT_LENGTH: usize = PREFIX_LENGTH + BODY / 3 * 4;

/// An id of things that are opened by a handle.
pub trait Openable: Copy + AsRef<[u8]> + From<[u8; 16]> {
    /// What the text form begins with.
    const PREFIX: [u8; PREFIX_LENGTH];
    /// The purpose of the checksum's key.
    const PURPOSE: &'static str;
}

/// What somebody presents: which thing, and the secret that opens it.
#[derive(Clone, Debug)]
pub struct Handle<I> {
    /// Which.
    pub id: I,
    /// What opens it.
    pub secret: Secret,
    checksum: [u8; CHECKSUM],
}

/// A text has not the form of such a handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this is not a secret of that kind")]
pub struct NotAHandle;

/// The key of the checksum.
#[derive(Clone, Debug)]
pub struct HandleKey<I>(MacKey, PhantomData<fn() -> I>);

impl<I: Openable> HandleKey<I> {
    /// The key that belongs to this root key.
    pub fn new(root: &RootKey) -> Self {
        HandleKey(root.mac(I::PURPOSE), PhantomData)
    }

    /// A handle of ours.
    pub fn handle(&self, id: I, secret: Secret) -> Handle<I> {
        let checksum = self.0.short_tag(&[id.as_ref(), secret.expose()]);
        Handle { id, secret, checksum }
    }

    /// Whether a handle was made by this key. What was not need not be looked for in any store.
    pub fn made(&self, handle: &Handle<I>) -> bool {
        self.0.verify(&[handle.id.as_ref(), handle.secret.expose()], &handle.checksum)
    }
}

impl<I: Openable> Handle<I> {
    /// The text form.
    pub fn print(&self) -> Zeroizing<String> {
        let mut body = [0; BODY];
        let parts = self.id.as_ref().iter().chain(self.secret.expose()).chain(&self.checksum);
        for (to, from) in body.iter_mut().zip(parts) {
            *to = *from;
        }
        let mut text = Zeroizing::new(String::with_capacity(TEXT_LENGTH));
        text.extend(I::PREFIX.iter().map(|byte| char::from(*byte)));
        BASE64URL_NOPAD.encode_append(&body, &mut text);
        body.zeroize();
        text
    }

    /// Reads the text form: exactly this form. Whether it is ours is for [`HandleKey::made`] to say.
    pub fn read(text: &[u8]) -> Result<Self, NotAHandle> {
        let encoded = text.strip_prefix(&I::PREFIX).ok_or(NotAHandle)?;
        let mut body = [0; BODY];
        if encoded.len() != BODY / 3 * 4 || BASE64URL_NOPAD.decode_mut(encoded, &mut body).is_err() {
            return Err(NotAHandle);
        }
        let (id, rest) = body.split_first_chunk::<16>().ok_or(NotAHandle)?;
        let (secret, checksum) = rest.split_first_chunk::<32>().ok_or(NotAHandle)?;
        let checksum = checksum.try_into().map_err(|_| NotAHandle)?;
        let handle = Handle { id: I::from(*id), secret: Secret::from_bytes(*secret), checksum };
        body.zeroize();
        Ok(handle)
    }

    /// What the store keeps of the secret.
    pub fn digest(&self) -> Digest {
        self.secret.digest()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::{AccessTokenId, GrantId, SessionId};

    type Handle = super::Handle<SessionId>;

    fn key() -> HandleKey<SessionId> {
        HandleKey::new(&RootKey::from_bytes([3; 32]))
    }

    fn handle() -> Handle {
        key().handle(SessionId::from_bytes([5; 16]), Secret::from_bytes([6; 32]))
    }

    #[test]
    fn the_text_form_is_77_characters_and_reads_back() {
        let text = handle().print();
        assert_eq!((text.len(), &text[..5]), (TEXT_LENGTH, "gws1_"));
        assert_eq!(TEXT_LENGTH, 77);
        let read = Handle::read(text.as_bytes()).unwrap();
        assert!(key().made(&read));
        assert_eq!((read.id, read.digest()), (handle().id, handle().digest()));
    }

    #[test]
    fn no_kind_is_taken_for_another() {
        let text = handle().print();
        assert!(super::Handle::<GrantId>::read(text.as_bytes()).is_err());
        let renamed = text.replace("gws1_", "gwa1_");
        let read = super::Handle::<AccessTokenId>::read(renamed.as_bytes()).unwrap();
        assert!(!HandleKey::new(&RootKey::from_bytes([3; 32])).made(&read));
    }

    #[test]
    fn other_keys_other_versions_other_lengths_are_refused() {
        let text = handle().print();
        assert!(!HandleKey::<SessionId>::new(&RootKey::from_bytes([4; 32])).made(&handle()));
        for odd in [
            String::new(),
            text.replace("gws1_", "gws2_"),
            text.to_uppercase(),
            text[..76].into(),
            format!("{}A", *text),
            format!(" {}", *text),
            format!("{}=", *text),
        ] {
            assert!(Handle::read(odd.as_bytes()).is_err(), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn one_changed_byte_is_garbage(at in 0..TEXT_LENGTH, byte: u8) {
            let mut text = handle().print().as_bytes().to_vec();
            prop_assume!(text[at] != byte);
            text[at] = byte;
            prop_assert!(!Handle::read(&text).is_ok_and(|handle| key().made(&handle)));
        }

        #[test]
        fn garbage_never_panics(text: Vec<u8>) {
            prop_assert!(Handle::read(&text).is_err());
        }
    }
}
