//! Codes: made by the authorization endpoint, redeemed by the token endpoint.

use std::sync::Arc;

use gateward_kernel::confirmation::Thumbprint;
use gateward_kernel::handle::HandleKey;
use gateward_kernel::id::{CodeId, GrantId};
use gateward_kernel::oauth::{
    Authorized, CODE_LIFETIME, Challenge, Code, CodeHandle, CodePresented, CodeRedemption, CodeState,
};
use gateward_kernel::ports::{Fault, FaultKind, Kv};
use gateward_kernel::record::{Book, Decision};
use gateward_kernel::secret::{Entropy, RootKey, Secret};
use gateward_kernel::time::Moment;
use zeroize::Zeroizing;

/// All of them.
pub struct Codes {
    book: Book<Code>,
    handles: HandleKey<CodeId>,
    entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for Codes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Codes")
    }
}

/// What a code is bound to.
#[derive(Clone, Debug)]
pub struct Binding {
    /// For which client.
    pub client: Box<str>,
    /// Where it is sent.
    pub redirect_uri: Box<str>,
    /// Whether the request named that.
    pub redirect_named: bool,
    /// Whose verifier opens it.
    pub challenge: Option<Challenge>,
    /// Whose DPoP proof opens it.
    pub dpop_jkt: Option<Thumbprint>,
}

impl Codes {
    /// Codes in this durable store.
    pub fn new(kv: Arc<dyn Kv>, root: &RootKey, entropy: Arc<dyn Entropy>) -> Self {
        Codes { book: Book::new(kv), handles: HandleKey::new(root), entropy }
    }

    /// A code for what was given, for the client's eyes only.
    pub async fn issue(
        &self,
        binding: Binding,
        authorized: Authorized,
        now: Moment,
    ) -> Result<Zeroizing<String>, Fault> {
        let handle = self.handles.handle(CodeId::random(&*self.entropy), Secret::random(&*self.entropy));
        let code = Code {
            id: handle.id,
            digest: handle.digest(),
            client: binding.client,
            redirect_uri: binding.redirect_uri,
            redirect_named: binding.redirect_named,
            challenge: binding.challenge,
            dpop_jkt: binding.dpop_jkt,
            authorized,
            expires: now + CODE_LIFETIME,
            state: CodeState::Open,
        };
        match self.book.create(code, now).await? {
            Some(_) => Ok(handle.print()),
            None => Err(Fault::new("entropy", FaultKind::Contended, "a random code id was in use")),
        }
    }

    /// Whether it was made here; nothing is asked for that.
    pub fn made(&self, handle: &CodeHandle) -> bool {
        self.handles.made(handle)
    }

    /// Redeems a code for the grant of this id: one change. Nothing when there is no such code.
    pub async fn redeem(
        &self,
        handle: &CodeHandle,
        presented: CodePresented<'_>,
        grant: GrantId,
        now: Moment,
    ) -> Result<Option<(Code, CodeRedemption)>, Fault> {
        if !self.handles.made(handle) {
            return Ok(None);
        }
        let digest = handle.digest();
        let decide = |code: &Code| match code.digest == digest {
            true => match code.redeem(presented, grant, now) {
                Decision::Write(next, told) => Decision::Write(next, Some(told)),
                Decision::Leave(told) => Decision::Leave(Some(told)),
            },
            false => Decision::Leave(None),
        };
        let changed = self.book.change(handle.id, now, decide).await?;
        Ok(changed.and_then(|(code, told)| told.map(|told| (code.record.clone(), told))))
    }
}
