//! Endpoints as Kubernetes writes them: each field at most once, in the order of their numbers, none that few endpoints have, and in ASCII.
//!
//! Protobuf allows much more, which the plain reader takes. Whatever is not of this form is left to it, errors too; what is of this form would be
//! the same to it. One like an endpoint before is compared with it, any other is read field by field, and learned from.
//!
//! Names that endpoints say again and again are told by their bytes, which are those of the document: their text need not be looked at. All other
//! texts are kept as bytes and become text together, when the run of such endpoints ends.

use std::cell::Cell;
use std::mem::take;

use crate::model::{Address, Ascii, EndpointList, MAX_ENDPOINTS, Record, StoredAddress, Text};
use crate::thread;
use crate::wire::names::Names;
use crate::wire::proto::hints::KnownHints;
use crate::wire::proto::parts::Parts;
use crate::wire::proto::reader::Reader;
use crate::wire::proto::shape::{Fit, Shapes, conditions};

/// What endpoints of the usual form said.
pub(super) struct Usual<'a> {
    texts: Ascii,
    names: Names,
    shapes: Shapes<'a>,
    /// Endpoints of the last list: the next is likely to have as many.
    count: usize,
    /// The end of what turned out to be no ASCII.
    plain_until: usize,
    /// True while no rule can refuse an endpoint of the list in a slice of IPv4.
    pub(super) are_sound: bool,
}

thread_local! {
    /// Names of documents that were read on this thread, of which the next is likely to have the same, and room for texts.
    static KEPT: Cell<(Names, Ascii)> = Cell::default();
}

/// Longest name and UID with what is between them, most of the time.
const NAME_AND_UID: usize = 64;

impl<'a> Usual<'a> {
    /// What this thread knows of names, and nothing yet of a document.
    pub(super) fn new() -> Self {
        let (names, texts) = thread::take(&KEPT);
        Self { texts, names, shapes: Shapes::default(), count: 0, plain_until: 0, are_sound: false }
    }

    /// Begin with another list.
    pub(super) fn forget(&mut self, hints: &mut KnownHints<'a>) {
        self.names.forget();
        hints.forget();
    }

    /// Read the endpoints of the usual form that are next in a slice onto the end of a list.
    pub(super) fn read(&mut self, slice: &mut Reader<'a>, list: &mut EndpointList, hints: &mut KnownHints<'a>) {
        let (start, count) = (slice.position(), list.len());
        let mut fields = Parts(slice.rest());
        if !fields.begin_with(ENDPOINTS) || start < self.plain_until {
            return;
        }
        // No text is longer than the message that has it, but for hints, which ask.
        let room = fields.0.len() + ROOM_FOR_HINTS;
        if room > MOST_ROOM || list.text_mut().check_room(room).is_err() {
            return;
        }
        if count == 0 {
            list.reserve_exact(self.likely_count(&fields));
        }
        debug_assert!(self.names.are_in(list), "a list that is another one, or was cleared, and nobody said so");
        self.texts.begin(list.text_mut(), room);
        while fields.begin_with(ENDPOINTS) {
            let (length, bytes) = (self.texts.len(), fields.0);
            if let Some(fit) = self.shapes.fit(bytes)
                && let Some(record) = self.like_one_before(bytes, &fit, hints)
            {
                list.push_plain(&record);
                fields.0 = &bytes[fit.end..];
            } else if let Some((record, end)) = self.by_fields(bytes, hints) {
                list.push_plain(&record);
                fields.0 = &bytes[end..];
            } else {
                // Some of what is remembered may be in its texts.
                self.texts.truncate(length);
                self.forget(hints);
                break;
            }
        }
        self.count = list.len();
        let end = start + slice.rest().len() - fields.0.len();
        if self.texts.end(list.text_mut()) { slice.jump(end) } else { self.undo(list, count, hints, end) }
    }

    /// Take the last endpoints off a list and leave them to the plain reader.
    pub(super) fn undo(&mut self, list: &mut EndpointList, count: usize, hints: &mut KnownHints<'a>, end: usize) {
        list.truncate(count);
        self.forget(hints);
        self.are_sound = false;
        self.plain_until = end;
    }

    /// As many endpoints as the last list had, if they are not more than there can be where all are like the first one.
    fn likely_count(&self, fields: &Parts<'_>) -> usize {
        let mut next = Parts(fields.0);
        let first = next.bytes(ENDPOINTS).map_or(0, |_| fields.0.len() - next.0.len());
        let most = fields.0.len().checked_div(first).map_or(0, |count| MAX_ENDPOINTS.min(count + 1));
        if self.count == 0 { most } else { most.min(self.count) }
    }

