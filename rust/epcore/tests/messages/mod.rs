//! Messages of protobuf, spelled as Kubernetes spells them, or in another way.
#![allow(dead_code, reason = "each of them needs some of it")]

pub(crate) mod draft;
mod encoding;

use proptest::prelude::*;
use proptest::sample::{Index, select};

pub(crate) use encoding::{field, number, value};

/// How tag and length of a field are spelled: needless bytes of either, and by how much the length is wrong.
pub(crate) type Spelling = (usize, usize, isize);

pub(crate) const USUAL: Spelling = (0, 0, 0);

pub(crate) fn spelled((of_tag, of_length, wrong): Spelling, tag: usize, bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len().saturating_add_signed(wrong);
    [number(tag << 3 | 2, of_tag), number(length, of_length), bytes.to_vec()].concat()
}

pub(crate) fn spelling() -> impl Strategy<Value = Spelling> {
    let others =
        select(vec![(1, 0, 0), (0, 1, 0), (0, 2, 0), (0, 9, 0), (0, 10, 0), (0, 0, 1), (0, 0, -1), (0, 0, 300)]);
    prop_oneof![40 => Just(USUAL), 1 => others]
}

/// Texts that a field may have, most of them right, `%` for a number that differs from endpoint to endpoint.
pub(crate) fn texts(own: &[&'static str]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let own: Vec<&str> = own.to_vec();
    let other = select(vec!["", "a", "A_%", "é%", "a\u{0}", "12"]);
    let wrong = select(vec![&b"\xff"[..], b"\xc3", b"\xa9a", b"a\xed\xa0\x80"]).prop_map(<[u8]>::to_vec);
    prop_oneof![
        20 => select(own).prop_map(|text| text.as_bytes().to_vec()),
        2 => other.prop_map(|text| text.as_bytes().to_vec()),
        2 => (0usize..300).prop_map(|length| vec![b'x'; length]),
        1 => wrong,
    ]
}

/// A field with a text.
pub(crate) fn text(tag: usize, own: &[&'static str]) -> BoxedStrategy<Vec<u8>> {
    (spelling(), texts(own)).prop_map(move |(spelling, text)| spelled(spelling, tag, &text)).boxed()
}

/// Numbers where truths belong.
pub(crate) fn truth(tag: usize) -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![10 => 0usize..2, 1 => select(vec![2, 127, 128, 1 << 40])];
    (value, prop_oneof![20 => Just(0usize), 1 => 0usize..11])
        .prop_map(move |(value, needless)| [number(tag << 3, 0), number(value, needless)].concat())
}

/// Fields that nobody knows, and known ones that are of another type.
pub(crate) fn odd() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (1usize..40, 0usize..300).prop_map(|(tag, value)| [number(tag << 3, 0), number(value, 0)].concat()),
        (1usize..40).prop_map(|tag| [number(tag << 3 | 1, 0), vec![7; 8]].concat()),
        (1usize..40).prop_map(|tag| [number(tag << 3 | 5, 0), vec![7; 4]].concat()),
        (8usize..40).prop_map(|tag| field(tag, b"odd")),
        select(vec![vec![0x0b], vec![0], vec![0x80], field(5, &[field(1, b"k"), field(2, b"v")].concat())]),
    ]
}

/// Two places and what is done there.
pub(crate) type Edit = (u8, Index, Index, Vec<u8>);

pub(crate) fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = (0u8..4, any::<Index>(), any::<Index>(), odd());
    prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(edit, 1..3)]
}

/// A message of fields that are as they should be, but for the edits.
pub(crate) fn edited(mut fields: Vec<Vec<u8>>, edits: Vec<Edit>) -> Vec<u8> {
    for (what, one, other, odd) in edits {
        let (one, other) = (one.index(fields.len() + 1), other.index(fields.len() + 1));
        match what {
            0 if one < fields.len() && other < fields.len() => fields.swap(one, other),
            1 if other < fields.len() => fields.insert(one, fields[other].clone()),
            2 if one < fields.len() => drop(fields.remove(one)),
            _ => fields.insert(one, odd),
        }
    }
    fields.concat()
}

/// A message with each of some fields, or with only a few.
pub(crate) fn message(fields: Vec<BoxedStrategy<Vec<u8>>>) -> impl Strategy<Value = Vec<u8>> {
    let count = fields.len();
    let kept = prop::collection::vec(prop_oneof![4 => Just(true), 1 => Just(false)], count);
    (fields, kept, edits()).prop_map(|(fields, kept, edits)| {
        let kept = fields.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(field, _)| field);
        edited(kept.collect(), edits)
    })
}

pub(crate) fn inner(tag: usize, fields: Vec<BoxedStrategy<Vec<u8>>>) -> BoxedStrategy<Vec<u8>> {
    (spelling(), message(fields)).prop_map(move |(spelling, message)| spelled(spelling, tag, &message)).boxed()
}

/// Texts have no other `%`, so that lengths stay right.
pub(crate) fn numbered(message: &[u8], number: u8) -> Vec<u8> {
    message.iter().map(|&byte| if byte == b'%' { b'1' + number % 9 } else { byte }).collect()
}
