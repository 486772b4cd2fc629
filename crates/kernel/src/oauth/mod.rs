//! OAuth 2.1 and OpenID Connect: clients, what they may ask, and the records of what people gave them.
//!
//! RFC 6749 and draft-ietf-oauth-v2-1 (OAuth), OpenID Connect Core 1.0, RFC 7591 (client metadata), RFC 7636 (PKCE), RFC 9700
//! (best practice). Decisions only; endpoints are the server's.

pub mod client;
mod code;
mod consent;
mod device;
mod error;
mod logout_note;
mod pkce;
pub mod pushed;
mod redirect_uri;
pub mod registration;
mod response;

pub use client::{Client, ClientKey, ClientSecret, Metadata, client_key};
pub use code::{
    Authorized, CODE_LIFETIME, Code, CodeHandle, CodeId, CodePresented, CodeRedemption, CodeState,
};
pub use consent::{Consent, Consents, MAX_CONSENTS, MAX_GRANTS_OF_CLIENT};
pub use device::{
    DEVICE_INTERVAL, DEVICE_LIFETIME, Device, DeviceDecision, DeviceHandle, DeviceId, DevicePoll,
    DevicePresented, DeviceState, NotAUserCode, UserCode, UserCodeEntry,
};
pub use error::{OAuthCode, OAuthError};
pub use logout_note::{Claim, LogoutNote, NoteId, TOLD_FOR, note_id};
pub use pkce::{Challenge, NotAVerifier};
pub use pushed::{Pushed, PushedHandle, PushedId};
pub use redirect_uri::{NotARedirectUri, RedirectUri};
pub use response::{Carrier, ResponseMode, ResponseType};
