//! The directory's people: found by every name, unique under races, searched, and listed.

use std::sync::Arc;

use gateward_kernel::id::PersonId;
use gateward_kernel::person::{Login, Person};
use gateward_kernel::ports::{Directory, Listener, NotReplaced, PeopleQuery, Taken, Version};
use gateward_kernel::time::Moment;
use parking_lot::Mutex;

use super::{Home, create};

fn person(number: u8, name: &str) -> Person {
    Person::new(PersonId::from_bytes([number; 16]), name.parse().unwrap(), Moment::from_micros(5))
}

fn with_email(number: u8, name: &str, email: &str) -> Person {
    Person { email: Some(gateward_kernel::person::Email::parse(email).unwrap()), ..person(number, name) }
}

async fn names(directory: &Arc<dyn Directory>, query: PeopleQuery) -> Vec<String> {
    let people = directory.people(&query).await.unwrap();
    people.iter().map(|loaded| loaded.record.name.to_string()).collect()
}

fn search(text: &str) -> PeopleQuery {
    PeopleQuery { search: Some(text.into()), after: None, limit: 10 }
}

on_both_engines!(
    a_person_is_kept_whole_and_found_by_every_name,
    what_must_be_unique_is_refused_for_what_is_taken,
    a_replace_is_exact,
    of_twenty_racing_creates_of_one_name_one_wins,
    people_are_listed_in_order_in_parts_and_by_what_they_hold,
    a_group_has_members_while_one_of_them_may_come_in,
    changed_people_are_told_and_records_are_not,
);

async fn a_person_is_kept_whole_and_found_by_every_name(home: Home) {
    let directory = home.open().await.directory;
    let mut ann = with_email(1, "Ann", "Ann@Example.com");
    ann.display_name = Some("Ann Example".into());
    ann.groups = vec!["admins".into(), "staff".into()];
    ann.claims.insert("floor".into(), serde_json::json!({"number": 3}));
    let version = directory.create_person(&ann).await.unwrap().unwrap();
    let logins = [Login::read("ann"), Login::read(" ANN "), Login::read("ann@example.COM")];
    for login in logins {
        let found = directory.person_by_login(&login).await.unwrap().unwrap();
        assert_eq!((found.record, found.version), (ann.clone(), version), "{login:?}");
    }
    assert_eq!(directory.person(ann.id).await.unwrap().unwrap().record, ann);
    assert!(directory.person(PersonId::from_bytes([9; 16])).await.unwrap().is_none());
    assert!(directory.person_by_login(&Login::read("bob")).await.unwrap().is_none());
    assert!(directory.remove_person(ann.id).await.unwrap());
    assert!(!directory.remove_person(ann.id).await.unwrap());
    assert!(directory.person_by_login(&Login::read("ann")).await.unwrap().is_none());
    directory.create_person(&person(2, "ann")).await.unwrap().unwrap();
}

async fn what_must_be_unique_is_refused_for_what_is_taken(home: Home) {
    let directory = home.open().await.directory;
    directory.create_person(&with_email(1, "scope", "one@example.com")).await.unwrap().unwrap();
    let refused = |person: Person| {
        let directory = directory.clone();
        async move { directory.create_person(&person).await.unwrap().err() }
    };
    assert_eq!(refused(person(2, "SCOPE")).await, Some(Taken::Name));
    assert_eq!(refused(person(2, "ѕсоре")).await, Some(Taken::LookAlike), "Cyrillic letters");
    assert_eq!(refused(with_email(2, "two", "ONE@example.com")).await, Some(Taken::Email));
    assert_eq!(directory.people(&search("")).await.unwrap().len(), 1);
    // Plain names that share a skeleton are no look-alikes; one that is not plain, in either order, is.
    assert_eq!(person(0, "e1f").name.skeleton(), person(0, "elf").name.skeleton());
    assert_eq!(refused(person(3, "e1f")).await, None);
    assert_eq!(refused(person(4, "elf")).await, None);
    assert_eq!(refused(person(5, "сор")).await, None, "Cyrillic alone");
    assert_eq!(refused(person(6, "cop")).await, Some(Taken::LookAlike), "the plain one comes second");
}

async fn a_replace_is_exact(home: Home) {
    let directory = home.open().await.directory;
    let ann = with_email(1, "ann", "ann@example.com");
    let first = directory.create_person(&ann).await.unwrap().unwrap();
    directory.create_person(&with_email(2, "cop", "cop@example.com")).await.unwrap().unwrap();
    let same = directory.replace_person(&ann, first).await.unwrap().unwrap();
    assert!(same > first, "one's own name and address are free for oneself");
    let stale = directory.replace_person(&ann, first).await.unwrap();
    assert_eq!(stale, Err(NotReplaced::Stale));
    let absent = directory.replace_person(&person(3, "cid"), first).await.unwrap();
    assert_eq!(absent, Err(NotReplaced::Absent));
    for (taker, taken) in [
        (with_email(1, "Cop", "ann@example.com"), Taken::Name),
        (person(1, "сор"), Taken::LookAlike),
        (with_email(1, "ann", "cop@example.com"), Taken::Email),
    ] {
        let answer = directory.replace_person(&taker, same).await.unwrap();
        assert_eq!(answer, Err(NotReplaced::Taken(taken)));
    }
    assert_eq!(directory.person(ann.id).await.unwrap().unwrap().version, same, "nothing changed");
    let renamed = person(1, "anna");
    directory.replace_person(&renamed, same).await.unwrap().unwrap();
    directory.create_person(&with_email(4, "ann", "ann@example.com")).await.unwrap().unwrap();
}

