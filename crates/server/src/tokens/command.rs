//! One-time commands: a JWT that says what is to be done, and that its receiver carries out exactly once.

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::person::Person;
use gateward_kernel::refusal::Refusal;
use gateward_kernel::time::Moment;
use gateward_kernel::token::CommandClaims;
use serde_json::Value;
use zeroize::Zeroizing;

use super::mint::Minted;
use super::resource::Resource;
use crate::app::App;
use crate::face::failure::Failure;

/// The `typ` of one-time commands.
const COMMAND_TYPE: &str = "command+jwt";
/// The longest name of a command, in bytes.
const MAX_NAME: usize = 128;
/// The largest particulars of a command, in bytes of JSON.
const MAX_PARAMETERS: usize = 4096;

/// A command of this person for this audience. Nothing is stored here: whoever carries it out writes down that they did.
pub fn issue(
    app: &App,
    person: &Person,
    resource: &Resource,
    audience: &str,
    command: String,
    parameters: Value,
    now: Moment,
) -> Result<Minted, Failure> {
    let invalid = |field, problem: String| Failure::from(Refusal::Invalid { field, problem });
    let is_name = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if command.is_empty() || command.len() > MAX_NAME || !is_name(&command) {
        let problem = format!("is 1 to {MAX_NAME} printable ASCII characters without blanks");
        return Err(invalid("command", problem));
    }
    if !parameters.is_null() && parameters.to_string().len() > MAX_PARAMETERS {
        return Err(invalid("parameters", format!("is at most {MAX_PARAMETERS} bytes of JSON")));
    }
    let mut jti = [0; 16];
    app.entropy.fill(&mut jti);
    let lifetime = app.settings.tokens.command_lifetime.duration();
    let claims = CommandClaims {
        iss: app.tokens.mint.issuer().to_owned(),
        sub: person.id.to_string(),
        aud: audience.to_owned(),
        exp: (now + lifetime).seconds(),
        iat: now.seconds(),
        jti: BASE64URL_NOPAD.encode(&jti),
        command,
        parameters,
    };
    let token = app.tokens.mint.sign(COMMAND_TYPE, resource.algorithm, &claims, now)?;
    Ok(Minted { token: Zeroizing::new(token), expires_in: lifetime })
}