    /// Read an endpoint of which the parts are known.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a record that goes through memory takes much longer")]
    fn like_one_before(&mut self, bytes: &'a [u8], fit: &Fit, hints: &mut KnownHints<'a>) -> Option<Record> {
        let mut record = Record::default();
        self.are_sound &= !self.shapes.block.may_be_special();
        record.address = StoredAddress::V4(fit.address);
        let left = bytes.len() - fit.end;
        let (head, tail) = self.shapes.kept(fit, left, &mut self.texts, &mut self.names, hints)?;
        self.are_sound &= tail.are_hints_valid;
        record.conditions = head.conditions;
        (record.target_kind, record.target_namespace) = (head.kind, head.namespace);
        (record.zone, record.hints) = (tail.zone, tail.hints);
        // With what is between them, tag and length: copying one text takes half as long as copying two.
        let both = self.texts.keep_part_of::<NAME_AND_UID>(bytes, fit.name, head.name + 2 + head.uid)?;
        (record.target_name, record.target_uid) = both.ends(head.name, head.uid);
        let (node, is_valid) = self.names.keep(bytes, fit.node, &mut self.texts)?;
        self.are_sound &= is_valid;
        record.node_name = node;
        Some(record)
    }

    /// Read the endpoint that some bytes begin with, tell where it ends, and learn from it.
    #[inline(never)]
    fn by_fields(&mut self, bytes: &'a [u8], hints: &mut KnownHints<'a>) -> Option<(Record, usize)> {
        let mut record = Record::default();
        let mut all = Parts(bytes);
        let message = all.bytes(ENDPOINTS)?;
        let left = all.0.len();
        let end = bytes.len() - left;
        let mut fields = Parts(message);
        let address = fields.bytes(1)?;
        if fields.0.len() == message.len() {
            return None;
        }
        let start = end - fields.0.len() - address.len();
        record.address = match self.shapes.block.address(bytes, start, address.len()) {
            Some(address) => {
                self.are_sound &= !self.shapes.block.may_be_special();
                StoredAddress::V4(address)
            }
            None => self.other_address(address)?,
        };
        record.conditions = conditions(fields.bytes(2)?)?;
        record.hostname = self.texts.keep(fields.bytes(3)?);
        self.are_sound &= record.hostname.is_empty();
        let mut target = Parts(fields.bytes(4)?);
        // What is left of the target is before what is left of the endpoint.
        let end_of_target = end - fields.0.len();
        let name = target.bytes(1)?;
        record.target_kind = self.name(bytes, end_of_target - target.0.len(), name)?.0;
        let name = target.bytes(2)?;
        record.target_namespace = self.name(bytes, end_of_target - target.0.len(), name)?.0;
        record.target_name = self.texts.keep(target.bytes(3)?);
        record.target_uid = self.texts.keep(target.bytes(4)?);
        // Kubernetes writes `apiVersion`, `resourceVersion` and `fieldPath` though they say nothing.
        matches!(target.0, [] | [0x2a, 0, 0x32, 0, 0x3a, 0]).then_some(())?;
        let node = fields.bytes(6)?;
        let (node, is_valid) = self.name(bytes, end - fields.0.len(), node)?;
        self.are_sound &= is_valid;
        record.node_name = node;
        let zone = fields.bytes(7)?;
        record.zone = self.name(bytes, end - fields.0.len(), zone)?.0;
        let are_valid;
        (record.hints, are_valid) = hints.keep_in(fields.bytes(8)?, &mut self.texts, left)?;
        self.are_sound &= are_valid;
        fields.0.is_empty().then_some(())?;
        if let StoredAddress::V4(_) = record.address {
            self.shapes.learn(message);
        }
        Some((record, end))
    }

    #[inline(never)]
    fn other_address(&mut self, bytes: &[u8]) -> Option<StoredAddress> {
        self.are_sound = false;
        Some(match Address::parse(std::str::from_utf8(bytes).ok()?) {
            Address::V4(address) => StoredAddress::V4(address),
            Address::V6(address) => StoredAddress::V6(address),
            Address::Name(name) => StoredAddress::Name(self.texts.keep(name.as_bytes())),
        })
    }

    /// Keep a name that ends at a place.
    #[inline(never)]
    fn name(&mut self, bytes: &[u8], end: usize, name: &[u8]) -> Option<(Text, bool)> {
        self.names.keep(bytes, (end - name.len(), end), &mut self.texts)
    }
}

impl Drop for Usual<'_> {
    fn drop(&mut self) {
        self.texts.shrink();
        thread::keep(&KEPT, (take(&mut self.names), take(&mut self.texts)));
    }
}

/// The number of the field of a slice that has endpoints.
const ENDPOINTS: u8 = 2;

/// Longest slice to read this way, in bytes: etcd takes none that is longer.
const MOST_ROOM: usize = 2 << 20;

/// Bytes of hints that are longer as JSON than as protobuf.
const ROOM_FOR_HINTS: usize = 1024;
