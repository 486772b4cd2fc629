//! Slow, large and broken answers.

use super::site::{Say, answer};
use super::*;
use crate::outbound::exchange::{LARGEST_HEAD, MOST_HEADERS};

/// Enough for an honest answer on a busy machine; waited for in full only where the other side is slow on purpose.
const SHORT: Duration = Duration::from_millis(400);

const OK: &[u8] = b"HTTP/1.1 200 OK\r\n";

fn after_ok(rest: &str) -> Vec<u8> {
    [OK, rest.as_bytes()].concat()
}

#[tokio::test]
async fn the_time_is_over_wherever_the_other_side_is_slow() {
    for say in [
        Say::Silence,
        Say::Stall(Vec::new()),
        Say::Stall(after_ok("content-le")),
        Say::Stall(after_ok("content-length: 10\r\n\r\n12345")),
        Say::Trickle(after_ok("x-slow: ")),
        Say::Trickle(after_ok("content-length: 1000000\r\n\r\n")),
        Say::Trickle(after_ok("\r\n")),
        Say::Flood(Vec::new(), b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec()),
    ] {
        let site = Site::tls("app.test", say).await;
        let outbound = towards(&site, "app.test").with_patience(SHORT);
        let address = url(&format!("https://app.test:{}/", site.port));
        assert_eq!(outbound.get(&address, Wanted::JSON).await.unwrap_err(), OutboundError::TimedOut);
    }
}

#[tokio::test]
async fn a_name_that_does_not_resolve_in_time_is_given_up() {
    struct Never;
    impl Resolver for Never {
        fn resolve<'a>(&'a self, _name: &'a str) -> Looked<'a> {
            Box::pin(std::future::pending())
        }
    }
    let outbound = Outbound::open(&settings("").outbound).unwrap().with_resolver(Arc::new(Never));
    let outbound = outbound.with_patience(Duration::from_millis(10));
    let error = outbound.get(&url("https://app.example.com/"), Wanted::JSON).await.unwrap_err();
    assert_eq!(error, OutboundError::TimedOut);
}

#[tokio::test]
async fn a_body_is_read_to_its_limit_and_no_further() {
    let site = Site::tls("app.test", Say::Silence).await;
    let outbound = towards(&site, "app.test");
    let address = url(&format!("https://app.test:{}/", site.port));
    let wanted = |largest| Wanted { accept: "*/*", largest };
    for (limit, largest) in [(1000, 1000), (LARGEST, LARGEST), (LARGEST, usize::MAX)] {
        for (length, fits) in [(limit - 1, true), (limit, true), (limit + 1, false)] {
            let body = "x".repeat(length);
            let chunked = format!("transfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n");
            for say in [
                answer("200 OK", "", &body),
                Say::All(after_ok(&chunked)),
                Say::All(after_ok(&format!("\r\n{body}"))),
            ] {
                site.says(say);
                match outbound.get(&address, wanted(largest)).await {
                    Ok(fetched) => assert!(fits && fetched.body.len() == length, "{length} of {limit}"),
                    Err(error) => assert!(!fits && error == OutboundError::TooLarge, "{length}: {error}"),
                }
            }
        }
    }
    // Answers to forms are bounded more narrowly.
    for (length, fits) in [(LARGEST_REPLY, true), (LARGEST_REPLY + 1, false)] {
        site.says(answer("200 OK", "", &"x".repeat(length)));
        assert_eq!(outbound.post_form(&address, &[]).await.is_ok(), fits, "{length}");
    }
}

#[tokio::test]
async fn an_endless_body_is_cut_and_a_large_one_is_not_begun() {
    let piece = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
    for say in [
        Say::Flood(after_ok("\r\n"), vec![b'x'; 4096]),
        Say::Flood(after_ok("transfer-encoding: chunked\r\n\r\n"), piece),
        Say::Stall(after_ok("content-length: 18446744073709551615\r\n\r\n")),
        Say::Stall(after_ok("content-length: 1048577\r\n\r\n")),
    ] {
        let site = Site::tls("app.test", say).await;
        let outbound = towards(&site, "app.test");
        let address = url(&format!("https://app.test:{}/", site.port));
        let error = outbound.get(&address, Wanted::JSON).await.unwrap_err();
        assert!(matches!(error, OutboundError::TooLarge | OutboundError::Failed(_)), "{error}");
    }
}