async fn of_twenty_racing_creates_of_one_name_one_wins(home: Home) {
    // Two engines, as two processes are.
    let directories = [home.open().await.directory, home.open().await.directory];
    for (round, spellings) in [["ann", "ANN"], ["straße", "STRASSE"], ["scope", "ѕсоре"]].iter().enumerate()
    {
        let racers = (0..20_u8).map(|number| {
            let directory = directories[usize::from(number) % 2].clone();
            let name = spellings[usize::from(number / 2) % 2];
            let racer = person(round as u8 * 20 + number, name);
            async move { directory.create_person(&racer).await.unwrap() }
        });
        let answers = racers.collect::<tokio::task::JoinSet<_>>().join_all().await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{spellings:?}");
        assert!(answers.iter().all(|answer| *answer != Err(Taken::Email)));
    }
    let emails = (0..20_u8).map(|number| {
        let directory = directories[usize::from(number) % 2].clone();
        let racer = with_email(100 + number, &format!("racer{number}"), "same@example.com");
        async move { directory.create_person(&racer).await.unwrap() }
    });
    let answers = emails.collect::<tokio::task::JoinSet<_>>().join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == Err(Taken::Email)).count(), 19);
}

async fn people_are_listed_in_order_in_parts_and_by_what_they_hold(home: Home) {
    let directory = home.open().await.directory;
    let mut ann = with_email(1, "Ann", "ann_1@example.com");
    ann.display_name = Some("Ännchen 100%".into());
    for somebody in
        [person(4, "Dora"), ann, person(2, "bob"), with_email(3, "cid", "c@other.example"), person(5, "李雷")]
    {
        directory.create_person(&somebody).await.unwrap().unwrap();
    }
    let part = |after: Option<&str>, limit| PeopleQuery { search: None, after: after.map(Into::into), limit };
    assert_eq!(names(&directory, part(None, 2)).await, ["Ann", "bob"]);
    assert_eq!(names(&directory, part(Some("bob"), 2)).await, ["cid", "Dora"]);
    assert_eq!(names(&directory, part(Some("dora"), 9)).await, ["李雷"]);
    assert_eq!(names(&directory, part(Some("李雷"), 9)).await, [""; 0]);
    for (text, expected) in [
        ("ANN", vec!["Ann"]),
        ("änN", vec!["Ann"]),
        ("a\u{308}nn", vec!["Ann"]),
        ("EXAMPLE", vec!["Ann", "cid"]),
        ("other", vec!["cid"]),
        ("雷", vec!["李雷"]),
        ("100%", vec!["Ann"]),
        ("%", vec!["Ann"]),
        ("n_1", vec!["Ann"]),
        ("_", vec!["Ann"]),
        ("\\", vec![]),
        ("' OR 1=1 --", vec![]),
        (&"x".repeat(100_000), vec![]),
        ("", vec!["Ann", "bob", "cid", "Dora", "李雷"]),
    ] {
        assert_eq!(names(&directory, search(text)).await, expected, "{text}");
    }
    let both = PeopleQuery { search: Some("example".into()), after: Some("ann".into()), limit: 9 };
    assert_eq!(names(&directory, both).await, ["cid"]);
}

async fn a_group_has_members_while_one_of_them_may_come_in(home: Home) {
    let directory = home.open().await.directory;
    let has = |group: &'static str| {
        let directory = directory.clone();
        async move { directory.group_has_members(group).await.unwrap() }
    };
    assert!(!has("admins").await);
    let mut ann = Person { groups: vec!["admins".into(), "staff".into()], ..person(1, "ann") };
    let version = directory.create_person(&ann).await.unwrap().unwrap();
    assert!(has("admins").await && has("staff").await && !has("admin").await && !has("Admins").await);
    ann.disabled = true;
    let version = directory.replace_person(&ann, version).await.unwrap().unwrap();
    assert!(!has("admins").await);
    ann.disabled = false;
    ann.groups = vec!["staff".into()];
    directory.replace_person(&ann, version).await.unwrap().unwrap();
    assert!(!has("admins").await && has("staff").await);
    directory.remove_person(ann.id).await.unwrap();
    assert!(!has("staff").await);
}

/// Kind, id and version.
type Heard = (String, Vec<u8>, Option<Version>);

#[derive(Default)]
struct Ear(Mutex<Vec<Heard>>);

impl Listener for Ear {
    fn changed(&self, kind: &str, id: &[u8], version: Option<Version>) {
        self.0.lock().push((kind.into(), id.into(), version));
    }
    fn lost(&self) {}
    fn restored(&self) {}
}

async fn changed_people_are_told_and_records_are_not(home: Home) {
    let (here, there) = (home.open().await, home.open().await);
    let (own, other) = (Arc::new(Ear::default()), Arc::new(Ear::default()));
    here.directory.changes(own.clone());
    there.directory.changes(other.clone());
    create(&here.kv, "a").await.unwrap();
    let ann = person(1, "ann");
    let first = here.directory.create_person(&ann).await.unwrap().unwrap();
    let second = here.directory.replace_person(&ann, first).await.unwrap().unwrap();
    here.directory.create_person(&person(2, "Ann")).await.unwrap().unwrap_err();
    here.directory.remove_person(ann.id).await.unwrap();
    let id = ann.id.as_bytes().to_vec();
    let expected: Vec<_> = [first, second, Version(second.0 + 1)]
        .into_iter()
        .map(|version| ("person".to_owned(), id.clone(), Some(version)))
        .collect();
    assert_eq!(*own.0.lock(), expected, "before the answer");
    let heard = tokio::time::timeout(std::time::Duration::from_secs(1), async {
        while other.0.lock().len() < 3 {
            tokio::task::yield_now().await;
        }
    });
    heard.await.expect("within a second");
    assert_eq!(*other.0.lock(), expected);
}
