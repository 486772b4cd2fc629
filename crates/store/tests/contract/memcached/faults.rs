//! Lines that are cut or silent, servers that are killed or paused, and somebody else on the port.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gateward_engines::{Memcached as Server, Proxy};
use gateward_kernel::ports::{Created, FaultKind, Kv, Listener, Replaced, Version};
use gateward_store::memcached::{Memcached, MemcachedError, MemcachedOptions};

use super::{LONG, PATIENCE, impatient, key, open_impatient, try_open, until_it_answers};
use crate::{LATE, create};

/// Whatever is asked, it is a fault, in time, and nothing is absent.
async fn everything_is_a_fault(kv: &dyn Kv, id: &str, version: Version) {
    for _ in 0..3 {
        let begun = Instant::now();
        let faults = [
            kv.get(&key(id)).await.map(|found| format!("{found:?}")),
            kv.create(&key(id), "new".into(), LATE).await.map(|created| format!("{created:?}")),
            kv.replace(&key(id), version, "new".into(), LATE).await.map(|replaced| format!("{replaced:?}")),
            kv.remove(&key(id)).await.map(|removed| format!("{removed:?}")),
        ];
        // Four calls, each within its patience.
        assert!(begun.elapsed() < PATIENCE * 4 + PATIENCE, "{:?}", begun.elapsed());
        for fault in faults {
            let kind = fault.unwrap_err().kind;
            assert!(matches!(kind, FaultKind::Unavailable | FaultKind::TimedOut), "{kind:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_line_is_a_fault_and_heals() {
    let server = Server::start();
    let proxy = Proxy::to(server.addr());
    let memcached = open_impatient(&format!("memcached://{}", proxy.addr())).await;
    let kv = memcached.kv();
    let version = create(&kv, "a").await.unwrap();
    for _ in 0..2 {
        proxy.cut();
        everything_is_a_fault(&*kv, "a", version).await;
        assert!(kv.ping().await.is_err());
        proxy.heal();
        let stored = until_it_answers(async || kv.get(&key("a")).await).await.unwrap();
        assert_eq!((stored.version, &stored.value[..]), (version, &b"a"[..]));
        until_it_answers(async || kv.ping().await).await;
    }
    // Reads survive a line that is closed between two of them.
    for _ in 0..20 {
        proxy.hang_up();
        assert!(kv.get(&key("a")).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_a_fault_and_heals() {
    let server = Server::start();
    let proxy = Proxy::to(server.addr());
    let memcached = open_impatient(&format!("memcached://{}", proxy.addr())).await;
    let kv = memcached.kv();
    let version = create(&kv, "a").await.unwrap();
    proxy.silence();
    everything_is_a_fault(&*kv, "a", version).await;
    proxy.heal();
    // What was held back may arrive now: the state is the old or the new one, or it is removed, and is the same from then on.
    let settled = until_it_answers(async || kv.get(&key("a")).await).await;
    match settled {
        Some(stored) => assert!(stored.value == "a" || stored.value == "new", "{stored:?}"),
        None => assert!(matches!(
            until_it_answers(async || kv.replace(&key("a"), version, "old".into(), LATE).await).await,
            Replaced::Absent
        )),
    }
    until_it_answers(async || kv.create(&key("b"), "b".into(), LATE).await).await;
    assert_eq!(until_it_answers(async || kv.get(&key("b")).await).await.unwrap().value, "b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_server_is_a_fault_and_goes_on() {
    let server = Server::start();
    let memcached = open_impatient(&server.url()).await;
    let kv = memcached.kv();
    let version = create(&kv, "a").await.unwrap();
    server.pause();
    // It may still answer until the signal has reached it.
    let (fault, took) = loop {
        let begun = Instant::now();
        if let Err(fault) = kv.get(&key("a")).await {
            break (fault, begun.elapsed());
        }
    };
    assert_eq!(fault.kind, FaultKind::TimedOut, "{fault}");
    assert!(took >= PATIENCE && took < PATIENCE * 3, "{took:?}");
    // Connections are accepted by the system, and nobody speaks.
    let fault = until_unavailable(&*kv).await;
    assert!(fault.contains("no answer for"), "{fault}");
    server.resume();
    let stored = until_it_answers(async || kv.get(&key("a")).await).await.unwrap();
    assert_eq!(stored.version, version);
}

async fn until_unavailable(kv: &dyn Kv) -> String {
    let found = async {
        loop {
            let fault = kv.get(&key("a")).await.unwrap_err();
            if fault.kind == FaultKind::Unavailable {
                break fault.cause;
            }
        }
    };
    tokio::time::timeout(LONG, found).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_comes_back_empty_and_nothing_old_with_it() {
    let mut server = Server::start();
    let memcached = open_impatient(&server.url()).await;
    let kv = memcached.kv();
    let mut last = Version(0);
    for number in 0..100 {
        last = create(&kv, &number.to_string()).await.unwrap();
    }
    server.kill();
    everything_is_a_fault(&*kv, "99", last).await;
    // Versions tell runs apart by the second of their start.
    let seconds = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let until = seconds() + 2;
    while seconds() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.restart();
    let found = until_it_answers(async || kv.get(&key("99")).await).await;
    assert_eq!(found, None, "it is lost");
    assert_eq!(kv.replace(&key("99"), last, "old".into(), LATE).await.unwrap(), Replaced::Absent);
    assert_eq!(kv.remove(&key("99")).await.unwrap(), None);
    // As many new states as before: their numbers are the same, and their versions are not.
    let mut again = Version(0);
    for number in 0..100 {
        again = create(&kv, &number.to_string()).await.unwrap();
    }
    assert!(again > last);
    assert_eq!(kv.replace(&key("99"), last, "old".into(), LATE).await.unwrap(), Replaced::Stale);
    assert_eq!(kv.get(&key("99")).await.unwrap().unwrap().value, "99");
    assert!(matches!(kv.replace(&key("99"), again, "new".into(), LATE).await.unwrap(), Replaced::Done(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_records_of_a_server_that_is_away_are_nowhere_else() {
    let servers = [Server::start(), Server::start(), Server::start()];
    let proxies = servers.each_ref().map(|server| Proxy::to(server.addr()));
    let url = format!("memcached://{},{},{}", proxies[0].addr(), proxies[1].addr(), proxies[2].addr());
    let memcached = open_impatient(&url).await;
    let kv = memcached.kv();
    let ids: Vec<String> = (0..60).map(|number| number.to_string()).collect();
    let mut versions = Vec::new();
    for id in &ids {
        versions.push(create(&kv, id).await.unwrap());
    }
    proxies[1].cut();
    let mut away = Vec::new();
    for (id, version) in ids.iter().zip(&versions) {
        match kv.get(&key(id)).await {
            Ok(found) => assert_eq!(found.unwrap().version, *version),
            Err(_) => away.push((id, *version)),
        }
    }
    assert!((5..40).contains(&away.len()), "{} of 60 are away", away.len());
    for (id, version) in &away {
        assert!(kv.create(&key(id), "elsewhere".into(), LATE).await.is_err());
        assert!(kv.replace(&key(id), *version, "elsewhere".into(), LATE).await.is_err());
        assert!(kv.remove(&key(id)).await.is_err());
    }
    kv.ping().await.unwrap();
    // Another handle that is opened meanwhile comes to the same.
    let other = open_impatient(&url).await.kv();
    assert!(other.get(&key(away[0].0)).await.is_err());
    proxies[1].heal();
    for (id, version) in &away {
        let stored = until_it_answers(async || kv.get(&key(id)).await).await.unwrap();
        assert_eq!((stored.version, stored.value), (*version, id.as_bytes().to_vec().into()), "as it was");
        assert_eq!(until_it_answers(async || other.get(&key(id)).await).await.unwrap().version, *version);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_is_lost_is_a_fault_and_is_not_repeated() {
    let server = Server::start();
    let proxy = Proxy::to(server.addr());
    let direct = open_impatient(&server.url()).await.kv();
    let mut faults = 0;
    for round in 0..10 {
        let memcached = open_impatient(&format!("memcached://{}", proxy.addr())).await;
        let kv = memcached.kv();
        let ear = Arc::new(Ear::default());
        kv.changes(ear.clone());
        let id = format!("round {round}");
        create(&kv, &format!("{id} warm")).await.unwrap();
        proxy.delay(Duration::from_millis(30));
        let version = create(&direct, &id).await.unwrap();
        let key = key(&id);
        let (written, ()) = tokio::join!(kv.replace(&key, version, "once".into(), LATE), async {
            // The question has arrived when the state has changed; the answer is on its way.
            let arrived = async { while direct.get(&key).await.unwrap().unwrap().version == version {} };
            tokio::time::timeout(LONG, arrived).await.unwrap();
            proxy.hang_up();
        });
        proxy.heal();
        let after = direct.get(&key).await.unwrap().unwrap();
        match written {
            Ok(Replaced::Done(version)) => assert_eq!(version, after.version, "the answer was faster"),
            Ok(other) => panic!("{other:?}: it was written twice"),
            Err(fault) => {
                faults += 1;
                assert!(fault.cause.contains("not known"), "{fault}");
                // Whoever remembers a state is told that it may be an old one.
                assert_eq!(ear.0.lock().unwrap().last(), Some(&(id.clone().into_bytes(), None)));
            }
        }
        assert_eq!(after.value, "once");
    }
    assert!(faults > 0, "no answer was lost");
}

/// What was told.
#[derive(Default)]
struct Ear(Mutex<Vec<Told>>);

type Told = (Vec<u8>, Option<Version>);

impl Listener for Ear {
    fn changed(&self, _: &str, id: &[u8], version: Option<Version>) {
        self.0.lock().unwrap().push((id.to_vec(), version));
    }

    fn lost(&self) {}

    fn restored(&self) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_on_the_port_is_told_apart() {
    let unfit = async |says: &'static [u8]| {
        let address = speaker(says);
        try_open(&format!("memcached://{address}"), impatient()).await.map(|_: Memcached| ()).unwrap_err()
    };
    for says in
        [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"-ERR unknown command\r\n", b"\x15\x03\x01\x00\x02\x02\n"]
    {
        let error = unfit(says).await;
        assert!(matches!(&error, MemcachedError::Unfit { .. }), "{error}");
        assert!(error.to_string().contains("does not answer as Memcached does"), "{error}");
    }
    let error = unfit(b"VERSION 1.5.22\r\n").await;
    assert!(error.to_string().contains("1.5.22") && error.to_string().contains("oldest"), "{error}");
    let error = unfit(b"").await;
    assert!(matches!(&error, MemcachedError::Away(words) if words.contains("no answer")), "{error}");
    let nobody = format!("memcached://127.0.0.1:{}", gateward_engines::free_port());
    let error = try_open(&nobody, impatient()).await.unwrap_err();
    assert!(matches!(&error, MemcachedError::Away(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_instead_of_answers_is_a_fault() {
    for nonsense in ["HELLO\r\n", "MN\r\n", "VA 5\r\n", "VA 2 c1\r\nxyz\r\n", "HD c1\r\nHD c2\r\nHD c3\r\n"] {
        let greeting = "VERSION 1.6.18\r\nSTAT time 1800000000\r\nSTAT uptime 5\r\nEND\r\nSTAT cas_enabled yes\r\nEND\r\n";
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                for line in lines.map_while(Result::ok) {
                    let words = match line.as_str() {
                        "version" => greeting,
                        line if line.starts_with('m') => nonsense,
                        _ => "",
                    };
                    if stream.write_all(words.as_bytes()).is_err() {
                        break;
                    }
                }
            }
        });
        let one = MemcachedOptions { connections: 1, ..impatient() };
        let kv = try_open(&format!("memcached://{address}"), one).await.unwrap().kv();
        let fault = kv.get(&key("a")).await.unwrap_err();
        assert!(matches!(fault.kind, FaultKind::Unavailable | FaultKind::TimedOut), "{nonsense:?}: {fault}");
        let created = kv.create(&key("a"), "a".into(), LATE).await;
        let is_believable = nonsense.starts_with("HD c1") && matches!(created, Ok(Created::Done(_)));
        assert!(created.is_err() || is_believable, "{nonsense:?}: {created:?}");
    }
}

/// Says something to everybody, and listens to nobody.
fn speaker(says: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _gone = stream.write_all(says);
            open.push(stream);
        }
    });
    address
}
