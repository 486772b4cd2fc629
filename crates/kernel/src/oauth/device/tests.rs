use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::claims::ClaimsRequest;
use crate::id::{PersonId, SessionId};
use crate::secret::SeededEntropy;

fn at(seconds: i64) -> Moment {
    Moment::from_micros(seconds * 1_000_000)
}

fn key() -> Thumbprint {
    "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".parse().unwrap()
}

fn grant(byte: u8) -> GrantId {
    GrantId::from_bytes([byte; 16])
}

fn given() -> Authorized {
    Authorized {
        person: PersonId::from_bytes([2; 16]),
        session: SessionId::from_bytes([3; 16]),
        since: at(0),
        proofs: Vec::new(),
        scope: Scope::NONE,
        resources: Vec::new(),
        nonce: None,
        claims: ClaimsRequest::default(),
        acr: None,
        details: None,
    }
}

fn device() -> Device {
    Device {
        id: DeviceId::from_bytes([1; 16]),
        digest: Digest::of(b"x"),
        client: "tv".into(),
        scope: Scope::NONE,
        resources: Vec::new(),
        dpop_jkt: None,
        expires: at(600),
        asked: None,
        interval: DEVICE_INTERVAL,
        state: DeviceState::Pending,
    }
}

const TV: DevicePresented<'static> = DevicePresented { client: "tv", dpop_jkt: None };

/// The answer, and the device afterwards.
fn poll(device: &Device, presented: DevicePresented<'_>, now: Moment) -> (DevicePoll, Device) {
    match device.poll(presented, grant(9), now) {
        Decision::Write(next, told) => (told, next),
        Decision::Leave(told) => (told, device.clone()),
    }
}

fn decided(device: &Device, yes: bool, now: Moment) -> (DeviceDecision, Device) {
    match device.decide(yes.then(given), now) {
        Decision::Write(next, told) => (told, next),
        Decision::Leave(told) => (told, device.clone()),
    }
}

#[test]
fn a_yes_is_redeemed_once() {
    let (_, approved) = decided(&device(), true, at(10));
    let (told, redeemed) = poll(&approved, TV, at(11));
    assert_eq!(told, DevicePoll::Redeemed(Box::new(given())));
    assert_eq!(redeemed.state, DeviceState::Redeemed(grant(9)));
    for later in [11, 599, 600, 1199] {
        assert_eq!(poll(&redeemed, TV, at(later)), (DevicePoll::AlreadyRedeemed, redeemed.clone()));
    }
}

#[test]
fn the_first_decision_stays() {
    for first in [true, false] {
        let (told, after) = decided(&device(), first, at(10));
        assert_eq!(told, DeviceDecision::Made);
        for second in [true, false] {
            assert_eq!(decided(&after, second, at(11)), (DeviceDecision::AlreadyMade, after.clone()));
        }
        assert!(!after.is_open(at(11)));
    }
    let (_, denied) = decided(&device(), false, at(10));
    assert_eq!(poll(&denied, TV, at(11)), (DevicePoll::Denied, denied));
}

#[test]
fn everything_ends_with_its_time() {
    assert_eq!(decided(&device(), true, at(599)).0, DeviceDecision::Made);
    assert_eq!(decided(&device(), true, at(600)), (DeviceDecision::Expired, device()));
    assert!(device().is_open(at(599)) && !device().is_open(at(600)));
    assert_eq!(poll(&device(), TV, at(599)).0, DevicePoll::Pending);
    assert_eq!(poll(&device(), TV, at(600)).0, DevicePoll::Expired);
    let (_, approved) = decided(&device(), true, at(599));
    assert_eq!(poll(&approved, TV, at(600)).0, DevicePoll::Expired);
}

#[test]
fn whoever_asks_too_early_waits_longer() {
    let (told, asked) = poll(&device(), TV, at(0));
    assert_eq!((told, asked.asked, asked.interval), (DevicePoll::Pending, Some(at(0)), DEVICE_INTERVAL));
    // In time to the microsecond.
    assert_eq!(poll(&asked, TV, at(5)).0, DevicePoll::Pending);
    let (told, slower) = poll(&asked, TV, Moment::from_micros(4_999_999));
    assert_eq!((told, slower.asked, slower.interval.as_secs()), (DevicePoll::SlowDown, Some(at(0)), 10));
    assert_eq!(poll(&slower, TV, at(9)).0, DevicePoll::SlowDown);
    assert_eq!(poll(&slower, TV, at(10)).0, DevicePoll::Pending);
    // Up to a minute, and then nothing is written any more.
    let mut slowest = asked;
    for _ in 0..20 {
        slowest = poll(&slowest, TV, at(1)).1;
    }
    assert_eq!(slowest.interval, SLOWEST);
    assert_eq!(slowest.poll(TV, grant(9), at(59)), Decision::Leave(DevicePoll::SlowDown));
    assert_eq!(poll(&slowest, TV, at(60)).0, DevicePoll::Pending);
    // Who has been let in is told at once.
    let (_, approved) = decided(&slowest, true, at(2));
    assert!(matches!(poll(&approved, TV, at(3)).0, DevicePoll::Redeemed(_)));
}

