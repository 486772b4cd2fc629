//! Whether a token counts, checked the way a resource checks it: with the issuer's published keys and status lists.

use gateward_guard::verify::{Claims, Stale, StatusPolicy, Verifier};
use serde_json::json;

use crate::cli::show::Show;
use crate::cli::{Done, Trouble};

/// Where a token comes from, and for whom it must be.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Verify {
    /// The token, or `-` for standard input, which keeps it out of the history of your shell and the list of processes
    pub(super) token: String,
    /// Who must have issued it: its keys and status lists are asked for there
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// For whom it must be
    #[arg(long, value_name = "NAME")]
    audience: String,
    /// What it must allow, with blanks between
    #[arg(long)]
    scope: Option<String>,
    /// Do not ask whether it was revoked, for issuers without status lists
    #[arg(long)]
    without_status: bool,
}

/// Verifies a token. One that does not count is an error: the exit code tells it.
pub(super) fn run(verify: &Verify, token: &str, show: Show) -> Done {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let status = match verify.without_status {
        true => StatusPolicy::Ignore,
        false => StatusPolicy::Poll(Stale::Deny),
    };
    let outcome = runtime.block_on(async {
        let verifier =
            Verifier::for_issuer(verify.issuer.as_str()).audience(verify.audience.as_str()).status(status);
        let claims = verifier.build()?.verify(token).await?;
        if let Some(scope) = &verify.scope {
            let lacking = |_| anyhow::anyhow!("the token is good, and lacks one of the scopes {scope:?}");
            claims.require_scope(scope).map_err(lacking)?;
        }
        anyhow::Ok(claims)
    });
    match outcome {
        Ok(claims) => {
            tell(&claims, show);
            Ok(())
        }
        Err(problem) if show.json => {
            show.json(&json!({ "valid": false, "problem": format!("{problem:#}") }));
            Err(Trouble::Told)
        }
        Err(problem) => Err(problem.into()),
    }
}

fn tell(claims: &Claims, show: Show) {
    let value = json!({
        "valid": true,
        "subject": claims.subject(),
        "client": claims.client(),
        "audience": claims.audiences(),
        "scope": claims.scope(),
        "session": claims.session(),
        "issued_at": claims.issued().rfc3339(),
        "expires_at": claims.expires().rfc3339(),
    });
    let scope = claims.scope().to_string();
    let allows = if scope.is_empty() { String::new() } else { format!(", and allows {scope}") };
    let text = format!(
        "the token counts until {}; it is about {}{allows}",
        claims.expires().rfc3339(),
        claims.subject()
    );
    show.one(&value, &text);
}
