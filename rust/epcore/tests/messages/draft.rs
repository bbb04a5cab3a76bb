//! Objects in their envelope, each message of which may be changed.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::messages::{Edit, edited, field, odd, value};

pub(crate) fn envelope(kind: &str, object: &[u8]) -> Vec<u8> {
    let kind = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
    [b"k8s\0".to_vec(), field(1, &kind), field(2, object), field(3, b""), field(4, b"")].concat()
}

pub(crate) fn listed(kind: &str, objects: &[Vec<u8>]) -> Vec<u8> {
    let metadata = field(1, &field(2, b"9"));
    let items: Vec<Vec<u8>> = objects.iter().map(|object| field(2, object)).collect();
    envelope(&format!("{kind}List"), &[metadata, items.concat()].concat())
}

/// An edit of one message of an object, by number.
pub(crate) type Change = (usize, Edit);

/// Its messages, in the order in which they are made, each with its changes.
pub(crate) struct Draft<'c> {
    changes: &'c [Change],
    count: usize,
}

impl<'c> Draft<'c> {
    pub(crate) fn new(changes: &'c [Change]) -> Self {
        Self { changes, count: 0 }
    }

    /// Messages that were made.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn message(&mut self, fields: Vec<Vec<u8>>) -> Vec<u8> {
        let own = self.changes.iter().filter(|(which, _)| *which == self.count);
        let edits = own.map(|(_, edit)| edit.clone()).collect();
        self.count += 1;
        edited(fields, edits)
    }

    pub(crate) fn inner(&mut self, tag: usize, fields: Vec<Vec<u8>>) -> Vec<u8> {
        field(tag, &self.message(fields))
    }

    pub(crate) fn member(&mut self, tag: usize, key: &str, value: &str) -> Vec<u8> {
        self.inner(tag, vec![field(1, key.as_bytes()), field(2, value.as_bytes())])
    }

    pub(crate) fn time(&mut self, tag: usize, seconds: usize) -> Vec<u8> {
        // None at all of zero, as Kubernetes writes times that are not set.
        self.inner(tag, if seconds == 0 { Vec::new() } else { vec![value(1, seconds), value(2, 0)] })
    }

    pub(crate) fn condition(&mut self, kind: &str, seconds: usize) -> Vec<u8> {
        let since = self.time(4, seconds);
        self.inner(2, vec![field(1, kind.as_bytes()), field(2, b"True"), field(3, b""), since, field(5, b"")])
    }

    pub(crate) fn container(&mut self, tag: usize, ports: &[(&str, usize)], policy: &[u8]) -> Vec<u8> {
        let ports = ports.iter().map(|(name, port)| {
            self.inner(
                6,
                vec![field(1, name.as_bytes()), value(2, 0), value(3, *port), field(4, b"TCP"), field(5, b"")],
            )
        });
        let fields = [vec![field(1, b"main"), field(2, b"image:1")], ports.collect(), vec![field(24, policy)]];
        self.inner(tag, fields.concat())
    }
}

/// Fields that are of some use, each in the wrong place or with another value.
fn other() -> impl Strategy<Value = Vec<u8>> {
    let texts = select(vec![&b""[..], b"Always", b"Ready", b"True", b"\xff", b"a", b"app", "é\n\"".as_bytes(), b"UDP"]);
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    let json = [br#"{"a":1,"a":2}"#.to_vec(), b"[1".to_vec(), b"1 2".to_vec(), b"{ \"b\" : 1 }".to_vec()];
    let json: Vec<Vec<u8>> = json.into_iter().chain([60, 64, 65, 110, 130].map(deep)).collect();
    let numbers = select(vec![0, 1, 80, 1 << 31, 253_402_300_799, 253_402_300_800, usize::MAX, 1 << 40]);
    let tag = || select(vec![1usize, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 20, 24]);
    prop_oneof![
        2 => odd(),
        4 => (tag(), texts.clone()).prop_map(|(tag, text)| field(tag, text)),
        2 => (tag(), numbers.clone()).prop_map(|(tag, number)| value(tag, number)),
        2 => (tag(), numbers).prop_map(|(tag, number)| field(tag, &value(1, number))),
        2 => (tag(), texts.clone(), texts).prop_map(|(tag, one, two)| field(tag, &[field(1, one), field(2, two)].concat())),
        1 => (tag(), select(json)).prop_map(|(tag, json)| field(tag, &field(1, &json))),
    ]
}

/// Changes of an object of so many messages: mostly none.
pub(crate) fn changes(messages: usize) -> impl Strategy<Value = Vec<Change>> {
    let change = (0..messages, (0u8..5, any::<Index>(), any::<Index>(), other()));
    prop_oneof![1 => Just(Vec::new()), 2 => prop::collection::vec(change, 1..3)]
}