#[tokio::test]
async fn heads_are_bounded_in_number_and_bytes() {
    let site = Site::tls("app.test", Say::Silence).await;
    let outbound = towards(&site, "app.test");
    let address = url(&format!("https://app.test:{}/", site.port));
    // One of the headers is the length.
    let many = |count: usize| "x: y\r\n".repeat(count - 1);
    let long = |length: usize| format!("x: {}\r\n", "y".repeat(length));
    for (headers, fits) in [
        (many(MOST_HEADERS), true),
        (many(MOST_HEADERS + 1), false),
        (long(LARGEST_HEAD - 100), true),
        (long(LARGEST_HEAD), false),
        (long(LARGEST_HEAD * 20), false),
    ] {
        site.says(answer("200 OK", &headers, "ok"));
        let found = outbound.get(&address, Wanted::JSON).await;
        assert_eq!(found.is_ok(), fits, "{} bytes: {found:?}", headers.len());
    }
    let endless = Site::tls("app.test", Say::Flood(OK.to_vec(), b"x: y\r\n".repeat(100))).await;
    let address = url(&format!("https://app.test:{}/", endless.port));
    let error = towards(&endless, "app.test").get(&address, Wanted::JSON).await.unwrap_err();
    assert!(matches!(error, OutboundError::Failed(_)), "{error}");
}

#[tokio::test]
async fn what_is_cut_off_or_no_http_is_no_answer() {
    for bytes in [
        b"".to_vec(),
        b"hello\r\n\r\n".to_vec(),
        b"HTTP/1.1 200".to_vec(),
        b"HTTP/2.0 200 OK\r\n\r\n".to_vec(),
        after_ok("content-length: 10\r\n\r\n12345"),
        after_ok("content-length: 1\r\ncontent-length: 2\r\n\r\n12"),
        after_ok("transfer-encoding: chunked\r\n\r\n5\r\n123"),
        after_ok("transfer-encoding: chunked\r\n\r\nzz\r\n"),
    ] {
        let site = Site::tls("app.test", Say::All(bytes.clone())).await;
        let address = url(&format!("https://app.test:{}/", site.port));
        let error = towards(&site, "app.test").get(&address, Wanted::JSON).await.unwrap_err();
        assert!(matches!(error, OutboundError::Failed(_)), "{error}: {}", String::from_utf8_lossy(&bytes));
    }
}

#[tokio::test]
async fn a_type_that_is_said_twice_is_said_by_nobody() {
    let site =
        Site::tls("app.test", answer("200 OK", "content-type: a/b\r\ncontent-type: a/b\r\n", "")).await;
    let address = url(&format!("https://app.test:{}/", site.port));
    let fetched = towards(&site, "app.test").get(&address, Wanted::JSON).await.unwrap();
    assert_eq!(fetched.content_type, "");
}

#[tokio::test]
async fn a_caller_who_goes_away_takes_the_connection_along() {
    let site = Site::plain(Say::Trickle(after_ok("\r\n"))).await;
    let allowed = settings(&format!("[outbound]\nallow = ['http://127.0.0.1:{}']", site.port));
    let outbound = Outbound::open(&allowed.outbound).unwrap();
    let address = url(&format!("http://127.0.0.1:{}/", site.port));
    let places = outbound.at_once.available_permits();
    {
        let mut asking = Box::pin(outbound.get(&address, Wanted::JSON));
        while site.count() == 0 {
            let step = tokio::time::timeout(Duration::from_millis(1), &mut asking).await;
            assert!(step.is_err(), "it never ends");
        }
        assert_eq!(outbound.at_once.available_permits(), places - 1);
    }
    assert_eq!(outbound.at_once.available_permits(), places);
}

#[tokio::test]
async fn so_many_are_on_their_way_and_no_more() {
    let site = Site::plain(answer("200 OK", "", "")).await;
    let allowed = settings(&format!("[outbound]\nallow = ['http://127.0.0.1:{}']", site.port));
    let outbound = Outbound::open(&allowed.outbound).unwrap();
    let address = url(&format!("http://127.0.0.1:{}/", site.port));
    let all_but_one = outbound.at_once.acquire_many(u32::try_from(AT_ONCE).unwrap() - 1).await.unwrap();
    assert!(outbound.get(&address, Wanted::JSON).await.is_ok());
    let the_last = outbound.at_once.acquire().await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(20), outbound.get(&address, Wanted::JSON));
    assert!(waiting.await.is_err(), "there is no room");
    drop(the_last);
    assert!(outbound.get(&address, Wanted::JSON).await.is_ok());
    drop(all_but_one);
    assert_eq!(site.count(), 2);
}
