//! One caller at a time: what is written is read, and conditions hold.

use bytes::Bytes;
use gateward_kernel::ports::{Created, FaultKind, Key, Replaced, Stored, Version};
use gateward_kernel::time::Moment;

use super::{Checked, Failure, LATE, Subject, create, get, key, replace};

pub(super) async fn ping(subject: &dyn Subject) -> Checked {
    Ok(subject.open().await?.ping().await?)
}

pub(super) async fn create_then_get(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    ensure!(kv.get(&key("a")).await?.is_none(), "a fresh store has a record");
    let version = create(&*kv, &key("a"), b"one").await?;
    let expected = Stored { value: Bytes::from_static(b"one"), version, death: LATE };
    ensure!(get(&*kv, &key("a")).await? == expected, "it reads other than it was written");
    let next = replace(&*kv, &key("a"), version, b"two").await?;
    let expected = Stored { value: Bytes::from_static(b"two"), version: next, death: LATE };
    ensure!(get(&*kv, &key("a")).await? == expected, "it reads other than it was replaced");
    ensure!(kv.remove(&key("a")).await? == Some(expected), "removing yields other than was there");
    ensure!(kv.get(&key("a")).await?.is_none(), "it is there after its removal");
    ensure!(kv.remove(&key("a")).await?.is_none(), "removing yields it twice");
    Ok(())
}

pub(super) async fn create_refuses_existing(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    create(&*kv, &key("a"), b"one").await?;
    let before = get(&*kv, &key("a")).await?;
    let again = kv.create(&key("a"), Bytes::from_static(b"two"), Moment::NEVER).await?;
    ensure!(again == Created::Exists, "a second create came to {again:?}");
    ensure!(get(&*kv, &key("a")).await? == before, "a refused create changed the record");
    Ok(())
}

pub(super) async fn stale_is_a_result(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    let first = create(&*kv, &key("a"), b"one").await?;
    let second = replace(&*kv, &key("a"), first, b"two").await?;
    ensure!(second > first, "the version did not grow: {first:?}, {second:?}");
    for wrong in [first, Version(second.0 + 1), Version(0), Version(u64::MAX)] {
        let answer = kv.replace(&key("a"), wrong, Bytes::from_static(b"three"), LATE).await?;
        ensure!(answer == Replaced::Stale, "replacing {wrong:?} instead of {second:?} came to {answer:?}");
    }
    let now = get(&*kv, &key("a")).await?;
    ensure!(now.value == "two" && now.version == second, "a stale replace changed the record");
    Ok(())
}

pub(super) async fn replace_never_resurrects(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    let version = create(&*kv, &key("a"), b"one").await?;
    kv.remove(&key("a")).await?;
    for wrong in [version, Version(version.0 + 1), Version(0)] {
        let answer = kv.replace(&key("a"), wrong, Bytes::from_static(b"two"), LATE).await?;
        ensure!(answer == Replaced::Absent, "replacing what is gone came to {answer:?}");
    }
    ensure!(kv.get(&key("a")).await?.is_none(), "it came back");
    Ok(())
}

pub(super) async fn recreated_is_newer(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    let mut last = Version(0);
    for _ in 0..5 {
        let version = create(&*kv, &key("a"), b"one").await?;
        ensure!(version > last, "re-created with {version:?} after {last:?}");
        last = replace(&*kv, &key("a"), version, b"two").await?;
        kv.remove(&key("a")).await?;
        let stale = kv.replace(&key("a"), last, Bytes::new(), LATE).await?;
        ensure!(stale == Replaced::Absent, "replacing what is gone came to {stale:?}");
    }
    create(&*kv, &key("a"), b"one").await?;
    let stale = kv.replace(&key("a"), last, Bytes::new(), LATE).await?;
    ensure!(stale == Replaced::Stale, "the version of an earlier life was accepted: {stale:?}");
    Ok(())
}

pub(super) async fn sizes_of_values(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    let largest = kv.traits().largest;
    for size in [0, 1, 1000, 4096, 65_536, largest - 1, largest] {
        let value: Bytes = (0..size).map(|at| (at % 251) as u8).collect();
        let key = key(size.to_string());
        let version = create(&*kv, &key, &value).await?;
        ensure!(get(&*kv, &key).await?.value == value, "a value of {size} bytes reads differently");
        replace(&*kv, &key, version, &value).await?;
        let removed = kv.remove(&key).await?.map(|stored| stored.value);
        ensure!(removed == Some(value), "a value of {size} bytes is removed differently");
    }
    let above = Bytes::from(vec![0; largest + 1]);
    let created = kv.create(&key("above"), above.clone(), LATE).await;
    let kind = created.as_ref().map_err(|fault| fault.kind);
    ensure!(kind.err() == Some(FaultKind::TooLarge), "creating above the limit came to {created:?}");
    ensure!(kv.get(&key("above")).await?.is_none(), "a refused value was written");
    let version = create(&*kv, &key("a"), b"one").await?;
    let replaced = kv.replace(&key("a"), version, above, LATE).await;
    let kind = replaced.as_ref().map_err(|fault| fault.kind);
    ensure!(kind.err() == Some(FaultKind::TooLarge), "replacing above the limit came to {replaced:?}");
    ensure!(get(&*kv, &key("a")).await?.value == "one", "a refused value was written");
    Ok(())
}

