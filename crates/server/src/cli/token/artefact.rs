//! Gateward's own secrets and tokens, known by their prefixes: what each is, its public id, and what to do with it.

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::handle::{Handle, Openable};
use gateward_kernel::id::{AccessTokenId, GrantId, PersonId, SessionId};
use gateward_kernel::time::Moment;

use super::inspect::Report;
use crate::password::reset::Code;

/// Looks at what begins like one of ours.
pub(super) fn inspect(text: &str, now: Moment) -> Option<Report> {
    let is_ours = text.strip_prefix("gw").and_then(|rest| rest.split_once('_')).is_some_and(|(kind, _)| {
        let (letter, version) = kind.split_at_checked(1).unwrap_or_default();
        letter.bytes().all(|byte| byte.is_ascii_lowercase())
            && !version.is_empty()
            && version.bytes().all(|byte| byte.is_ascii_digit())
    });
    if !is_ours {
        return None;
    }
    let prefix = text.get(..5).unwrap_or_default();
    Some(match prefix {
        "gws1_" => handle::<SessionId>(
            text,
            Report {
                kind: "session",
                what: "the secret of a session: whoever has it is signed in".into(),
                notes: vec![
                    "it travels in the session cookie, or for apps in Authorization: Bearer".into(),
                    "`gateward session list` shows the session under this id, `gateward session end ID` ends it".into(),
                ],
                ..Report::default()
            },
            "session",
        ),
        "gwa1_" => handle::<AccessTokenId>(
            text,
            Report {
                kind: "opaque-access-token",
                what: "an opaque access token: it says nothing by itself, Gateward looks it up".into(),
                notes: vec![
                    "it travels in Authorization: Bearer; only Gateward can tell for whom and until when it counts".into(),
                ],
                ..Report::default()
            },
            "token",
        ),
        "gwr1_" => handle::<GrantId>(
            text,
            Report {
                kind: "refresh-token",
                what: "a refresh token: its app gets new access tokens for it".into(),
                notes: vec![
                    "POST /api/v1/token/refresh takes it once and gives its successor; used again later, it ends the access"
                        .into(),
                    "POST /api/v1/logout with it in \"refresh_token\" gives it back".into(),
                ],
                ..Report::default()
            },
            "grant",
        ),
        "gwp1_" => reset_code(text),
        "gwi1_" => setup_code(text),
        "gwt1_" => simple(text, now),
        _ => Report {
            kind: "unknown",
            what: "a secret of Gateward of a kind that this version does not know".into(),
            ..Report::default()
        },
    })
}

fn handle<I: Openable + std::fmt::Display>(text: &str, mut report: Report, of: &'static str) -> Report {
    match Handle::<I>::read(text.as_bytes()) {
        Ok(read) => {
            report.id = Some((of, read.id.to_string()));
            report.notes.push(
                "whether Gateward made it, and whether it is alive, is not to be seen from here".into(),
            );
        }
        Err(_) => report.problems.push(damaged(72)),
    }
    report
}

fn reset_code(text: &str) -> Report {
    let mut report = Report {
        kind: "reset-code",
        what: "a one-time code for a new password".into(),
        notes: vec!["it counts once, at /reset, for 15 minutes after it was issued".into()],
        ..Report::default()
    };
    match Code::read(text) {
        Some(code) => report.id = Some(("person", code.person().to_string())),
        None => report.problems.push(damaged(43)),
    }
    report
}

fn setup_code(text: &str) -> Report {
    let decoded = BASE64URL_NOPAD.decode(text.get(5..).unwrap_or_default().as_bytes());
    Report {
        kind: "setup-code",
        what: "the code of a set-up link, for the first administrator".into(),
        notes: vec!["it counts once, at /setup, for an hour after it was printed".into()],
        problems: if decoded.is_ok_and(|bytes| bytes.len() == 32) { Vec::new() } else { vec![damaged(43)] },
        ..Report::default()
    }
}

