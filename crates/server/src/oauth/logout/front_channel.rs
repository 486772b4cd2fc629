//! Telling clients by the person's browser, which loads a page of each in a frame (OpenID Connect Front-Channel Logout 1.0).

use gateward_kernel::ports::Fault;
use gateward_kernel::session::Session;
use gateward_kernel::time::Moment;
use url::Url;

use crate::app::App;

/// What the browser is to load when this session ends: the address of each client that wants that, with `iss` and `sid` (§2).
pub async fn frames(app: &App, session: &Session, now: Moment) -> Result<Vec<Url>, Fault> {
    let mut all = Vec::new();
    for name in session.parties() {
        let Some(client) = app.oauth.clients.find(name, now).await? else { continue };
        let uri =
            client.record.metadata.frontchannel_logout_uri.as_deref().and_then(|uri| Url::parse(uri).ok());
        let Some(mut uri) = uri.filter(|uri| matches!(uri.scheme(), "https" | "http")) else { continue };
        uri.query_pairs_mut()
            .append_pair("iss", app.tokens.mint.issuer())
            .append_pair("sid", &app.oauth.session_names.tell(&client.record, session.id));
        all.push(uri);
    }
    Ok(all)
}
