//! Endpoints as Kubernetes writes them: each field at most once, in the order of their numbers, none that few endpoints have, and in ASCII.
//!
//! Protobuf allows much more, which the plain reader takes. Whatever is not of this form is left to it, errors too; what is of this form would be
//! the same to it.
//!
//! What endpoints say again and again is told by its bytes, which are those of the document: its text need not be looked at. All other texts are
//! kept as bytes and become text together, when the run of such endpoints ends.

use crate::model::{
    Address, Ascii, Conditions, EndpointList, RECENT, Record, StoredAddress, Text, is_subdomain, leading_v4,
    may_be_special, slot,
};
use crate::wire::json::write_hints;
use crate::wire::proto::hints::KnownHints;
use crate::wire::proto::reader::Reader;

/// Texts that were kept, by their bytes. A cache of recent ones finds most repetitions.
struct Recent<'a>([(&'a [u8], Text); RECENT]);

impl Default for Recent<'_> {
    fn default() -> Self {
        Self([(&[], Text::default()); RECENT])
    }
}

impl<'a> Recent<'a> {
    /// A text that was kept, or is kept now; true of the latter.
    #[inline]
    fn find_or_keep(&mut self, bytes: &'a [u8], texts: &mut Ascii) -> (Text, bool) {
        if bytes.is_empty() {
            return (Text::default(), false);
        }
        let (known, text) = &mut self.0[slot(bytes)];
        let is_new = *known != bytes;
        if is_new {
            (*known, *text) = (bytes, texts.keep(bytes));
        }
        (*text, is_new)
    }
}

/// Kind and namespace of a target, and the bytes that say so.
#[derive(Clone, Copy)]
struct Head<'a> {
    bytes: &'a [u8],
    kind: Text,
    namespace: Text,
}

/// What endpoints of the usual form said. Texts are those of the list that is read.
#[derive(Default)]
pub(super) struct Usual<'a> {
    texts: Ascii,
    nodes: Recent<'a>,
    others: Recent<'a>,
    head: Option<Head<'a>>,
    conditions: (&'a [u8], Conditions),
    /// The end of what turned out to be no ASCII.
    plain_until: usize,
    /// True while no rule can refuse an endpoint of the list in a slice of IPv4.
    pub(super) are_sound: bool,
}

impl<'a> Usual<'a> {
    /// Begin with another list.
    pub(super) fn forget(&mut self, hints: &mut KnownHints<'a>) {
        (self.nodes, self.others) = (Recent::default(), Recent::default());
        self.head = None;
        hints.forget();
    }

    /// Read the endpoints of the usual form that are next in a slice onto the end of a list.
    pub(super) fn read(&mut self, slice: &mut Reader<'a>, list: &mut EndpointList, hints: &mut KnownHints<'a>) {
        let (start, count) = (slice.position(), list.len());
        let mut fields = Fields(slice.rest());
        if !fields.begin_with(ENDPOINTS) || start < self.plain_until {
            return;
        }
        // No text is longer than the message that has it, but for hints, which ask.
        let room = fields.0.len() + ROOM_FOR_HINTS;
        if room > MOST_ROOM || list.text_mut().check_room(room).is_err() {
            return;
        }
        self.texts.begin(list.text_mut(), room);
        let mut rest = fields.0;
        while fields.begin_with(ENDPOINTS) {
            let (length, mut record) = (self.texts.len(), Record::default());
            let read = fields.bytes(ENDPOINTS);
            let left = fields.0.len();
            let read = read.and_then(|message| self.endpoint(message, left, hints, &mut record));
            if read.is_none() {
                // Some of what is remembered may be in its texts.
                self.texts.truncate(length);
                self.forget(hints);
                break;
            }
            list.push_plain(record);
            rest = fields.0;
        }
        let end = start + slice.rest().len() - rest.len();
        if self.texts.end(list.text_mut()) { slice.jump(end) } else { self.undo(list, count, hints, end) }
    }

    /// Take the last endpoints off a list and leave them to the plain reader.
    pub(super) fn undo(&mut self, list: &mut EndpointList, count: usize, hints: &mut KnownHints<'a>, end: usize) {
        list.truncate(count);
        self.forget(hints);
        self.are_sound = false;
        self.plain_until = end;
    }

    #[inline]
    fn endpoint(
        &mut self,
        message: &'a [u8],
        left: usize,
        hints: &mut KnownHints<'a>,
        record: &mut Record,
    ) -> Option<()> {
        let mut fields = Fields(message);
        record.address = self.address(&mut fields)?;
        record.conditions = self.conditions(fields.bytes(2)?)?;
        record.hostname = self.texts.keep(fields.bytes(3)?);
        self.are_sound &= record.hostname.is_empty();
        self.target(fields.bytes(4)?, record)?;
        let node = fields.bytes(6)?;
        let is_new;
        (record.node_name, is_new) = self.nodes.find_or_keep(node, &mut self.texts);
        self.are_sound &= !is_new || is_subdomain(node);
        (record.zone, _) = self.others.find_or_keep(fields.bytes(7)?, &mut self.texts);
        record.hints = match fields.bytes(8)? {
            [] => Text::default(),
            bytes => {
                let (text, are_valid) = hints.keep_in(bytes, &mut self.texts, left)?;
                self.are_sound &= are_valid;
                text
            }
        };
        fields.0.is_empty().then_some(())
    }

