use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::secret::SeededEntropy;

const START: Moment = Moment::from_micros(1_000_000_000_000);
const OPEN: Duration = Duration::from_secs(3600);
const LONGEST: Duration = Duration::from_secs(300);

fn list() -> StatusList {
    StatusList::open(ListId::from_bytes([1; 16]), START, OPEN, LONGEST)
}

/// Token Status List §4.1 and its test vectors: the first example of one-bit statuses, and that of two bits.
#[test]
fn the_examples_of_the_specification() {
    let one = Bits::inflate(1, "eNrbuRgAAhcBXQ").unwrap();
    assert_eq!(one.bytes(), [0xb9, 0xa3]);
    let statuses: Vec<u8> = (0..16).map(|index| one.status(index).unwrap()).collect();
    assert_eq!(statuses, [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]);
    assert_eq!(one.status(16), None);
    let two = Bits::inflate(2, "eNo76fITAAPfAgc").unwrap();
    let statuses: Vec<u8> = (0..12).map(|index| two.status(index).unwrap()).collect();
    assert_eq!(statuses, [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]);
}

#[test]
fn packed_lists_are_whole_or_refused() {
    let packed = deflate(&[0xb9, 0xa3]);
    assert_eq!(Bits::inflate(1, &packed).unwrap().bytes(), [0xb9, 0xa3]);
    for length in 0..packed.len() {
        assert!(Bits::inflate(1, &packed[..length]).is_err(), "{length}");
    }
    assert!(Bits::inflate(1, &format!("{packed}AAAA")).is_err());
    assert_eq!(Bits::inflate(1, "eNrbuRgAAhcBXQ=="), Err(NotAList::Encoding));
    for size in [0, 3, 5, 16] {
        assert_eq!(Bits::inflate(size, &packed), Err(NotAList::StatusSize));
    }
}

#[test]
fn a_list_that_unpacks_to_too_much_is_refused_at_the_limit() {
    let of = |length: usize| Bits::inflate(1, &deflate(&vec![0; length]));
    assert!(of(MAX_LIST_BYTES - 1).is_ok());
    assert!(of(MAX_LIST_BYTES).is_ok());
    assert_eq!(of(MAX_LIST_BYTES + 1), Err(NotAList::TooLarge));
    assert_eq!(of(MAX_LIST_BYTES * 64), Err(NotAList::TooLarge));
}

#[test]
fn blocks_are_claimed_once_until_the_list_is_full_or_closed() {
    let (mut list, mut claimed) = (list(), HashSet::new());
    for chance in 0..BLOCKS {
        let Decision::Write(next, Some(block)) = list.claim(chance.wrapping_mul(2_654_435_761), START) else {
            panic!("block {chance} of {BLOCKS} was not to be had")
        };
        assert!(block < BLOCKS && claimed.insert(block));
        list = next;
    }
    assert_eq!(list.claim(7, START), Decision::Leave(None));
    let open = super::tests::list();
    assert!(matches!(open.claim(0, open.closes - Duration::from_micros(1)), Decision::Write(_, Some(_))));
    assert_eq!(open.claim(0, open.closes), Decision::Leave(None));
    assert_eq!(open.dies, START + OPEN + LONGEST);
}

#[test]
fn every_place_of_a_block_once_in_an_order_nobody_can_tell() {
    let mut places = Places::of(&list(), 3, &SeededEntropy::new(1));
    let taken: Vec<u32> = std::iter::from_fn(|| places.take(START)).map(|place| place.index).collect();
    assert_eq!(taken.len(), BLOCK_SIZE as usize);
    assert_eq!(taken.iter().collect::<HashSet<_>>().len(), taken.len());
    assert!(taken.iter().all(|index| index / BLOCK_SIZE == 3));
    let in_order = taken.windows(2).filter(|pair| pair[0] + 1 == pair[1]).count();
    assert!(in_order < 10, "{in_order} neighbours");
    let mut other = Places::of(&list(), 3, &SeededEntropy::new(2));
    assert_ne!(other.take(START).unwrap().index, taken[0]);
    assert_eq!(other.take(list().closes), None);
}

#[test]
fn block_names_read_back() {
    let id = BlockId::new(ListId::from_bytes([7; 16]), 255);
    assert_eq!((id.list(), id.number()), (ListId::from_bytes([7; 16]), 255));
    assert_eq!(BlockId::try_from(id.as_ref()).unwrap(), id);
    let block = StatusBlock::empty(id, START);
    let text = serde_json::to_string(&block).unwrap();
    assert_eq!(serde_json::from_str::<StatusBlock>(&text).unwrap(), block);
}

#[test]
fn subjects_are_told_by_a_tag() {
    let tag = SubjectTag::of("person");
    assert_eq!(SubjectTag::read(&tag.to_string()), Some(tag));
    assert_ne!(tag, SubjectTag::of("Person"));
    assert_eq!(SubjectTag::read("short"), None);
    let cut = Cut { subject: tag, at: START, dies: START + LONGEST };
    assert_eq!(cut.move_to(START, START + OPEN), Decision::Leave(()));
    let later = START + Duration::from_secs(1);
    let Decision::Write(moved, ()) = cut.move_to(later, later) else { panic!("a later cut is written") };
    assert_eq!((moved.at, moved.dies), (later, START + LONGEST));
}

proptest! {
    #[test]
    fn what_is_revoked_is_exactly_what_was_asked_for(asked: HashSet<u16>) {
        let asked: Vec<u32> = asked.into_iter().map(u32::from).collect();
        let mut whole = Bits::empty(LIST_SIZE);
        for number in 0..16 {
            let block = StatusBlock::empty(BlockId::new(ListId::from_bytes([1; 16]), number), START);
            if let Decision::Write(block, ()) = block.revoke(&asked) {
                prop_assert_eq!(block.revoke(&asked), Decision::Leave(()));
                whole.overlay(number as usize * BLOCK_BYTES, block.bits());
            }
        }
        let read = Bits::inflate(1, &deflate(whole.bytes())).unwrap();
        for index in 0..=u32::from(u16::MAX) {
            prop_assert_eq!(read.status(index) == Some(1), asked.contains(&index));
        }
    }
}
