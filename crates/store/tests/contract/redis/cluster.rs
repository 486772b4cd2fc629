//! Redis Cluster: keys that move, and masters that are replaced.

use super::*;

/// A name for a record in the slots of the first master, of the second, and of the third.
fn names() -> [String; 3] {
    let slot_of = |name: &str| {
        let sum = format!("gw:test:{name}").bytes().fold(0_u16, |sum, byte| {
            (0..8).fold(sum ^ (u16::from(byte) << 8), |sum, _| {
                if sum & 0x8000 == 0 { sum << 1 } else { (sum << 1) ^ 0x1021 }
            })
        });
        sum & 0x3FFF
    };
    let find = |range: std::ops::RangeInclusive<u16>| {
        (0..).map(|number: u32| number.to_string()).find(|name| range.contains(&slot_of(name))).unwrap()
    };
    [find(0..=5460), find(5461..=10922), find(10923..=16383)]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_takes_over_is_followed() {
    let mut cluster = RedisCluster::start();
    let kv = open_impatient(&format!("{}?replicas=1&wait=300", cluster.url())).await.kv();
    let names = names();
    for name in &names {
        create(&kv, name).await;
    }
    let ear = Ear::on(&kv);
    cluster.node_mut(0).kill();
    within(Duration::from_secs(2), "the feed is lost", || async { ear.has("lost") }).await;
    assert!(kv.get(&Key::new("test", &names[0])).await.is_err(), "nobody has it now");
    tokio::task::block_in_place(|| cluster.wait_for_master(3));
    for name in &names {
        within(LONG, "every record is there", || async {
            kv.get(&Key::new("test", name)).await.is_ok_and(|stored| stored.is_some())
        })
        .await;
    }
    within(LONG, "the feed is back", || async { ear.told().last().unwrap() == "restored" }).await;
    // What the new master is told is told on.
    cluster.node(3).ask(&["SET", &format!("gw:test:{}", names[0]), "x"]);
    let told = format!("test {} ?", names[0]);
    within(Duration::from_secs(1), "the new master's news", || async { ear.has(&told) }).await;
    cluster.node_mut(0).restart();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_move_are_found_while_and_after_they_move() {
    let cluster = RedisCluster::start();
    let kv = open(&cluster.url()).await.kv();
    let names = names();
    let name = format!("gw:test:{}", names[0]);
    let slot = cluster.node(0).ask(&["CLUSTER", "KEYSLOT", &name]);
    let id = |node: usize| cluster.node(node).ask(&["CLUSTER", "MYID"]);
    let version = create(&kv, &names[0]).await;
    cluster.node(1).ask(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id(0)]);
    cluster.node(0).ask(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id(1)]);
    let key = Key::new("test", &names[0]);
    assert_eq!(kv.get(&key).await.unwrap().unwrap().version, version, "not moved yet");
    let port = cluster.node(1).addr().port().to_string();
    assert_eq!(cluster.node(0).ask(&["MIGRATE", "127.0.0.1", &port, &name, "0", "5000"]), "OK");
    assert_eq!(kv.get(&key).await.unwrap().unwrap().version, version, "asked for where it is going");
    let replaced = kv.replace(&key, version, "two".into(), LATE).await.unwrap();
    assert!(matches!(replaced, gateward_kernel::ports::Replaced::Done(_)), "{replaced:?}");
    for node in [1, 0, 2] {
        cluster.node(node).ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &id(1)]);
    }
    assert_eq!(kv.get(&key).await.unwrap().unwrap().value, "two", "moved");
    assert_eq!(kv.remove(&key).await.unwrap().unwrap().value, "two");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_change_of_masters_loses_nothing() {
    let cluster = RedisCluster::start();
    let kv = open(&cluster.url()).await.kv();
    let ear = Ear::on(&kv);
    let names = names();
    create(&kv, &names[1]).await;
    assert_eq!(cluster.node(4).ask(&["CLUSTER", "FAILOVER"]), "OK");
    tokio::task::block_in_place(|| cluster.wait_for_master(4));
    let key = Key::new("test", &names[1]);
    assert!(kv.get(&key).await.unwrap().is_some());
    assert!(kv.remove(&key).await.unwrap().is_some(), "refused by the old one, done by the new one");
    within(LONG, "the feed moves too", || async { ear.told().last().unwrap() == "restored" }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_of_the_cluster_is_enough_to_find_the_others() {
    let cluster = RedisCluster::start();
    let kv = open(&format!("redis+cluster://{}", cluster.node(5).addr())).await.kv();
    for name in names() {
        create(&kv, &name).await;
    }
    let page = kv.page("test", None, 10).await.unwrap();
    assert_eq!(page.items.len(), 3, "the lists of all masters");
    let single = try_open(&cluster.node(0).url(), RedisOptions::default()).await.unwrap().kv();
    let fault = single.get(&Key::new("test", &names()[2])).await;
    // A node that is taken for a single server sends us elsewhere: we go there, nothing reads as absent.
    assert!(fault.is_err() || fault.unwrap().is_some());
}
