//! The devices that ask: found by the device code, or by what their person types.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::confirmation::Thumbprint;
use gateward_kernel::handle::HandleKey;
use gateward_kernel::id::{DeviceId, GrantId, PersonId};
use gateward_kernel::oauth::{
    Authorized, DEVICE_INTERVAL, DEVICE_LIFETIME, Device, DeviceDecision, DeviceHandle, DevicePoll,
    DevicePresented, DeviceState, UserCode, UserCodeEntry,
};
use gateward_kernel::ports::{Fault, FaultKind, Kv};
use gateward_kernel::record::{Book, Decision, Loaded};
use gateward_kernel::secret::{Entropy, MacKey, RootKey, SealKey, Secret};
use gateward_kernel::time::Moment;
use gateward_kernel::token::Scope;
use zeroize::Zeroizing;

/// What a ticket is sealed for.
const CONTEXT: &[u8] = b"device ticket 1";
/// So often another user code is drawn when one is taken.
const DRAWS: usize = 8;

/// All of them.
pub struct Devices {
    book: Book<Device>,
    codes: Book<UserCodeEntry>,
    handles: HandleKey<DeviceId>,
    names: MacKey,
    tickets: SealKey,
    entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for Devices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Devices")
    }
}

/// What a device asks for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Which client it is.
    pub client: Box<str>,
    /// Which scopes.
    pub scope: Scope,
    /// For which resources.
    pub resources: Vec<Box<str>>,
    /// The key that it has proved.
    pub dpop_jkt: Option<Thumbprint>,
}

impl Devices {
    /// Devices in this durable store.
    pub fn new(kv: &Arc<dyn Kv>, root: &RootKey, entropy: Arc<dyn Entropy>) -> Self {
        Devices {
            book: Book::new(kv.clone()),
            codes: Book::new(kv.clone()),
            handles: HandleKey::new(root),
            names: root.mac("device user code"),
            tickets: root.seal("device ticket"),
            entropy,
        }
    }

    /// The device code, for the device's eyes only, and the code that its person types.
    pub async fn begin(&self, wanted: Wanted, now: Moment) -> Result<(Zeroizing<String>, UserCode), Fault> {
        let taken = |what| Fault::new("entropy", FaultKind::Contended, what);
        let handle = self.handles.handle(DeviceId::random(&*self.entropy), Secret::random(&*self.entropy));
        let expires = now + DEVICE_LIFETIME;
        let device = Device {
            id: handle.id,
            digest: handle.digest(),
            client: wanted.client,
            scope: wanted.scope,
            resources: wanted.resources,
            dpop_jkt: wanted.dpop_jkt,
            expires,
            asked: None,
            interval: DEVICE_INTERVAL,
            state: DeviceState::Pending,
        };
        self.book.create(device, now).await?.ok_or_else(|| taken("a random device id was in use"))?;
        for _ in 0..DRAWS {
            let code = UserCode::random(&*self.entropy);
            let entry = UserCodeEntry { id: self.name(&code), device: handle.id, expires };
            if self.codes.create(entry, now).await?.is_some() {
                return Ok((handle.print(), code));
            }
        }
        Err(taken("every user code that was drawn was in use"))
    }

    fn name(&self, code: &UserCode) -> [u8; 16] {
        self.names.short_tag(&[code.letters()])
    }

    /// The device with this user code, if a person can still decide.
    pub async fn typed(&self, code: &UserCode, now: Moment) -> Result<Option<Arc<Loaded<Device>>>, Fault> {
        let Some(entry) = self.codes.load(self.name(code), now).await? else { return Ok(None) };
        self.open(entry.record.device, now).await
    }

    /// The device of this id, if a person can still decide.
    pub async fn open(&self, id: DeviceId, now: Moment) -> Result<Option<Arc<Loaded<Device>>>, Fault> {
        let device = self.book.load(id, now).await?;
        Ok(device.filter(|device| device.record.is_open(now)))
    }

    /// That this person has typed the device's code: what the form of the question carries, so that the answer is no guess.
    pub fn ticket(&self, device: DeviceId, person: PersonId) -> String {
        let plain = [device.as_bytes().as_slice(), person.as_bytes()].concat();
        BASE64URL_NOPAD.encode(&self.tickets.seal(&*self.entropy, CONTEXT, &plain))
    }

    /// The device of a ticket that was made out to this person.
    pub fn read_ticket(&self, text: &str, person: PersonId) -> Option<DeviceId> {
        let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let plain = self.tickets.open(CONTEXT, &sealed).ok()?;
        let (device, owner) = plain.split_first_chunk::<16>()?;
        (owner == person.as_bytes().as_slice()).then_some(DeviceId::from_bytes(*device))
    }

    /// Writes down what a person has decided; nothing when there is no such device any more.
    pub async fn decide(
        &self,
        id: DeviceId,
        authorized: Option<Authorized>,
        now: Moment,
    ) -> Result<Option<DeviceDecision>, Fault> {
        let decide = |device: &Device| device.decide(authorized.clone(), now);
        Ok(self.book.change(id, now, decide).await?.map(|(_, told)| told))
    }

    /// Whether it was made here; nothing is asked for that.
    pub fn made(&self, handle: &DeviceHandle) -> bool {
        self.handles.made(handle)
    }

    /// Answers a device, and redeems its code for the grant of this id. Nothing when there is no such code.
    pub async fn poll(
        &self,
        handle: &DeviceHandle,
        presented: DevicePresented<'_>,
        grant: GrantId,
        now: Moment,
    ) -> Result<Option<DevicePoll>, Fault> {
        if !self.handles.made(handle) {
            return Ok(None);
        }
        let digest = handle.digest();
        let decide = |device: &Device| match device.digest == digest {
            true => match device.poll(presented, grant, now) {
                Decision::Write(next, told) => Decision::Write(next, Some(told)),
                Decision::Leave(told) => Decision::Leave(Some(told)),
            },
            false => Decision::Leave(None),
        };
        Ok(self.book.change(handle.id, now, decide).await?.and_then(|(_, told)| told))
    }
}
