//! One-time commands: short-lived JWTs (`typ: command+jwt`) that say what is to be done, and that are carried out exactly once,
//! whichever of an application's processes they reach.
//!
//! ```no_run
//! # async fn example(token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use gateward_guard::command::Commands;
//! use gateward_guard::verify::Verifier;
//!
//! let told = Verifier::for_issuer("https://login.example.com").audience("https://gate.example.com");
//! // Every process must write into the same store.
//! let commands = Commands::new(told, Arc::new(gateward_store::Memory::new()))?;
//! let command = commands.consume(token, "open-gate").await?;
//! println!("{} opens gate {}", command.subject(), command.parameters());
//! # Ok(()) }
//! ```

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use gateward_kernel::jose::BadClaims;
use gateward_kernel::once::{Purpose, UsedOnce};
use gateward_kernel::ports::Kv;
use gateward_kernel::record::Book;
use http::request::Parts;
use serde_json::Value;

use crate::bearer::{BearerRejection, token_in_header};
use crate::verify::{BuildError, Claims, Denied, Outage, Verifier, VerifierBuilder};

/// The type of one-time commands.
const TYPE: &str = "command+jwt";
/// The longest a command may live: so long it must be remembered that it was used.
const LONGEST: Duration = Duration::from_secs(3600);

/// Accepts one-time commands, each once.
#[derive(Clone, Debug)]
pub struct Commands {
    verifier: Verifier,
    used: Book<UsedOnce>,
}

impl Commands {
    /// Accepts the commands the told verifier would, were it one for commands; that they were used is written into `kv`.
    pub fn new(told: VerifierBuilder, kv: Arc<dyn Kv>) -> Result<Self, BuildError> {
        Ok(Commands { verifier: told.one_time(TYPE).build()?, used: Book::new(kv) })
    }

    /// The command, if it is good, is `expected`, and was never consumed before: of many who try at once, exactly one gets it. After
    /// an error nobody has it, but for [`Outage::Store`]: then it may count as consumed.
    pub async fn consume(&self, token: &str, expected: &str) -> Result<Command, Denied> {
        let claims = self.verifier.verify_once(token).await?;
        let command = match claims.other("command") {
            Some(Value::String(command)) => command,
            Some(_) => return Err(BadClaims::Type("command").into()),
            None => return Err(BadClaims::Missing("command").into()),
        };
        if command != expected {
            return Err(Denied::OtherCommand);
        }
        let id = claims.id().ok_or(BadClaims::Missing("jti"))?;
        let now = self.verifier.clock().now();
        if claims.expires() > now + LONGEST {
            return Err(BadClaims::FarFuture("exp").into());
        }
        let until = claims.expires() + self.verifier.skew() + Duration::from_secs(1);
        let mark = UsedOnce::new(Purpose::Command, claims.issuer(), id, until);
        match self.used.create(mark, now).await {
            Ok(Some(_)) => Ok(Command { claims }),
            Ok(None) => Err(Denied::Used),
            Err(fault) => {
                tracing::error!(%fault, "a used command could not be written down");
                Err(Denied::Unavailable(Outage::Store))
            }
        }
    }
}

/// A command that was consumed just now: carry it out.
#[derive(Clone, Debug)]
pub struct Command {
    claims: Arc<Claims>,
}

impl Command {
    /// On whose behalf.
    pub fn subject(&self) -> &str {
        self.claims.subject()
    }

    /// With which particulars; `null` when there are none.
    pub fn parameters(&self) -> &Value {
        self.claims.other("parameters").unwrap_or(&Value::Null)
    }

    /// Everything the token says.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// The name of a command, as a type: see [`Commanded`].
pub trait CommandName: Send + Sync + 'static {
    /// The name.
    const NAME: &'static str;
}

/// Whoever comes with the command `N`, as a bearer token in `Authorization`. The extractor consumes it: it must be the last one that
/// can refuse the request.
///
/// Needs the [`Commands`] as an `axum::Extension`.
///
/// ```
/// use gateward_guard::command::{CommandName, Commanded};
///
/// struct OpenGate;
/// impl CommandName for OpenGate {
///     const NAME: &'static str = "open-gate";
/// }
///
/// async fn open(command: Commanded<OpenGate>) -> String {
///     format!("open for {}", command.subject())
/// }
/// ```
pub struct Commanded<N> {
    command: Command,
    name: PhantomData<fn() -> N>,
}

impl<N> Deref for Commanded<N> {
    type Target = Command;
    fn deref(&self) -> &Command {
        &self.command
    }
}

impl<N> std::fmt::Debug for Commanded<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Commanded").field(&self.command).finish()
    }
}

impl<N: CommandName, S: Send + Sync> FromRequestParts<S> for Commanded<N> {
    type Rejection = BearerRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, BearerRejection> {
        let commands = parts.extensions.get::<Commands>().cloned().ok_or(BearerRejection::no_layer())?;
        let resource = commands.verifier.resource();
        let token = token_in_header(&parts.headers, resource)?;
        let command = commands.consume(token, N::NAME).await;
        let command = command.map_err(|denied| BearerRejection::new(denied, resource))?;
        Ok(Commanded { command, name: PhantomData })
    }
}
