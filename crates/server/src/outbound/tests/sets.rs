//! Key sets of clients, asked for by many at once and by ids that nobody has.

use gateward_kernel::time::Moment;

use super::site::{Say, answer};
use super::*;
use crate::outbound::keys::ClientKeys;

const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn set(kid: &str) -> Say {
    let body = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{X}"}}]}}"#);
    answer("200 OK", "content-type: application/jwk-set+json\r\n", &body)
}

fn at(seconds: i64) -> Moment {
    Moment::from_micros(seconds * 1_000_000)
}

async fn open(say: Say) -> (Site, ClientKeys, Url) {
    let site = Site::tls("app.test", say).await;
    let keys = ClientKeys::new(Arc::new(towards(&site, "app.test")));
    let address = url(&format!("https://app.test:{}/jwks", site.port));
    (site, keys, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_who_ask_at_once_cause_one_request() {
    let (site, keys, address) = open(set("a")).await;
    let keys = Arc::new(keys);
    for (kid, fetched) in [("a", 1), ("b", 2)] {
        let asking: Vec<_> = (0..50)
            .map(|_| {
                let (keys, address) = (keys.clone(), address.clone());
                tokio::spawn(
                    async move { keys.keys(&address, Some(kid), at(1000)).await.unwrap().keys.len() },
                )
            })
            .collect();
        for one in asking {
            assert_eq!(one.await.unwrap(), 1);
        }
        assert_eq!(site.count(), fetched);
    }
}

#[tokio::test]
async fn made_up_ids_cause_one_request_a_minute() {
    let (site, keys, address) = open(set("a")).await;
    keys.keys(&address, Some("a"), at(1000)).await.unwrap();
    for second in 1000..1240 {
        let kid = format!("made-up-{second}");
        keys.keys(&address, Some(&kid), at(second)).await.unwrap();
    }
    assert_eq!(site.count(), 1 + 4, "the first, and one for each of four minutes");
}

#[tokio::test]
async fn a_client_that_changes_its_key_is_understood_at_once() {
    let (site, keys, address) = open(set("old")).await;
    assert_eq!(keys.keys(&address, Some("old"), at(1000)).await.unwrap().find("old").count(), 1);
    site.says(set("new"));
    assert_eq!(keys.keys(&address, None, at(1001)).await.unwrap().find("old").count(), 1);
    assert_eq!(keys.keys(&address, Some("new"), at(1001)).await.unwrap().find("new").count(), 1);
    assert_eq!(site.count(), 2);
}

#[tokio::test]
async fn a_set_is_kept_as_long_as_it_says_within_bounds() {
    for (header, kept) in [
        ("", 300),
        ("cache-control: max-age=100\r\n", 100),
        ("cache-control: max-age=59\r\n", 60),
        ("cache-control: max-age=60\r\n", 60),
        ("cache-control: max-age=3600\r\n", 3600),
        ("cache-control: max-age=3601\r\n", 3600),
        ("cache-control: max-age=600\r\nage: 500\r\n", 100),
        ("cache-control: no-store\r\n", 60),
    ] {
        let (site, keys, address) = open(answer("200 OK", header, "{\"keys\":[]}")).await;
        for (second, count) in [(0, 1), (kept - 1, 1), (kept, 2)] {
            keys.keys(&address, None, at(1000 + second)).await.unwrap();
            assert_eq!(site.count(), count, "{header} after {second}");
        }
    }
}

#[tokio::test]
async fn what_is_no_key_set_is_refused_and_not_asked_for_again_at_once() {
    for (say, expected) in [
        (answer("200 OK", "", "hello"), OutboundError::Malformed("no key set")),
        (answer("200 OK", "", "{\"keys\":{}}"), OutboundError::Malformed("no key set")),
        (answer("404 Not Found", "", "{\"keys\":[]}"), OutboundError::Status(http::StatusCode::NOT_FOUND)),
        (answer("302 Found", "location: /\r\n", ""), OutboundError::Redirected(http::StatusCode::FOUND)),
    ] {
        let (site, keys, address) = open(say).await;
        for (second, count) in [(0, 1), (9, 1), (10, 2)] {
            let error = keys.keys(&address, Some("a"), at(1000 + second)).await.unwrap_err();
            assert_eq!((error, site.count()), (expected.clone(), count), "after {second}");
        }
    }
}

#[tokio::test]
async fn a_set_that_counts_outlives_a_failure_and_one_that_does_not_is_gone() {
    let (site, keys, address) = open(set("a")).await;
    keys.keys(&address, Some("a"), at(1000)).await.unwrap();
    site.says(answer("500 X", "", ""));
    assert!(keys.keys(&address, Some("b"), at(1299)).await.is_ok());
    assert!(keys.keys(&address, Some("a"), at(1299)).await.is_ok());
    let error = keys.keys(&address, Some("a"), at(1300)).await.unwrap_err();
    assert_eq!(error, OutboundError::Status(http::StatusCode::INTERNAL_SERVER_ERROR));
    site.says(set("a"));
    assert!(keys.keys(&address, Some("a"), at(1309)).await.is_ok());
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_cause_another_request() {
    let (site, keys, address) = open(set("a")).await;
    for _ in 0..3 {
        // Polled once: the work has begun, and nobody waits for it.
        let mut asking = Box::pin(keys.keys(&address, Some("a"), at(1000)));
        let _unfinished = tokio::time::timeout(Duration::ZERO, &mut asking).await;
    }
    assert!(keys.keys(&address, Some("a"), at(1000)).await.is_ok());
    assert_eq!(site.count(), 1);
}

#[tokio::test]
async fn an_address_that_must_not_be_asked_is_refused_here_too() {
    let (site, keys, _) = open(set("a")).await;
    let address = url(&format!("https://127.0.0.1:{}/jwks", site.port));
    let error = keys.keys(&address, None, at(1000)).await.unwrap_err();
    assert_eq!(error, OutboundError::Forbidden(Forbidden::Address));
    assert_eq!(*site.connections.lock(), 0);
}
