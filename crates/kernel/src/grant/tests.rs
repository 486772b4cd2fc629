use proptest::prelude::*;

use super::*;
use crate::secret::SeededEntropy;

const POLICY: RefreshPolicy = RefreshPolicy {
    grace: Duration::from_secs(30),
    idle: Duration::from_secs(3600),
    absolute: Duration::from_secs(86_400),
};
const START: Moment = Moment::from_micros(1_000_000_000_000);

fn grant() -> Grant {
    let given = Given {
        extent: None,
        person: PersonId::from_bytes([1; 16]),
        client: "app".into(),
        session: None,
        since: START,
        proofs: Vec::new(),
        audience: Audience::of("https://api.example.com").unwrap(),
        scope: "read".parse().unwrap(),
    };
    Grant::begin(GrantId::from_bytes([2; 16]), given, &SeededEntropy::new(1), START, &POLICY)
}

fn keys() -> Keys {
    Keys::new(&RootKey::from_bytes([9; 32]))
}

fn seconds(count: u64) -> Moment {
    START + Duration::from_secs(count)
}

/// Applies a refresh and says how it came out.
fn refresh(grant: &mut Grant, generation: u32, now: Moment) -> Refreshed {
    match grant.refresh(generation, now, &POLICY) {
        Decision::Write(next, answer) => {
            *grant = next;
            answer
        }
        Decision::Leave(answer) => answer,
    }
}

#[test]
fn the_same_successor_within_the_grace_time_and_reuse_after_it() {
    let mut grant = grant();
    assert_eq!(refresh(&mut grant, 0, seconds(10)), Refreshed::Rotated);
    let successor = keys().token(&grant).print();
    for at in [10, 25, 40] {
        assert_eq!(refresh(&mut grant, 0, seconds(at)), Refreshed::Repeated, "{at}");
        assert_eq!(keys().token(&grant).print(), successor);
    }
    let late = seconds(40) + Duration::from_micros(1);
    assert_eq!(refresh(&mut grant, 0, late), Refreshed::Reused);
    assert_eq!(grant.ended, Some((late, Ending::Reused)));
    assert_eq!(refresh(&mut grant, 1, late), Refreshed::Ended);
}

#[test]
fn once_the_successor_is_used_its_predecessor_is_reuse_even_within_the_grace_time() {
    let mut grant = grant();
    assert_eq!(refresh(&mut grant, 0, seconds(1)), Refreshed::Rotated);
    assert_eq!(refresh(&mut grant, 1, seconds(2)), Refreshed::Rotated);
    assert_eq!(refresh(&mut grant, 0, seconds(3)), Refreshed::Reused);
}

#[test]
fn a_generation_that_never_was_changes_nothing() {
    let mut grant = grant();
    let before = grant.clone();
    for generation in [1, 2, u32::MAX] {
        assert_eq!(refresh(&mut grant, generation, seconds(1)), Refreshed::Foreign);
    }
    assert_eq!(grant, before);
}

#[test]
fn unused_ones_die_and_used_ones_die_at_their_end() {
    let mut idle = grant();
    assert_eq!(refresh(&mut idle.clone(), 0, seconds(3600) - Duration::from_micros(1)), Refreshed::Rotated);
    assert_eq!(refresh(&mut idle, 0, seconds(3600)), Refreshed::Expired);
    let mut used = grant();
    for (generation, hour) in (0..47).zip(1..) {
        assert_eq!(refresh(&mut used, generation, seconds(hour * 1800)), Refreshed::Rotated);
    }
    assert_eq!(used.expires(), seconds(86_400));
    assert_eq!(
        refresh(&mut used.clone(), 47, seconds(86_400) - Duration::from_micros(1)),
        Refreshed::Rotated
    );
    assert_eq!(refresh(&mut used, 47, seconds(86_400)), Refreshed::Expired);
}

