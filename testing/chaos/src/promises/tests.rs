//! Each promise is seen kept, and seen broken.

use super::*;

/// A history in which each operation takes half of its second.
#[derive(Default)]
struct Told(Vec<Operation>);

impl Told {
    fn created() -> Told {
        Told::default().then(Kind::Create, |one| one.secret = 0)
    }

    /// What session 7 of person 1 was answered next; with success unless it is changed.
    fn then(mut self, kind: Kind, change: impl Fn(&mut Operation)) -> Told {
        let at = (self.0.len() as u64 + 1) * 1_000_000;
        let mut one = Operation::new(kind, if kind == Kind::EndAll { -1 } else { 7 }, 1);
        (one.number, one.outcome, one.secret) = (self.0.len(), Outcome::Ok, 0);
        (one.since, one.call, one.returned) = (at, at, at + 500_000);
        one.expected_name = ("person1".into(), "id".into());
        change(&mut one);
        self.0.push(one);
        self
    }

    fn accepted(self) -> Told {
        self.then(Kind::Check, |one| one.named = Some(("person1".into(), "id".into())))
    }

    fn refused(self) -> Told {
        self.then(Kind::Check, |one| (one.outcome, one.status) = (Outcome::No, 401))
    }

    fn wrote(self, expected: i64, version: i64) -> Told {
        self.then(Kind::Write, |one| (one.expected, one.version) = (expected, version))
    }

    fn refreshed(self, used: &str, given: &str) -> Told {
        self.then(Kind::Refresh, |one| one.tokens = Some((used.into(), Some(given.into()))))
    }

    fn holds(self) {
        assert_eq!(broken(&self.0), []);
    }

    /// The last operation shows it.
    fn breaks(self, promise: Promise) {
        assert_eq!(broken(&self.0), [Broken { promise, session: 7, number: self.0.len() - 1 }]);
    }
}

fn unknown(one: &mut Operation) {
    one.outcome = Outcome::Unknown;
}

#[test]
fn a_session_that_nobody_ended_is_never_refused() {
    use Promise::NoAcknowledgedSessionLost as Lost;
    Told::created().accepted().wrote(0, 1).accepted().holds();
    Told::created().then(Kind::Check, |one| (one.outcome, one.status) = (Outcome::Unknown, 503)).holds();
    Told::created().refused().breaks(Lost);
    Told::created().accepted().refused().breaks(Lost);
    Told::created().then(Kind::Write, |one| (one.outcome, one.status) = (Outcome::No, 401)).breaks(Lost);
    // Whoever was asked to end it may have done so; who was not there has not.
    for kind in [Kind::End, Kind::SignOut, Kind::EndAll] {
        Told::created().then(kind, unknown).refused().holds();
        Told::created().then(kind, |one| one.outcome = Outcome::No).refused().breaks(Lost);
    }
    // What was ended before it began was not this one.
    let before = Told::default().then(Kind::EndAll, |_| {});
    before.then(Kind::Create, |one| one.secret = 0).refused().breaks(Lost);
    // Its old secret is refused, its new one is not.
    let elevated = || Told::created().then(Kind::Elevate, |one| one.to = 1);
    elevated().refused().holds();
    let by_new = |one: &mut Operation| (one.secret, one.outcome, one.status) = (1, Outcome::No, 401);
    elevated().then(Kind::Check, by_new).breaks(Lost);
    // At the end everybody has to answer.
    let silent = |one: &mut Operation| (one.outcome, one.last) = (Outcome::Unknown, true);
    Told::created().then(Kind::Check, silent).breaks(Lost);
    Told::created().then(Kind::End, unknown).then(Kind::Check, silent).holds();
}

#[test]
fn what_was_ended_is_never_accepted_again() {
    use Promise::EndedStaysEnded as Ended;
    for kind in [Kind::End, Kind::SignOut, Kind::EndAll] {
        let over = || Told::created().then(kind, |_| {});
        over().refused().holds();
        over().accepted().breaks(Ended);
        over().wrote(0, 1).breaks(Ended);
        over().refreshed("a", "b").breaks(Ended);
        over().then(Kind::Elevate, |one| one.to = 1).breaks(Ended);
        // What memory may still have.
        over().then(Kind::Check, |one| one.since = 2_500_000).holds();
        over().then(Kind::Check, |one| one.since = 2_500_001).breaks(Ended);
        // Written it cannot be.
        over().then(Kind::Write, |one| one.since = 2_500_000).breaks(Ended);
        Told::created().then(kind, unknown).accepted().holds();
    }
    let by_old = |one: &mut Operation| one.secret = 0;
    let elevated = || Told::created().then(Kind::Elevate, |one| one.to = 1);
    elevated().then(Kind::SignOut, by_old).then(Kind::Check, |one| one.secret = 1).holds();
    elevated().then(Kind::End, by_old).then(Kind::Check, |one| one.secret = 1).breaks(Ended);
    // Who signed in while all was ended may stay; who signed in before may not.
    let overlap = |one: &mut Operation| one.call = 1_200_000;
    Told::created().then(Kind::EndAll, overlap).accepted().holds();
    let anothers = |one: &mut Operation| one.person = 2;
    Told::created().then(Kind::EndAll, anothers).accepted().holds();
}

#[test]
fn of_many_one_wins() {
    use Promise::OneWinner as Winner;
    Told::created().wrote(0, 1).wrote(1, 2).wrote(ANY_VERSION, 3).holds();
    Told::created().wrote(0, 1).wrote(0, 2).breaks(Winner);
    Told::created().wrote(0, 1).wrote(ANY_VERSION, 1).breaks(Winner);
    Told::created().refreshed("a", "b").refreshed("a", "b").refreshed("b", "c").holds();
    Told::created().refreshed("a", "b").refreshed("a", "c").breaks(Winner);
}

#[test]
fn every_answer_names_who_signed_in() {
    use Promise::NoSessionOfAnotherPerson as Another;
    for (name, id) in [("person2", "id"), ("person1", "other")] {
        let named = |one: &mut Operation| one.named = Some((name.into(), id.into()));
        Told::created().then(Kind::Check, named).breaks(Another);
    }
    Told::created().then(Kind::Read, |one| one.value = "7-1-1".into()).holds();
    Told::created().then(Kind::Read, |one| one.value = "70-1-1".into()).breaks(Another);
}