/// As [`gateward_kernel::token::SimpleToken`] is laid out: person, end, signature.
fn simple(text: &str, now: Moment) -> Report {
    let mut report = Report {
        kind: "simple-token",
        what: "a simple signed token, as links carry it: for one person, one purpose, until one moment"
            .into(),
        notes: vec!["its purpose is not inside, and its signature was not checked".into()],
        ..Report::default()
    };
    let decoded = BASE64URL_NOPAD.decode(text.get(5..).unwrap_or_default().as_bytes()).ok();
    let parts = decoded.as_deref().filter(|bytes| bytes.len() == 48).and_then(|bytes| {
        let (person, rest) = bytes.split_first_chunk::<16>()?;
        let (ends, _) = rest.split_first_chunk::<8>()?;
        Some((PersonId::from_bytes(*person), Moment::from_micros(i64::from_be_bytes(*ends))))
    });
    let Some((person, ends)) = parts else {
        report.problems.push(damaged(64));
        return report;
    };
    report.id = Some(("person", person.to_string()));
    report.times.push(("ends", ends));
    if ends <= now {
        report.problems.push(format!("it expired {}", super::inspect::words(ends, now)));
    }
    report
}

fn damaged(characters: usize) -> String {
    format!(
        "it is damaged: behind the prefix come {characters} characters of letters, digits, \"-\" and \"_\""
    )
}

#[cfg(test)]
mod tests {
    use gateward_kernel::handle::HandleKey;
    use gateward_kernel::secret::{RootKey, Secret};
    use gateward_kernel::token::{SimpleKey, SimpleToken};

    use super::*;

    const NOW: Moment = Moment::from_micros(1_800_000_000_000_000);

    fn look(text: &str) -> Report {
        inspect(text, NOW).unwrap()
    }

    #[test]
    fn each_kind_is_known_by_its_prefix_and_named_by_its_id() {
        let root = RootKey::from_bytes([3; 32]);
        let secret = || Secret::from_bytes([6; 32]);
        let session = SessionId::from_bytes([1; 16]);
        let access = AccessTokenId::from_bytes([2; 16]);
        let grant = GrantId::from_bytes([3; 16]);
        for (text, kind, id) in [
            (HandleKey::new(&root).handle(session, secret()).print(), "session", session.to_string()),
            (
                HandleKey::new(&root).handle(access, secret()).print(),
                "opaque-access-token",
                access.to_string(),
            ),
            (HandleKey::new(&root).handle(grant, secret()).print(), "refresh-token", grant.to_string()),
        ] {
            let report = look(&text);
            assert_eq!((report.kind, report.id.unwrap().1, report.problems.len()), (kind, id, 0));
            let cut = look(&text[..text.len() - 1]);
            assert!(cut.id.is_none() && cut.problems[0].contains("damaged"), "{kind}");
        }
        let person = PersonId::from_bytes([7; 16]);
        let simple = |ends| SimpleKey::new(&root, "x").sign(SimpleToken { person, ends }, b"");
        let good = look(&simple(NOW.next()));
        assert_eq!((good.kind, good.id.unwrap().1), ("simple-token", person.to_string()));
        assert!(good.problems.is_empty() && good.times == [("ends", NOW.next())]);
        assert_eq!(look(&simple(NOW)).problems, ["it expired now"]);
        let code = BASE64URL_NOPAD.encode(&[7; 32]);
        assert_eq!(look(&format!("gwp1_{code}")).id.unwrap().1, person.to_string());
        assert_eq!(look(&format!("gwi1_{code}")).problems, [""; 0]);
        for prefix in ["gwp1_", "gwi1_", "gwt1_", "gws1_"] {
            assert!(look(prefix).problems[0].contains("damaged"), "{prefix}");
        }
    }

    #[test]
    fn what_is_not_ours_is_left_to_others() {
        for other in ["", "gw", "gws", "gws_x", "gw1_x", "gws1", "GWS1_x", "gwsx_y", "abc.def.ghi", "gwss1_x"]
        {
            assert!(inspect(other, NOW).is_none(), "{other}");
        }
        assert_eq!(look("gwz1_x").kind, "unknown");
        assert_eq!(look("gws2_x").kind, "unknown");
    }
}
