//! Status lists: bounded when unpacked, one status per place, and the same after packing again. Input: a number for the size of
//! a status, and what is read once as a packed list and once as the bytes of one.
#![no_main]

use gateward_kernel::status::{Bits, MAX_LIST_BYTES, NotAList, deflate};
use libfuzzer_sys::fuzz_target;

const SIZES: [u8; 6] = [1, 2, 4, 8, 3, 0];

fuzz_target!(|data: &[u8]| {
    let Some((which, rest)) = data.split_first() else { return };
    let size = SIZES[usize::from(*which) % SIZES.len()];
    if let Ok(packed) = std::str::from_utf8(rest) {
        what_is_unpacked_is_a_list(size, packed);
    }
    what_is_packed_is_unpacked(size, rest);
});

fn what_is_unpacked_is_a_list(size: u8, packed: &str) {
    let Ok(list) = Bits::inflate(size, packed) else { return };
    assert!(list.bytes().len() <= MAX_LIST_BYTES);
    assert_eq!(Bits::inflate(size, &deflate(list.bytes())).as_ref(), Ok(&list));
}

fn what_is_packed_is_unpacked(size: u8, bytes: &[u8]) {
    let packed = deflate(bytes);
    let mut list = match Bits::inflate(size, &packed) {
        Ok(list) => list,
        Err(problem) => return assert!(problem == NotAList::StatusSize && !matches!(size, 1 | 2 | 4 | 8)),
    };
    assert_eq!(list.bytes(), bytes);
    let places = u32::try_from(bytes.len()).unwrap() * 8 / u32::from(size);
    let mut sum = 0;
    for place in 0..places {
        let status = list.status(place).expect("a place within the list");
        assert!(u32::from(status) < 1 << size);
        sum += status.count_ones();
    }
    assert_eq!(
        sum,
        bytes.iter().map(|byte| byte.count_ones()).sum::<u32>(),
        "every bit belongs to one place"
    );
    assert_eq!((list.status(places), list.status(u32::MAX)), (None, None));

    // Revoking one changes that one, and nothing brings it back.
    let before = list.clone();
    let revoked = bytes.first().map_or(0, |byte| u32::from(*byte)) % places.max(1);
    list.revoke(revoked);
    for place in 0..places {
        let expected = before.status(place).map(|status| if place == revoked { status | 1 } else { status });
        assert_eq!(list.status(place), expected);
    }
    let after = list.clone();
    list.overlay(0, &[]);
    list.overlay(bytes.len(), &[0xff]);
    list.overlay(0, before.bytes());
    list.revoke(revoked);
    assert_eq!(list, after);
}
