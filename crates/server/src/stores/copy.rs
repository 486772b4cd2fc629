//! Copying everything from one store to another: records of every kind, people, audit events, keys.
//!
//! A copy can be made again at any time, also after it was broken off: what is there already and equal is left alone, what differs
//! is written as the source has it. Nothing is taken away from either side.

use gateward_kernel::event::EventQuery;
use gateward_kernel::ports::{
    Created, Directory, Fault, FaultKind, Key, Kv, NotReplaced, PeopleQuery, Replaced, Stored,
};
use gateward_kernel::record::Record;
use gateward_kernel::session::{Roster, Session};
use gateward_kernel::time::Moment;
use gateward_kernel::token::AccessToken;

/// The kinds of records that belong to sessions.
pub const OF_SESSIONS: [&str; 2] = [Session::KIND, Roster::KIND];
/// The kinds of records that belong to opaque access tokens.
pub const OF_TOKENS: [&str; 1] = [AccessToken::KIND];
/// The kinds of records that live with people. Signs of life are not copied: the nodes give new ones.
pub const OF_DIRECTORY: [&str; 10] = [
    "client",
    "registry",
    "consents",
    "grant",
    "cut",
    "status-list",
    "status-block",
    "used-command",
    "bucket",
    "setup",
];

/// So many are read at a time.
const STRETCH: usize = 500;
/// So often is tried again when somebody else writes to the same record.
const ATTEMPTS: usize = 16;

/// What a copy has done so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Looked at.
    pub seen: u64,
    /// Written, because they were missing or different.
    pub written: u64,
    /// Dead by the clock, and left behind.
    pub dead: u64,
}

/// Copies the living records of one kind, tells `progress` after every stretch, and compares each with what is then stored.
pub async fn records(
    from: &dyn Kv,
    to: &dyn Kv,
    kind: &'static str,
    now: Moment,
    mut progress: impl FnMut(Progress),
) -> Result<Progress, Fault> {
    let mut done = Progress::default();
    let mut after: Option<Box<[u8]>> = None;
    loop {
        let page = from.page(kind, after.as_deref(), STRETCH).await?;
        for (id, stored) in page.items {
            done.seen += 1;
            if stored.death <= now {
                done.dead += 1;
                continue;
            }
            done.written += u64::from(record(to, &Key::new(kind, id), &stored).await?);
        }
        progress(done);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(done),
        }
    }
}

/// Makes a record what the source has; whether something had to be written. What was written is read back and compared.
async fn record(to: &dyn Kv, key: &Key, stored: &Stored) -> Result<bool, Fault> {
    let is_same = |there: &Stored| there.value == stored.value && there.death == stored.death;
    let mut written = false;
    for _ in 0..ATTEMPTS {
        match to.get(key).await? {
            Some(there) if is_same(&there) => return Ok(written),
            Some(there) => {
                let replaced = to.replace(key, there.version, stored.value.clone(), stored.death).await?;
                written |= matches!(replaced, Replaced::Done(_));
            }
            None => {
                let created = to.create(key, stored.value.clone(), stored.death).await?;
                written |= matches!(created, Created::Done(_));
            }
        }
    }
    Err(Fault::new(to.traits().engine, FaultKind::Contended, format!("a {} is changed by others", key.kind)))
}

/// Copies everybody.
pub async fn people(
    from: &dyn Directory,
    to: &dyn Directory,
    mut progress: impl FnMut(Progress),
) -> Result<Progress, anyhow::Error> {
    let mut done = Progress::default();
    let mut query = PeopleQuery { limit: STRETCH, ..PeopleQuery::default() };
    loop {
        let page = from.people(&query).await?;
        for loaded in &page {
            done.seen += 1;
            let person = &loaded.record;
            let taken = |taken| {
                anyhow::anyhow!("{:?} of {} is taken at the destination by somebody else", taken, person.name)
            };
            match to.person(person.id).await? {
                Some(there) if there.record == *person => continue,
                Some(there) => match to.replace_person(person, there.version).await? {
                    Ok(_) => {}
                    Err(NotReplaced::Taken(what)) => return Err(taken(what)),
                    Err(NotReplaced::Stale | NotReplaced::Absent) => {
                        anyhow::bail!("{} is changed by others at the destination", person.name)
                    }
                },
                None => {
                    to.create_person(person).await?.map_err(taken)?;
                }
            }
            done.written += 1;
        }
        progress(done);
        match page.last() {
            Some(last) if page.len() == STRETCH => query.after = Some(last.record.name.key().to_owned()),
            _ => return Ok(done),
        }
    }
}

