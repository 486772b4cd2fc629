use proptest::prelude::*;

use super::*;
use crate::person::Person;

const HOUR: Duration = Duration::from_secs(3600);

fn policy() -> Policy {
    Policy {
        guest: Lifetimes { idle: HOUR, absolute: 24 * HOUR },
        plain: Lifetimes { idle: HOUR / 2, absolute: 12 * HOUR },
        remembered: Lifetimes { idle: 24 * HOUR, absolute: 720 * HOUR },
        app: Lifetimes { idle: 720 * HOUR, absolute: 4320 * HOUR },
        renew_percent: 10,
        data_limit: MAX_DATA,
        per_person: 3,
    }
}

fn at(micros: i64) -> Moment {
    Moment::from_micros(micros)
}

fn origin() -> Origin {
    Origin { device: "Firefox on Linux".into(), agent: 1, address: [127, 0, 0, 1].into() }
}

fn person(number: u8) -> Person {
    Person::new(PersonId::from_bytes([number; 16]), "ann".parse().unwrap(), at(0))
}

fn sign_in(number: u8, now: Moment, remember: bool) -> SignIn {
    let proof = Proof { method: Method::Password, at: now };
    SignIn { person: PersonId::from_bytes([number; 16]), proof, remember }
}

fn session(now: Moment) -> Session {
    let id = SessionId::from_bytes([9; 16]);
    Session::begin(id, Digest::of(b"1"), sign_in(1, now, false), Transport::Cookie, origin(), now, &policy())
}

#[test]
fn time_outs_are_exact_to_the_microsecond() {
    let begun = session(at(0));
    let idle_end = at(0) + HOUR / 2;
    assert_eq!(begun.check(at(idle_end.micros() - 1), &policy()), Standing::Alive);
    assert_eq!(begun.check(idle_end, &policy()), Standing::IdleOut);
    let mut busy = begun.clone();
    busy.used = at(0) + 12 * HOUR - Duration::from_micros(2);
    assert_eq!(busy.check(at((at(0) + 12 * HOUR).micros() - 1), &policy()), Standing::Alive);
    assert_eq!(busy.check(at(0) + 12 * HOUR, &policy()), Standing::Over);
    assert_eq!(busy.expires(&policy()), busy.ends);
}

#[test]
fn a_clock_that_steps_back_ends_nothing_and_moves_nothing() {
    let begun = session(at(10_000_000));
    assert_eq!(begun.check(at(0), &policy()), Standing::Alive);
    assert_eq!(begun.touch(at(0), &policy()), Decision::Leave(()));
    assert!(begun.is_fresh(Duration::from_secs(1), at(0)));
}

#[test]
fn a_use_is_written_once_per_share_of_the_idle_time() {
    let begun = session(at(0));
    let step = at(0) + HOUR / 20;
    assert_eq!(begun.touch(at(step.micros() - 1), &policy()), Decision::Leave(()));
    let Decision::Write(touched, ()) = begun.touch(step, &policy()) else { panic!("worth a write") };
    assert_eq!(touched.used, step);
    assert_eq!(touched.ends, begun.ends, "the absolute end does not slide");
    assert_eq!(touched.touch(step, &policy()), Decision::Leave(()));
    assert_eq!(
        begun.touch(at(0) + HOUR, &policy()),
        Decision::Leave(()),
        "the dead are not touched back to life"
    );
}

#[test]
fn a_guest_becomes_a_person_under_a_new_secret_with_its_data() {
    let id = SessionId::from_bytes([9; 16]);
    let mut guest = Session::guest(id, Digest::of(b"1"), origin(), at(0), &policy());
    guest.data = guest.data.patched(&serde_json::json!({"cart": 1}), None, MAX_DATA).unwrap();
    let next = guest.elevate(Digest::of(b"2"), sign_in(1, at(5), true), at(5), &policy()).unwrap();
    assert!(!next.opens_with(&Digest::of(b"1")) && next.opens_with(&Digest::of(b"2")));
    assert_eq!((next.id, &next.data, next.life), (guest.id, &guest.data, Life::Remembered));
    assert_eq!(next.ends, at(5) + 720 * HOUR);
}

#[test]
fn a_session_of_one_person_never_becomes_anothers() {
    let begun = session(at(0));
    assert_eq!(begun.elevate(Digest::of(b"2"), sign_in(2, at(5), false), at(5), &policy()), None);
    assert!(begun.elevate(Digest::of(b"2"), sign_in(1, at(5), false), at(5), &policy()).is_some());
}

#[test]
fn ending_everything_is_exact() {
    let mut owner = person(1);
    let (before, same, after) = (session(at(9)), session(at(10)), session(at(11)));
    owner.end_everything(at(10));
    let standing = |session: &Session| session.check_with(Some(owner.validity()), at(12), &policy());
    assert_eq!(standing(&before), Standing::Ended);
    assert_eq!(standing(&same), Standing::Ended, "begun in the very moment");
    assert_eq!(standing(&after), Standing::Alive);
    assert_eq!(standing(&before.resting_on(at(10).next())), Standing::Alive, "the one that is kept");
    let mut again = owner.clone();
    again.end_everything(at(5));
    assert_eq!(again.valid_from, at(10), "it never moves back");
    // On a node whose clock is behind that of the one that ended everything.
    assert_eq!(standing(&session(owner.proved_at(at(9)))), Standing::Alive);
    assert_eq!(owner.proved_at(at(10)), at(10), "what is of the same moment is ended");
    assert_eq!(owner.proved_at(at(11)), at(11));
}