#[test]
fn it_is_bound_to_its_client_and_its_key() {
    let (_, approved) = decided(&Device { dpop_jkt: Some(key()), ..device() }, true, at(1));
    let own = DevicePresented { client: "tv", dpop_jkt: Some(key()) };
    let other_key = DevicePresented { dpop_jkt: Some("A".repeat(43).parse().unwrap()), ..own };
    for (presented, told) in [
        (DevicePresented { client: "other", ..own }, DevicePoll::OtherClient),
        (other_key, DevicePoll::OtherKey),
        (TV, DevicePoll::OtherKey),
    ] {
        assert_eq!(poll(&approved, presented, at(2)), (told, approved.clone()));
    }
    assert!(matches!(poll(&approved, own, at(2)).0, DevicePoll::Redeemed(_)));
    // A key that was not asked for at first is the tokens' business.
    let (_, approved) = decided(&device(), true, at(1));
    assert!(matches!(poll(&approved, own, at(2)).0, DevicePoll::Redeemed(_)));
}

#[test]
fn codes_are_read_as_people_type_them() {
    let code: UserCode = "WDJBMJHT".parse().unwrap();
    assert_eq!(code.to_string(), "WDJB-MJHT");
    for typed in [
        "WDJB-MJHT",
        "wdjb-mjht",
        " wdjb mjht ",
        "W-D-J-B-M-J-H-T",
        "wdjb\u{2013}mjht",
        "wdjb\u{a0}mjht",
        "--WDJBMJHT",
    ] {
        assert_eq!(typed.parse(), Ok(code), "{typed:?}");
    }
    for typed in
        ["", "-", "WDJB-MJH", "WDJB-MJHTB", "WDJB-MJHA", "WDJB-MJH1", "WDJB-MJHЖ", "WDJB.MJHT", "WDJB-MJHT\0"]
    {
        assert_eq!(typed.parse::<UserCode>(), Err(NotAUserCode), "{typed:?}");
    }
    assert_eq!(format!("{code:?}"), "UserCode");
}

#[test]
fn codes_are_hard_to_guess() {
    assert!((ALPHABET.len() as f64).log2() * LETTERS as f64 >= 34.0);
    let entropy = SeededEntropy::new(7);
    let drawn: Vec<UserCode> = (0..2000).map(|_| UserCode::random(&entropy)).collect();
    let different: BTreeSet<String> = drawn.iter().map(ToString::to_string).collect();
    assert_eq!(different.len(), drawn.len());
    // 16,000 letters, 800 of each to be expected.
    for letter in ALPHABET {
        let count = drawn.iter().flat_map(|code| code.letters()).filter(|drawn| *drawn == letter).count();
        assert!((640..960).contains(&count), "{} came {count} times", char::from(*letter));
    }
    for code in drawn {
        assert_eq!(code.to_string().parse(), Ok(code));
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(typed: String) {
        if let Ok(code) = typed.parse::<UserCode>() {
            prop_assert_eq!(code.to_string().parse(), Ok(code));
        }
    }

    /// Of whatever happens in whatever order: one decision counts, and one question gets the tokens.
    #[test]
    fn one_winner(steps in proptest::collection::vec((0..3_u8, 0..700_i64), 1..40)) {
        let (mut now, mut device, mut made, mut redeemed) = (0, device(), 0, 0);
        for (step, wait) in steps {
            now += wait / 20;
            let told = match step {
                0 => { let (told, next) = poll(&device, TV, at(now)); device = next; redeemed += u8::from(matches!(told, DevicePoll::Redeemed(_))); continue }
                yes => decided(&device, yes == 1, at(now)),
            };
            device = told.1;
            made += u8::from(told.0 == DeviceDecision::Made);
        }
        prop_assert!(made <= 1 && redeemed <= made);
    }

    #[test]
    fn the_record_reads_back(state in 0..4_u8) {
        let state = match state {
            0 => DeviceState::Pending,
            1 => DeviceState::Approved(Box::new(given())),
            2 => DeviceState::Denied,
            _ => DeviceState::Redeemed(grant(4)),
        };
        let one = Device { state, dpop_jkt: Some(key()), asked: Some(at(3)), ..device() };
        let text = serde_json::to_vec(&one).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Device>(&text).unwrap(), one);
    }
}
