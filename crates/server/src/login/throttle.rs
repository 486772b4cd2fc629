//! Slowing down guesses, per account and per network, without locking anybody out.
//!
//! Every attempt is counted before the password is compared, by compare-and-set, so that parallel guesses count
//! exactly; one that was no guess is given back. A device that has signed this person in before, which it shows by a
//! cookie of its own, is counted by itself: strangers who exhaust the account's attempts do not hold it up.

use std::net::IpAddr;

use data_encoding::BASE64URL_NOPAD;
use gateward_guard::forwarded::Network;
use gateward_kernel::id::PersonId;
use gateward_kernel::ports::Fault;
use gateward_kernel::record::{Book, Decision};
use gateward_kernel::refusal::Refusal;
use gateward_kernel::secret::{Entropy, MacKey, RootKey};
use gateward_kernel::throttle::{Attempt, Bucket, BucketId, Rate};
use gateward_kernel::time::Moment;

use crate::face::failure::Failure;

/// So many people are remembered for one device.
const PEOPLE_PER_DEVICE: usize = 5;
const TAG: usize = 16;

/// Counts attempts.
#[derive(Debug)]
pub struct Throttle {
    buckets: Book<Bucket>,
    account: Rate,
    network: Rate,
    name: MacKey,
    device: MacKey,
}

/// What one attempt was counted against.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    account: BucketId,
    network: Option<BucketId>,
}

impl Throttle {
    /// With these rates, in this book.
    pub fn new(buckets: Book<Bucket>, account: Rate, network: Rate, root: &RootKey) -> Self {
        Throttle {
            buckets,
            account,
            network,
            name: root.mac("throttle bucket"),
            device: root.mac("known device"),
        }
    }

    /// Counts an attempt on `account` (one name for all spellings), or says how long to wait. `known` is the person, when this device knows them.
    pub async fn attempt(
        &self,
        account: &str,
        known: Option<(PersonId, [u8; 16])>,
        client: IpAddr,
        now: Moment,
    ) -> Result<Counted, Failure> {
        let counted = match known {
            Some((person, device)) => {
                let account = self.name.short_tag(&[b"device", person.as_bytes(), &device]);
                Counted { account, network: None }
            }
            None => Counted {
                account: self.name.short_tag(&[b"account", account.as_bytes()]),
                network: Some(self.name.short_tag(&[b"network", Network::of(client).to_string().as_bytes()])),
            },
        };
        self.count_both(counted, now).await?;
        Ok(counted)
    }

    /// Counts the code of a device that somebody types, by who they are and by their network, or says how long to wait.
    pub async fn user_code(&self, person: PersonId, client: IpAddr, now: Moment) -> Result<Counted, Failure> {
        let network = Network::of(client).to_string();
        let counted = Counted {
            account: self.name.short_tag(&[b"user code", person.as_bytes()]),
            network: Some(self.name.short_tag(&[b"user code network", network.as_bytes()])),
        };
        self.count_both(counted, now).await?;
        Ok(counted)
    }

    async fn count_both(&self, counted: Counted, now: Moment) -> Result<(), Failure> {
        let account = self.count(counted.account, self.account, now);
        match counted.network {
            None => account.await,
            Some(network) => {
                // Both wait for one group commit. What one refuses the other may have counted: it was an attempt.
                let (account, network) = tokio::join!(account, self.count(network, self.network, now));
                account.and(network)
            }
        }
    }

    /// Counts the session of a guest, at the rate of a network's sign-ins.
    pub async fn guest(&self, client: IpAddr, now: Moment) -> Result<(), Failure> {
        let network = self.name.short_tag(&[b"guest", Network::of(client).to_string().as_bytes()]);
        self.count(network, self.network, now).await
    }

    /// Counts the registration of a client, at a rate of its own for each network.
    pub async fn registration(&self, client: IpAddr, rate: Rate, now: Moment) -> Result<(), Failure> {
        let network = self.name.short_tag(&[b"registration", Network::of(client).to_string().as_bytes()]);
        self.count(network, rate, now).await
    }

    /// Counts a device that asks without proving anything, at the rate of a network's sign-ins.
    pub async fn device(&self, client: IpAddr, now: Moment) -> Result<(), Failure> {
        let network = self.name.short_tag(&[b"device", Network::of(client).to_string().as_bytes()]);
        self.count(network, self.network, now).await
    }

    async fn count(&self, id: BucketId, rate: Rate, now: Moment) -> Result<(), Failure> {
        loop {
            match self.buckets.change(id, now, |bucket| bucket.attempt(rate, now)).await? {
                Some((_, Attempt::Allowed)) => return Ok(()),
                Some((_, Attempt::Wait(wait))) => return Err(Refusal::Throttled(wait).into()),
                None if self.buckets.create(Bucket::first(id, rate, now), now).await?.is_some() => {
                    return Ok(());
                }
                None => {}
            }
        }
    }

    /// Gives an attempt back: it was no guess.
    pub async fn refund(&self, counted: Counted, now: Moment) -> Result<(), Fault> {
        let account = self.give_back(counted.account, self.account, now);
        match counted.network {
            None => account.await,
            Some(network) => {
                let (account, network) = tokio::join!(account, self.give_back(network, self.network, now));
                account.and(network)
            }
        }
    }

    async fn give_back(&self, id: BucketId, rate: Rate, now: Moment) -> Result<(), Fault> {
        let decide = |bucket: &Bucket| -> Decision<Bucket, ()> { bucket.refund(rate) };
        self.buckets.change(id, now, decide).await.map(|_| ())
    }

    /// The device of a cookie value, if it has signed this person in before.
    pub fn known_device(&self, cookie: &[u8], person: PersonId) -> Option<(PersonId, [u8; 16])> {
        let (device, tags) = split(cookie)?;
        let tag: [u8; TAG] = self.device.short_tag(&[&device, person.as_bytes()]);
        tags.contains(&tag).then_some((person, device))
    }

    /// The value of the cookie of a device that has signed this person in: the newest person first.
    pub fn remember_device(&self, cookie: Option<&[u8]>, person: PersonId, entropy: &dyn Entropy) -> String {
        let (device, known) = cookie.and_then(split).unwrap_or_else(|| {
            let mut device = [0; 16];
            entropy.fill(&mut device);
            (device, Vec::new())
        });
        let tag: [u8; TAG] = self.device.short_tag(&[&device, person.as_bytes()]);
        let others = known.into_iter().filter(|other| *other != tag).take(PEOPLE_PER_DEVICE - 1);
        let mut value = device.to_vec();
        value.extend_from_slice(&tag);
        value.extend(others.flatten());
        BASE64URL_NOPAD.encode(&value)
    }
}

fn split(cookie: &[u8]) -> Option<([u8; 16], Vec<[u8; TAG]>)> {
    let value = BASE64URL_NOPAD.decode(cookie).ok()?;
    let (device, rest) = value.split_first_chunk::<16>()?;
    let (tags, odd) = rest.as_chunks::<TAG>();
    (odd.is_empty() && !tags.is_empty() && tags.len() <= PEOPLE_PER_DEVICE).then(|| (*device, tags.to_vec()))
}