    /// The first address, which must be there.
    #[inline]
    fn address(&mut self, fields: &mut Fields<'a>) -> Option<StoredAddress> {
        let message = fields.0;
        let bytes = fields.bytes(1)?;
        if fields.0.len() == message.len() {
            return None;
        }
        // More bytes than the text has make it faster; one of them may look like a digit of it.
        let around = &message[message.len() - fields.0.len() - bytes.len()..];
        if let Some((address, length)) = leading_v4(around)
            && length == bytes.len()
        {
            self.are_sound &= !may_be_special(address);
            return Some(StoredAddress::V4(address));
        }
        self.are_sound = false;
        Some(match Address::parse(std::str::from_utf8(bytes).ok()?) {
            Address::V4(address) => StoredAddress::V4(address),
            Address::V6(address) => StoredAddress::V6(address),
            Address::Name(name) => StoredAddress::Name(self.texts.keep(name.as_bytes())),
        })
    }

    #[inline]
    fn conditions(&mut self, bytes: &'a [u8]) -> Option<Conditions> {
        if self.conditions.0 != bytes {
            self.conditions = (bytes, conditions(bytes)?);
        }
        Some(self.conditions.1)
    }

    #[inline]
    fn target(&mut self, message: &'a [u8], record: &mut Record) -> Option<()> {
        let known = self.head.filter(|head| message.starts_with(head.bytes));
        let (head, rest) = match known.map(|head| (head, &message[head.bytes.len()..])) {
            Some((head, rest @ ([] | [0x1a, ..]))) => (head, rest),
            _ => self.new_head(message)?,
        };
        (record.target_kind, record.target_namespace) = (head.kind, head.namespace);
        let mut fields = Fields(rest);
        let (name, uid) = (fields.bytes(3)?, fields.bytes(4)?);
        // With what is between them, which is two bytes of ASCII: copying one text takes half as long as copying two.
        let both = rest[..rest.len() - fields.0.len()].get(2..).unwrap_or_default();
        let are_next = !name.is_empty() && !uid.is_empty() && both.len() == name.len() + 2 + uid.len();
        (record.target_name, record.target_uid) = if are_next {
            self.texts.keep_both(both, name.len(), uid.len())
        } else {
            (self.texts.keep(name), self.texts.keep(uid))
        };
        // Kubernetes writes `apiVersion`, `resourceVersion` and `fieldPath` though they say nothing.
        matches!(fields.0, [] | [0x2a, 0, 0x32, 0, 0x3a, 0]).then_some(())
    }

    fn new_head(&mut self, message: &'a [u8]) -> Option<(Head<'a>, &'a [u8])> {
        let mut fields = Fields(message);
        let (kind, _) = self.others.find_or_keep(fields.bytes(1)?, &mut self.texts);
        let (namespace, _) = self.others.find_or_keep(fields.bytes(2)?, &mut self.texts);
        let head = Head { bytes: &message[..message.len() - fields.0.len()], kind, namespace };
        self.head = Some(head);
        Some((head, fields.0))
    }
}

/// Longest slice to read this way, in bytes: etcd takes none that is longer.
const MOST_ROOM: usize = 2 << 20;

/// Bytes of hints that are longer as JSON than as protobuf.
const ROOM_FOR_HINTS: usize = 1024;

/// The number of the field of a slice that has endpoints.
const ENDPOINTS: u8 = 2;

/// Fields of a message that are asked for in the order of their numbers.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    #[inline]
    fn begin_with(&self, number: u8) -> bool {
        const BYTES: u8 = 2;
        self.0.first() == Some(&(number << 3 | BYTES))
    }

    /// The bytes of a field, none if the next field is another one; `None` if it has no end, or a length of three bytes.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "the number is known where it is called, and the call is half of the work"
    )]
    fn bytes(&mut self, number: u8) -> Option<&'a [u8]> {
        if !self.begin_with(number) {
            return Some(&[]);
        }
        let (length, rest) = match self.0 {
            [_, length @ 0..0x80, rest @ ..] => (usize::from(*length), rest),
            [_, low, high @ 0..0x80, rest @ ..] => (usize::from(low & 0x7f) | usize::from(*high) << 7, rest),
            _ => return None,
        };
        let bytes;
        (bytes, self.0) = rest.split_at_checked(length)?;
        Some(bytes)
    }
}

/// Conditions of a message that has each at most once, in order, and nothing else.
fn conditions(mut message: &[u8]) -> Option<Conditions> {
    let mut condition = |number: u8| match message {
        [tag, value @ 0..=1, rest @ ..] if *tag == number << 3 => {
            message = rest;
            Some(*value == 1)
        }
        _ => None,
    };
    let conditions = Conditions::new(condition(1), condition(2), condition(3));
    message.is_empty().then_some(conditions)
}

/// The canonical JSON of hints for one zone, one node, or both, as Kubernetes gives them.
pub(super) fn usual_hints(message: &[u8]) -> Option<String> {
    let mut fields = Fields(message);
    let names = [hint(&mut fields, 1)?, hint(&mut fields, 2)?];
    let [zone, node] = names.map(|name| Some(name).filter(|name| !name.is_empty()));
    fields.0.is_empty().then(|| write_hints(zone, node))
}

/// The name in a hint if the next field is one of that number, else `""`.
fn hint<'a>(fields: &mut Fields<'a>, number: u8) -> Option<&'a str> {
    if !fields.begin_with(number) {
        return Some("");
    }
    let mut hint = Fields(fields.bytes(number)?);
    let name = std::str::from_utf8(hint.bytes(1)?).ok()?;
    (hint.0.is_empty() && !name.is_empty()).then_some(name)
}