#[test]
fn disabled_gone_and_other_people_have_no_living_session() {
    let begun = session(at(0));
    let mut disabled = person(1);
    disabled.disabled = true;
    assert_eq!(begun.check_with(Some(person(1).validity()), at(1), &policy()), Standing::Alive);
    assert_eq!(begun.check_with(Some(disabled.validity()), at(1), &policy()), Standing::Ended);
    assert_eq!(begun.check_with(Some(person(2).validity()), at(1), &policy()), Standing::Ended);
    assert_eq!(begun.check_with(None, at(1), &policy()), Standing::Ended);
}

#[test]
fn the_list_of_sessions_is_bounded_and_forgets_the_dead() {
    let entry = |number: u8, ends| Entry { id: SessionId::from_bytes([number; 16]), ends: at(ends) };
    let roster = Roster::of(PersonId::from_bytes([1; 16]), entry(1, 10));
    let (roster, dropped) = roster.with(entry(2, 100), 3, at(5));
    assert_eq!((roster.entries.len(), dropped.len()), (2, 0));
    let (roster, dropped) = roster.with(entry(3, 100), 3, at(10));
    assert_eq!(roster.entries, [entry(2, 100), entry(3, 100)], "the first has died");
    assert!(dropped.is_empty());
    let (roster, _) = roster.with(entry(4, 200), 3, at(11));
    let (roster, dropped) = roster.with(entry(5, 200), 3, at(11));
    assert_eq!(dropped, [SessionId::from_bytes([2; 16])], "the oldest gives way");
    assert_eq!((roster.entries.len(), roster.death()), (3, at(200)));
}

proptest! {
    /// Whatever the traffic, a session is dead at its absolute end, and a touch never moves that end.
    #[test]
    fn no_traffic_makes_a_session_eternal(steps in prop::collection::vec(0_u64..3_600_000_000, 0..200)) {
        let mut current = session(at(0));
        let mut now = at(0);
        for step in steps {
            now = now + Duration::from_micros(step);
            if let Decision::Write(next, ()) = current.touch(now, &policy()) {
                prop_assert_eq!(current.check(now, &policy()), Standing::Alive);
                prop_assert!(next.used > current.used);
                current = next;
            }
            prop_assert_eq!(current.ends, at(0) + 12 * HOUR);
        }
        prop_assert_ne!(current.check(at(0) + 12 * HOUR, &policy()), Standing::Alive);
    }

    /// Somebody who is active at least once per idle time less one share is never signed out before the absolute end.
    #[test]
    fn the_active_are_not_signed_out(steps in prop::collection::vec(1_u64..1_620_000_000, 0..100)) {
        let mut current = session(at(0));
        let mut now = at(0);
        for step in steps {
            now = now + Duration::from_micros(step);
            if now >= current.ends { break; }
            prop_assert_eq!(current.check(now, &policy()), Standing::Alive);
            if let Decision::Write(next, ()) = current.touch(now, &policy()) { current = next; }
        }
    }
}

#[test]
fn grants_hang_on_a_session_up_to_a_limit() {
    let grant = |number: u8| GrantId::from_bytes([number; 16]);
    let mut full = session(at(0));
    for number in 0..MAX_GRANTS {
        full = full.with_grant(grant(number as u8)).unwrap();
    }
    assert_eq!(full.grants.len(), MAX_GRANTS);
    assert_eq!(full.with_grant(grant(0)).as_ref(), Some(&full), "one that hangs on it already");
    assert_eq!(full.with_grant(grant(200)), None);
    let fewer = full.without_grant(grant(3));
    assert!(!fewer.grants.contains(&grant(3)) && fewer.with_grant(grant(200)).is_some());
}

#[test]
fn what_is_so_for_most_sessions_is_not_written() {
    let most = session(at(1_800_000_000_000_000));
    let text = serde_json::to_string(&most).unwrap();
    for member in ["life", "transport", "agent", "data", "grants"] {
        assert!(!text.contains(&format!("\"{member}\"")), "{text}");
    }
    assert!(text.len() <= 360, "{} bytes: {text}", text.len());
    assert_eq!(serde_json::from_str::<Session>(&text).unwrap(), most);

    let mut other = most.with_grant(GrantId::from_bytes([3; 16])).unwrap();
    other.life = Life::Remembered;
    other.transport = Transport::Url;
    other.origin.agent = 7;
    other.data = other.data.patched(&serde_json::json!({ "a": 1 }), None, MAX_DATA).unwrap();
    let text = serde_json::to_string(&other).unwrap();
    assert_eq!(serde_json::from_str::<Session>(&text).unwrap(), other);
}

#[test]
fn only_what_travels_in_the_address_is_bound_to_its_browser() {
    let begin = |transport| {
        let sign_in = sign_in(1, at(0), false);
        let id = SessionId::from_bytes([9; 16]);
        Session::begin(id, Digest::of(b"1"), sign_in, transport, origin(), at(0), &policy())
    };
    assert_eq!(begin(Transport::Url).origin.agent, 1);
    assert_eq!(begin(Transport::Cookie).origin.agent, 0);
}
