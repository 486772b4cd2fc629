//! The port.

use std::sync::Arc;

use bytes::Bytes;
use gateward_kernel::ports::{
    Answer, Created, Fault, Key, Kv, Listener, Page, Replaced, Stored, Traits, Version,
};
use gateward_kernel::time::Moment;
use redis::Value;

use super::calls::{Caller, Order};
use super::scripts::{decode, expiry, name};
use super::trouble::odd;
use super::{Core, ENGINE};

/// Reads one record.
pub(super) async fn read(caller: &Caller, prefix: &str, key: &Key) -> Result<Option<Stored>, Fault> {
    let name = name(prefix, key);
    match caller.ask(&name, &Order::Get).await? {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => decode(key.kind, bytes).map(Some),
        _ => Err(odd("GET")),
    }
}

impl Core {
    async fn add(&self, key: &Key, value: &[u8], death: Moment) -> Result<Created, Fault> {
        crate::fits(ENGINE, key, value)?;
        let name = name(&self.prefix, key);
        let (death_bytes, expiry) = (death.micros().to_be_bytes(), expiry(death));
        let own = self.hub.writing(key, &name);
        let arguments: [&[u8]; 3] = [&death_bytes, value, expiry.as_bytes()];
        match self.caller.ask(&name, &Order::Change(&self.scripts.create, &arguments)).await? {
            Value::Int(0) => {
                own.refused();
                Ok(Created::Exists)
            }
            Value::Int(version) => {
                let version = Version(version.cast_unsigned());
                own.done(version);
                Ok(Created::Done(version))
            }
            _ => Err(odd("a create")),
        }
    }

    async fn change(
        &self,
        key: &Key,
        expected: Version,
        value: &[u8],
        death: Moment,
    ) -> Result<Replaced, Fault> {
        crate::fits(ENGINE, key, value)?;
        let name = name(&self.prefix, key);
        let (death_bytes, expiry) = (death.micros().to_be_bytes(), expiry(death));
        let expected = expected.0.to_be_bytes();
        let own = self.hub.writing(key, &name);
        let arguments: [&[u8]; 4] = [&death_bytes, value, expiry.as_bytes(), &expected];
        match self.caller.ask(&name, &Order::Change(&self.scripts.replace, &arguments)).await? {
            Value::Int(0) => {
                own.refused();
                Ok(Replaced::Absent)
            }
            Value::Int(-1) => {
                own.refused();
                Ok(Replaced::Stale)
            }
            Value::Int(version) => {
                let version = Version(version.cast_unsigned());
                own.done(version);
                Ok(Replaced::Done(version))
            }
            _ => Err(odd("a replace")),
        }
    }

    async fn take(&self, key: &Key) -> Result<Option<Stored>, Fault> {
        let name = name(&self.prefix, key);
        let own = self.hub.writing(key, &name);
        let parts = match self.caller.ask(&name, &Order::Change(&self.scripts.remove, &[])).await? {
            Value::Nil => {
                own.refused();
                return Ok(None);
            }
            Value::Array(parts) => parts,
            _ => return Err(odd("a removal")),
        };
        match <[Value; 2]>::try_from(parts) {
            Ok([Value::Int(version), Value::BulkString(bytes)]) => {
                own.done(Version(version.cast_unsigned()));
                decode(key.kind, bytes).map(Some)
            }
            _ => Err(odd("a removal")),
        }
    }
}

impl Kv for Core {
    fn traits(&self) -> Traits {
        Traits {
            engine: ENGINE,
            durable: false,
            shared: true,
            pages: true,
            pushes: true,
            expires: true,
            largest: crate::LARGEST_VALUE,
        }
    }

    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        Box::pin(read(&self.caller, &self.prefix, key))
    }

    fn create<'a>(&'a self, key: &'a Key, value: Bytes, death: Moment) -> Answer<'a, Created> {
        Box::pin(async move { self.add(key, &value, death).await })
    }

    fn replace<'a>(
        &'a self,
        key: &'a Key,
        expected: Version,
        value: Bytes,
        death: Moment,
    ) -> Answer<'a, Replaced> {
        Box::pin(async move { self.change(key, expected, &value, death).await })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        Box::pin(self.take(key))
    }

    fn page<'a>(&'a self, kind: &'static str, after: Option<&'a [u8]>, limit: usize) -> Answer<'a, Page> {
        Box::pin(self.list(kind, after, limit))
    }

    fn sweep(&self, _: Moment, _: usize) -> Answer<'_, usize> {
        // Redis does it by itself, a minute after the death.
        Box::pin(std::future::ready(Ok(0)))
    }

    fn changes(&self, listener: Arc<dyn Listener>) {
        self.hub.join(listener);
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(self.ping_all())
    }
}