/// Copies the sealed keys of these purposes.
pub async fn keys(from: &dyn Directory, to: &dyn Directory, purposes: &[&str]) -> Result<Progress, Fault> {
    let mut done = Progress::default();
    for purpose in purposes {
        let there = to.sealed_keys(purpose).await?;
        for key in from.sealed_keys(purpose).await? {
            done.seen += 1;
            let written = match there.iter().find(|other| other.id == key.id) {
                Some(other) if *other == key => false,
                Some(_) => to.replace_sealed_key(&key).await?,
                None => to.add_sealed_key(&key).await?,
            };
            done.written += u64::from(written);
        }
    }
    Ok(done)
}

/// Copies audit events, the oldest last. One that is there already, with the same words at the same moment, is the same.
pub async fn events(
    from: &dyn Directory,
    to: &dyn Directory,
    mut progress: impl FnMut(Progress),
) -> Result<Progress, Fault> {
    let tick = std::time::Duration::from_micros(1);
    let mut done = Progress::default();
    let mut query = EventQuery { person: None, fact: None, before: None, limit: STRETCH };
    loop {
        let mut page = from.events(&query).await?;
        let is_last = page.len() < query.limit;
        let oldest = page.last().map(|event| event.at);
        if !is_last && page.first().map(|event| event.at) == oldest {
            // More of one moment than fit: the moment is read as a whole.
            query.limit *= 2;
            continue;
        }
        if !is_last {
            // The oldest moment may go on behind the end of the page: it belongs to the next one.
            page.retain(|event| Some(event.at) != oldest);
        }
        let newest = page.first().map(|event| event.at + tick);
        let there = EventQuery { before: newest, limit: query.limit * 2, ..query.clone() };
        let there = if newest.is_some() { to.events(&there).await? } else { Vec::new() };
        for event in &page {
            done.seen += 1;
            if !there.contains(event) {
                to.record_event(event).await?;
                done.written += 1;
            }
        }
        progress(done);
        if is_last {
            return Ok(done);
        }
        query = EventQuery { before: oldest.map(|at| at + tick), limit: STRETCH, ..query };
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use gateward_kernel::event::{Actor, Event, Fact};
    use gateward_kernel::id::PersonId;
    use gateward_kernel::person::Person;
    use gateward_kernel::ports::SealedKey;
    use gateward_store::{Memory, Sqlite, SqliteOptions};
    use tempfile::TempDir;

    use super::*;

    const NOW: Moment = Moment::from_micros(1_800_000_000_000_000);
    const LATER: Moment = Moment::from_micros(1_900_000_000_000_000);

    fn database() -> (TempDir, Sqlite) {
        let folder = TempDir::new().unwrap();
        let sqlite = Sqlite::open(folder.path().join("test.db"), &SqliteOptions::default()).unwrap();
        (folder, sqlite)
    }

    #[tokio::test]
    async fn records_are_copied_compared_and_made_equal_again() {
        let ((_folder, sqlite), memory) = (database(), Memory::new());
        let from = sqlite.kv();
        for number in 0..1_200_u32 {
            let key = Key::new("grant", number.to_be_bytes());
            let death = if number % 100 == 0 { NOW } else { LATER };
            from.create(&key, number.to_string().into_bytes().into(), death).await.unwrap();
        }
        let mut told = Vec::new();
        let done = records(&*from, &memory, "grant", NOW, |done| told.push(done.seen)).await.unwrap();
        assert_eq!(done, Progress { seen: 1_200, written: 1_188, dead: 12 });
        assert_eq!(told, [500, 1_000, 1_200]);
        // Made again it writes what differs only, and brings a changed death as well.
        let (other, gone) = (Key::new("grant", 7_u32.to_be_bytes()), Key::new("grant", 8_u32.to_be_bytes()));
        let there = memory.get(&other).await.unwrap().unwrap();
        memory.replace(&other, there.version, there.value.clone(), NOW).await.unwrap();
        memory.remove(&gone).await.unwrap();
        let done = records(&*from, &memory, "grant", NOW, |_| {}).await.unwrap();
        assert_eq!(done.written, 2);
        for key in [other, gone] {
            let (left, right) =
                (from.get(&key).await.unwrap().unwrap(), memory.get(&key).await.unwrap().unwrap());
            assert_eq!((left.value, left.death), (right.value, right.death));
        }
        assert_eq!(records(&*from, &memory, "grant", NOW, |_| {}).await.unwrap().written, 0);
        assert_eq!(records(&*from, &memory, "session", NOW, |_| {}).await.unwrap(), Progress::default());
    }

    fn person(number: u32) -> Person {
        let mut id = [0; 16];
        id[12..].copy_from_slice(&number.to_be_bytes());
        Person::new(PersonId::from_bytes(id), format!("person{number:05}").parse().unwrap(), NOW)
    }

    fn event(at: Moment, number: u32) -> Event {
        let mut event = Event::new(at, Fact::SignedIn, Actor::System);
        event.person = Some(person(number).id);
        event.address = Some(IpAddr::from([192, 0, 2, 1]));
        event
    }

    #[tokio::test]
    async fn people_keys_and_events_are_copied_once() {
        let ((_one, from), (_other, to)) = (database(), database());
        let (from, to) = (from.directory(), to.directory());
        for number in 0..501 {
            from.create_person(&person(number)).await.unwrap().unwrap();
        }
        // More of one moment than are read at a time, and equal ones.
        for number in 0..700 {
            from.record_event(&event(NOW, number)).await.unwrap();
        }
        for number in 0..30 {
            from.record_event(&event(LATER, number)).await.unwrap();
        }
        let key =
            |id: &str| SealedKey { purpose: "pepper".into(), id: id.into(), created: NOW, sealed: vec![1] };
        from.add_sealed_key(&key("a")).await.unwrap();
        from.add_sealed_key(&key("b")).await.unwrap();
        to.add_sealed_key(&SealedKey { sealed: vec![2], ..key("b") }).await.unwrap();
        to.create_person(&Person { display_name: Some("old".into()), ..person(3) }).await.unwrap().unwrap();
        for expected in [[501, 730, 2], [0, 0, 0]] {
            let people = people(&*from, &*to, |_| {}).await.unwrap();
            let events = events(&*from, &*to, |_| {}).await.unwrap();
            let keys = keys(&*from, &*to, &["pepper", "signing"]).await.unwrap();
            assert_eq!([people.written, events.written, keys.written], expected);
            assert_eq!([people.seen, events.seen, keys.seen], [501, 730, 2]);
        }
        let all = PeopleQuery { limit: 1_000, ..PeopleQuery::default() };
        let known = |people: Vec<gateward_kernel::record::Loaded<Person>>| -> Vec<Person> {
            people.into_iter().map(|loaded| loaded.record).collect()
        };
        assert_eq!(known(from.people(&all).await.unwrap()), known(to.people(&all).await.unwrap()));
        let all = EventQuery { person: None, fact: None, before: None, limit: 10_000 };
        assert_eq!(to.events(&all).await.unwrap().len(), 730);
        assert_eq!(from.sealed_keys("pepper").await.unwrap(), to.sealed_keys("pepper").await.unwrap());
        // Somebody else has the name there: said, and nothing of theirs is touched.
        let (_third, third) = database();
        let other = Person { id: person(9_999).id, ..person(0) };
        third.directory().create_person(&other).await.unwrap().unwrap();
        let refused = super::people(&*from, &*third.directory(), |_| {}).await.unwrap_err();
        assert!(refused.to_string().contains("is taken"), "{refused}");
    }
}
