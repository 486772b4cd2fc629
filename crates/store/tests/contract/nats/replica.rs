//! Replicated: every node holds every record, and goes on reading when the engine is away.

use gateward_engines::Proxy;
use gateward_kernel::ports::Stored;
use gateward_kernel::record::Book;

use super::feed::{NOW, text, write};
use super::*;

/// How long memory answers without a feed in these tests.
const ENDURANCE: Duration = Duration::from_secs(5);

fn replicated(nats: &Nats, budget: usize) -> Book<Note> {
    Book::replicated(nats.kv(), budget, ENDURANCE, Arc::new(Wall))
}

fn id(number: u16) -> SessionId {
    let mut bytes = [7; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(bytes)
}

async fn fill(book: &Book<Note>, numbers: std::ops::Range<u16>) {
    for number in numbers {
        book.create(Note { id: id(number), text: number.to_string() }, NOW).await.unwrap().unwrap();
    }
}

fn entries(book: &Book<Note>) -> usize {
    book.near().unwrap().figures().entries
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_in_memory_and_follows() {
    let server = Server::start();
    let (here, there) = (open(&server.url()).await, open(&server.url()).await);
    let writer = Book::<Note>::new(there.kv());
    fill(&writer, 0..300).await;
    writer.remove(id(0)).await.unwrap().unwrap();
    let book = replicated(&here, 1 << 20);
    within(LONG, "all of them", || async { book.hit(&id(299), NOW).is_some() }).await;
    within(LONG, "all of them", || async { entries(&book) == 299 }).await;
    assert!((1..300).all(|number| book.hit(&id(number), NOW).unwrap().record.text == number.to_string()));
    fill(&writer, 300..310).await;
    write(&writer, id(5), "changed").await;
    writer.remove(id(6)).await.unwrap().unwrap();
    within(Duration::from_secs(1), "the changes", || async {
        book.hit(&id(309), NOW).is_some() && book.hit(&id(6), NOW).is_none()
    })
    .await;
    assert_eq!(book.hit(&id(5), NOW).unwrap().record.text, "changed");
    // Own writes are there at once, and so are own removals.
    write(&book, id(7), "own").await;
    assert_eq!(book.hit(&id(7), NOW).unwrap().record.text, "own");
    fill(&book, 310..330).await;
    for number in 310..330 {
        assert!(book.hit(&id(number), NOW).is_some(), "{number}");
        book.remove(id(number)).await.unwrap().unwrap();
        assert!(book.hit(&id(number), NOW).is_none(), "ended stays ended");
    }
    assert_eq!(book.near().unwrap().figures().evictions, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_record_is_never_brought_back_by_its_own_echo() {
    let server = Server::start();
    let nats = open(&server.url()).await;
    let book = replicated(&nats, 1 << 20);
    within(LONG, "it is loaded", || async { book.near().unwrap().figures().whole }).await;
    let mut racers = tokio::task::JoinSet::new();
    for number in 0..50 {
        let book = book.clone();
        racers.spawn(async move {
            for _ in 0..10 {
                book.create(Note { id: id(number), text: "x".into() }, NOW).await.unwrap().unwrap();
                write(&book, id(number), "y").await;
                assert_eq!(book.hit(&id(number), NOW).unwrap().record.text, "y");
                book.remove(id(number)).await.unwrap().unwrap();
                for _ in 0..20 {
                    assert!(book.hit(&id(number), NOW).is_none(), "ended stays ended");
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    while let Some(joined) = racers.join_next().await {
        joined.unwrap();
    }
    assert_eq!(entries(&book), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_go_on_while_the_engine_is_away_for_a_while_and_writes_do_not() {
    let server = Server::start();
    let proxy = Proxy::to(server.addr());
    let there = open(&server.url()).await;
    let writer = Book::<Note>::new(there.kv());
    fill(&writer, 0..20).await;
    let nats = open_impatient(&format!("nats://{}", proxy.addr())).await;
    let book = replicated(&nats, 1 << 20);
    within(LONG, "it is loaded", || async { entries(&book) == 20 && book.near().unwrap().figures().whole })
        .await;
    proxy.cut();
    within(LONG, "the cut is noticed", || async { !book.near().unwrap().figures().whole }).await;
    let lost = Instant::now();
    writer.remove(id(1)).await.unwrap().unwrap();
    write(&writer, id(2), "changed").await;
    assert!(book.create(Note { id: id(99), text: "x".into() }, NOW).await.is_err(), "writes are refused");
    assert!(book.remove(id(3)).await.is_err());
    for number in 0..20 {
        assert_eq!(
            text(&book, id(number)).await,
            Some(number.to_string()),
            "as it was: stale, and that is stated"
        );
    }
    assert!(lost.elapsed() < ENDURANCE, "this machine is too slow for this test");
    within(ENDURANCE * 2, "the end of endurance", || async { book.hit(&id(4), NOW).is_none() }).await;
    assert!(lost.elapsed() >= ENDURANCE - Duration::from_millis(100), "{:?}", lost.elapsed());
    assert!(book.load(id(4), NOW).await.is_err(), "from then on it is a fault, and never absent");
    proxy.heal();
    within(LONG, "it is back", || async { book.near().unwrap().figures().whole }).await;
    assert!(book.hit(&id(1), NOW).is_none(), "what ended meanwhile has ended");
    assert_eq!(book.hit(&id(2), NOW).unwrap().record.text, "changed");
    assert_eq!(entries(&book), 19);
}

#[tokio::test(flavor = "multi_thread")]
async fn short_cuts_hide_nothing_and_lose_nothing() {
    let server = Server::start();
    let proxy = Proxy::to(server.addr());
    let there = open(&server.url()).await;
    let writer = Book::<Note>::new(there.kv());
    fill(&writer, 0..50).await;
    let nats = open(&format!("nats://{}", proxy.addr())).await;
    let book = replicated(&nats, 1 << 20);
    let whole = || async { book.near().unwrap().figures().whole };
    within(LONG, "it is loaded", whole).await;
    for round in 0..10_u16 {
        proxy.cut();
        within(LONG, "the cut is noticed", || async { !whole().await }).await;
        writer.remove(id(round)).await.unwrap().unwrap();
        write(&writer, id(20 + round), &format!("round {round}")).await;
        fill(&writer, 50 + round..51 + round).await;
        proxy.heal();
        within(LONG, "it is back", whole).await;
        assert!(book.hit(&id(round), NOW).is_none());
        assert_eq!(book.hit(&id(20 + round), NOW).unwrap().record.text, format!("round {round}"));
        assert_eq!(entries(&book), 50);
    }
}

/// Counts what it is loaded with.
#[derive(Default)]
struct Holder(Mutex<Vec<(bool, usize)>>);

impl Listener for Holder {
    fn changed(&self, _: &str, _: &[u8], _: Option<Version>) {}
    fn lost(&self) {}
    fn restored(&self) {}
    fn holds_all(&self) -> bool {
        true
    }
    fn loading(&self, anew: bool) {
        self.0.lock().push((anew, 0));
    }
    fn present(&self, _: &str, _: &[u8], _: &Stored) {
        if let Some((_, count)) = self.0.lock().last_mut() {
            *count += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_short_cut_only_changes_are_loaded() {
    let server = Server::start();
    let proxy = Proxy::to(server.addr());
    let there = open(&server.url()).await;
    let writer = Book::<Note>::new(there.kv());
    fill(&writer, 0..100).await;
    let nats = open(&format!("nats://{}", proxy.addr())).await;
    let (holder, ear) = (Arc::new(Holder::default()), Ear::on(&nats.kv()));
    nats.kv().changes(holder.clone());
    for round in 0..20_u16 {
        within(LONG, "it is loaded", || async { ear.ends_with("restored") }).await;
        proxy.cut();
        within(LONG, "the cut is noticed", || async { ear.ends_with("lost") }).await;
        fill(&writer, 100 + round..101 + round).await;
        proxy.heal();
    }
    within(LONG, "it is loaded", || async { ear.ends_with("restored") }).await;
    let loadings = holder.0.lock().clone();
    assert_eq!(loadings[0], (true, 100), "at first everything: {loadings:?}");
    let resumed: Vec<_> = loadings.iter().filter(|(anew, _)| !anew).collect();
    // A beat under way when the line is cut has taken the place of the message to go on from.
    assert!(resumed.len() >= 10 && resumed.iter().all(|(_, count)| *count <= 2), "{loadings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_was_made_anew_is_loaded_anew() {
    let mut server = Server::start();
    let nats = open_impatient(&server.url()).await;
    let book = replicated(&nats, 1 << 20);
    fill(&book, 0..10).await;
    within(LONG, "it is loaded", || async { entries(&book) == 10 }).await;
    server.kill();
    std::fs::remove_dir_all(server.dir().join("data")).unwrap();
    server.restart();
    // Another node makes the bucket again, and writes as many messages as there were.
    let other = open(&server.url()).await;
    let writer = Book::<Note>::new(other.kv());
    fill(&writer, 100..130).await;
    within(LONG, "it is loaded", || async {
        book.hit(&id(129), NOW).is_some() && book.near().unwrap().figures().whole
    })
    .await;
    assert_eq!(entries(&book), 30, "nothing of before is believed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_room_is_read_from_the_engine() {
    let server = Server::start();
    let there = open(&server.url()).await;
    let writer = Book::<Note>::new(there.kv());
    fill(&writer, 0..1000).await;
    let nats = open(&server.url()).await;
    // Room for about two records in each of 256 parts.
    let book = replicated(&nats, 256 * 220);
    within(LONG, "it is loaded", || async { book.near().unwrap().figures().whole && entries(&book) > 200 })
        .await;
    let figures = book.near().unwrap().figures();
    assert!(figures.evictions > 0 && figures.entries < 600, "{figures:?}");
    for number in 0..1000 {
        assert_eq!(text(&book, id(number)).await, Some(number.to_string()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_bucket_is_listed_and_loaded() {
    let server = Server::start();
    let nats = open(&server.url()).await;
    let writer = Book::<Note>::new(nats.kv());
    let mut racers = tokio::task::JoinSet::new();
    for part in 0..20_u16 {
        let writer = writer.clone();
        racers.spawn(async move { fill(&writer, part * 250..part * 250 + 250).await });
    }
    while let Some(joined) = racers.join_next().await {
        joined.unwrap();
    }
    let (mut after, mut seen) = (None, 0);
    loop {
        let (notes, next) = writer.page(after, 700, NOW).await.unwrap();
        for note in notes {
            assert_eq!(note.record.id, id(seen));
            seen += 1;
        }
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, 5000);
    let book = replicated(&open(&server.url()).await, 64 << 20);
    within(LONG, "all of them", || async { entries(&book) == 5000 }).await;
}