pub(super) async fn sizes_of_ids(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    for length in 0..=64_u8 {
        create(&*kv, &key(vec![7; length.into()]), &[length]).await?;
    }
    for length in 0..=64_u8 {
        let stored = get(&*kv, &key(vec![7; length.into()])).await?;
        ensure!(stored.value == [length][..], "ids of length {length} and another are taken for the same");
    }
    let long = kv.create(&key([7; 65]), Bytes::new(), LATE).await;
    let kind = long.as_ref().map_err(|fault| fault.kind);
    ensure!(kind.err() == Some(FaultKind::TooLarge), "an id of 65 bytes came to {long:?}");
    ensure!(kv.get(&key([7; 65])).await?.is_none(), "an id of 65 bytes is there");
    Ok(())
}

pub(super) async fn odd_ids(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    let odd: &[&[u8]] = &[
        b"",
        b"\0",
        b"\0\0",
        b"a",
        b"A",
        b"a ",
        b"a\0",
        b"a\0b",
        b"\xff",
        b"\xff\xfe",
        b"%",
        b"'",
        b"*",
        b"a.b",
    ];
    for id in odd {
        create(&*kv, &key(id), id).await?;
    }
    for id in odd {
        ensure!(get(&*kv, &key(id)).await?.value == **id, "{id:?} is taken for another id");
    }
    Ok(())
}

pub(super) async fn deaths_are_kept(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    let moments = [Moment::DAWN, Moment::from_micros(-1), Moment::from_micros(0), LATE, Moment::NEVER];
    for (number, death) in (0_u8..).zip(moments) {
        let Created::Done(version) = kv.create(&key([number]), Bytes::new(), death).await? else {
            return Err(Failure("a fresh id exists".into()));
        };
        let read = get(&*kv, &key([number])).await?.death;
        ensure!(read == death, "death at {death:?} reads as {read:?}");
        let other = Moment::from_micros(death.micros() ^ 1);
        kv.replace(&key([number]), version, Bytes::new(), other).await?;
        let read = get(&*kv, &key([number])).await?.death;
        ensure!(read == other, "death moved to {other:?} reads as {read:?}");
    }
    Ok(())
}

pub(super) async fn the_dead_are_read(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    let long_ago = Moment::from_micros(1);
    kv.create(&key("a"), Bytes::from_static(b"one"), long_ago).await?;
    ensure!(get(&*kv, &key("a")).await?.value == "one", "the dead cannot be read");
    let again = kv.create(&key("a"), Bytes::new(), LATE).await?;
    ensure!(again == Created::Exists, "a dead record was overwritten by a create");
    Ok(())
}

pub(super) async fn kinds_do_not_mix(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    let (one, other) = (Key::new("one", "a"), Key::new("other", "a"));
    let version = create(&*kv, &one, b"1").await?;
    ensure!(kv.get(&other).await?.is_none(), "a record appears under another kind");
    create(&*kv, &other, b"2").await?;
    let crossed = kv.replace(&other, version, Bytes::new(), LATE).await?;
    ensure!(crossed == Replaced::Stale, "a version of one kind was accepted for another");
    kv.remove(&one).await?;
    ensure!(get(&*kv, &other).await?.value == "2", "removing one kind removed another");
    if kv.traits().pages {
        let page = kv.page("one", None, 10).await?;
        ensure!(page.items.is_empty(), "a page of one kind has another's records");
    }
    Ok(())
}

pub(super) async fn second_handle(subject: &dyn Subject) -> Checked {
    let (one, other) = (subject.open().await?, subject.open().await?);
    for number in 0..20_u8 {
        let version = create(&*one, &key([number]), b"one").await?;
        ensure!(get(&*other, &key([number])).await?.version == version, "not seen by the other handle");
        let next = replace(&*other, &key([number]), version, b"two").await?;
        ensure!(next > version, "the other handle's version is not newer");
        ensure!(get(&*one, &key([number])).await?.value == "two", "a replace is not seen");
        let stale = one.replace(&key([number]), version, Bytes::new(), LATE).await?;
        ensure!(stale == Replaced::Stale, "the other handle's write was overwritten: {stale:?}");
        other.remove(&key([number])).await?;
        ensure!(one.get(&key([number])).await?.is_none(), "a removal is not seen");
    }
    Ok(())
}

pub(super) async fn reopened(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    let kept = create(&*kv, &key("kept"), b"one").await?;
    create(&*kv, &key("gone"), b"one").await?;
    kv.remove(&key("gone")).await?;
    drop(kv);
    let kv = subject.open().await?;
    ensure!(get(&*kv, &key("kept")).await?.version == kept, "the version is another after reopening");
    ensure!(kv.get(&key("gone")).await?.is_none(), "what was removed is back after reopening");
    let next = create(&*kv, &key("gone"), b"two").await?;
    ensure!(next > kept, "versions start over after reopening: {next:?}");
    replace(&*kv, &key("kept"), kept, b"two").await?;
    Ok(())
}