#[test]
fn a_clock_that_steps_back_ends_nothing() {
    let mut grant = grant();
    assert_eq!(refresh(&mut grant, 0, seconds(100)), Refreshed::Rotated);
    assert_eq!(refresh(&mut grant, 0, seconds(50)), Refreshed::Repeated);
    assert_eq!(refresh(&mut grant, 1, seconds(50)), Refreshed::Rotated);
    assert_eq!(grant.rotated, seconds(100));
}

#[test]
fn it_counts_only_while_its_person_does() {
    let valid = Validity { person: PersonId::from_bytes([1; 16]), from: Moment::DAWN, disabled: false };
    let alive = |validity, now| grant().is_alive(validity, now);
    assert!(alive(Some(valid), START));
    assert!(!alive(None, START));
    assert!(!alive(Some(Validity { disabled: true, ..valid }), START));
    assert!(!alive(Some(Validity { from: START, ..valid }), START));
    let hanging = Grant { session: Some(SessionId::from_bytes([5; 16])), ..grant() };
    assert!(hanging.is_alive(Some(Validity { from: START, ..valid }), START), "its session decides");
    assert!(!hanging.is_alive(Some(Validity { disabled: true, ..valid }), START));
    assert!(!alive(Some(Validity { person: PersonId::from_bytes([3; 16]), ..valid }), START));
    assert!(!alive(Some(valid), seconds(3600)));
    assert!(!grant().end(Ending::Asked, START).is_alive(Some(valid), START));
}

#[test]
fn tokens_belong_to_one_grant_one_seed_one_key() {
    let (mut ours, keys) = (grant(), keys());
    ours.generation = 7;
    let token = keys.token(&ours);
    assert!(keys.made(&token));
    assert_eq!(keys.generation(&ours, &token), Some(7));
    assert_eq!(keys.generation(&Grant { seed: [0; 16], ..ours.clone() }, &token), None);
    assert_eq!(keys.generation(&Grant { id: GrantId::from_bytes([3; 16]), ..ours.clone() }, &token), None);
    assert_eq!(Keys::new(&RootKey::from_bytes([8; 32])).generation(&ours, &token), None);
    let read = RefreshToken::read(token.print().as_bytes()).unwrap();
    assert_eq!(keys.generation(&ours, &read), Some(7));
    let mut older = token.secret.expose().to_owned();
    older[3] = 6;
    let forged = HandleKey::new(&RootKey::from_bytes([9; 32])).handle(ours.id, Secret::from_bytes(older));
    assert!(keys.made(&forged), "the checksum alone does not protect");
    assert_eq!(keys.generation(&ours, &forged), None);
}

proptest! {
    /// Whatever is presented in whatever order: the generation never goes back, an ended grant stays ended, and the
    /// holder of the newest token is refused only after reuse or expiry.
    #[test]
    fn no_history_brings_a_grant_back(steps in prop::collection::vec((0u32..6, 0u64..120), 1..40)) {
        let mut grant = grant();
        let mut now = START;
        let mut ended = None;
        for (generation, wait) in steps {
            now = now + Duration::from_secs(wait);
            let before = grant.clone();
            let answer = refresh(&mut grant, generation, now);
            prop_assert!(grant.generation >= before.generation);
            prop_assert_eq!(answer == Refreshed::Rotated, grant.generation == before.generation + 1);
            if let Some(end) = ended {
                prop_assert_eq!(grant.ended, Some(end));
                prop_assert_eq!(answer, Refreshed::Ended);
            } else if generation == before.generation {
                prop_assert_eq!(answer, Refreshed::Rotated);
            }
            ended = grant.ended;
        }
    }
}

#[test]
fn tokens_of_the_place_before_are_reached_too() {
    let place =
        |index| StatusIndex { list: crate::id::ListId::from_bytes([1; 16]), index, closes: seconds(9) };
    let moved = grant().placed(place(1)).placed(place(2));
    assert_eq!(moved.places().map(|place| place.index).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(grant().places().count(), 0);
}
