//! What the endpoints of one list say, until it is put in the list.

use crate::model::{Ascii, EndpointList, Text, is_subdomain};

/// Texts of endpoints that were read by template, and what is known of those that come again.
pub(super) struct Kept {
    texts: Ascii,
    /// Bytes of texts that stay when an endpoint turns out not to fit.
    common: usize,
    /// None until the first endpoint by template.
    nodes: Vec<Node>,
    /// Which of two names goes the next time that there is no room for a third.
    takes_first: bool,
    /// Number of the list that is read: what is remembered of another is not in its text.
    number: usize,
    /// True while no rule can refuse an endpoint of the list in a slice of IPv4.
    pub(super) are_sound: bool,
}

/// The name of a node.
#[derive(Clone)]
struct Node {
    /// With zeros behind it.
    name: [u8; LONGEST],
    length: usize,
    is_valid: bool,
    /// The list that has the name as a text.
    list: usize,
    text: Text,
}

/// Most names of nodes to remember.
const NODES: usize = 1024;
/// Bytes of text that are kept together. An endpoint with more is left to the plain reader.
const ROOM: usize = 32 << 10;

impl Kept {
    pub(super) fn new() -> Self {
        Self { texts: Ascii::default(), common: 0, nodes: Vec::new(), takes_first: false, number: 1, are_sound: false }
    }

    /// Begin with another list.
    pub(super) fn forget(&mut self) {
        self.number += 1;
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Begin to keep texts for the end of a list, if it has room.
    pub(super) fn begin(&mut self, list: &mut EndpointList) -> bool {
        if list.text_mut().check_room(ROOM).is_err() {
            return false;
        }
        self.texts.begin(list.text_mut(), ROOM);
        self.common = 0;
        if self.nodes.is_empty() {
            self.nodes.resize(NODES, Node::of(&[0; AROUND], 0));
        }
        true
    }

    /// Put the texts in the list; false if they are not in ASCII.
    pub(super) fn end(&mut self, list: &mut EndpointList) -> bool {
        let are_plain = self.texts.end(list.text_mut());
        if !are_plain {
            self.forget();
        }
        are_plain
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Take back the texts of an endpoint that does not fit, of which there were so many bytes before it.
    pub(super) fn undo(&mut self, length: usize) {
        self.texts.truncate(length.max(self.common));
    }

    /// Keep a part of the document, if there is room.
    #[inline]
    pub(super) fn keep(&mut self, bytes: &[u8], (start, end): (usize, usize)) -> Option<Text> {
        self.texts.keep_part(bytes, start, end - start)
    }

    /// Keep a text that other endpoints will have too.
    #[inline]
    pub(super) fn keep_common(&mut self, text: &str) -> Option<Text> {
        let kept = self.texts.keep_part(text.as_bytes(), 0, text.len());
        self.common = self.texts.len();
        kept
    }

    /// Keep the name of a node that is at a place of the document, before a quote.
    #[inline]
    pub(super) fn keep_node(&mut self, bytes: &[u8], (start, end): (usize, usize)) -> Option<Text> {
        if start == end {
            return Some(Text::default());
        }
        let around = bytes.get(start.checked_sub(BEFORE)?..)?.first_chunk();
        let (Some(around), 1..=LONGEST) = (around, end - start) else { return self.keep_other_node(bytes, start, end) };
        let [place, other] = places(around, end - start);
        let mut node = self.nodes.get_mut(place)?;
        if !node.is(around, end - start) {
            let place = self.find_or_learn(around, end - start, [place, other]);
            node = self.nodes.get_mut(place)?;
        }
        if node.list != self.number {
            node.text = self.texts.keep_part(around, BEFORE, end - start)?;
            node.list = self.number;
        }
        self.are_sound &= node.is_valid;
        Some(node.text)
    }

    /// The place of a name that is not in its first one. Each has two: where there is room for all, all find it in time.
    #[inline(never)]
    fn find_or_learn(&mut self, around: &[u8; AROUND], length: usize, [first, second]: [usize; 2]) -> usize {
        if self.nodes[second].is(around, length) {
            return second;
        }
        self.takes_first = !self.takes_first;
        let free = [first, second].into_iter().find(|&place| self.nodes[place].length == 0);
        let place = free.unwrap_or(if self.takes_first { first } else { second });
        self.nodes[place] = Node::of(around, length);
        place
    }

    /// The same of a long name, and near the end of a document.
    #[inline(never)]
    fn keep_other_node(&mut self, bytes: &[u8], start: usize, end: usize) -> Option<Text> {
        self.are_sound &= is_subdomain(bytes.get(start..end)?);
        self.texts.keep_part(bytes, start, end - start)
    }
}

impl Node {
    fn of(around: &[u8; AROUND], length: usize) -> Self {
        let text = &around[BEFORE..][..length];
        let mut name = [0; LONGEST];
        name[..length].copy_from_slice(text);
        Self { name, length, is_valid: is_subdomain(text), list: 0, text: Text::default() }
    }

    /// True if it is in the middle of these bytes.
    #[inline]
    fn is(&self, around: &[u8; AROUND], length: usize) -> bool {
        let there = around[BEFORE..].first_chunk::<LONGEST>();
        let (Some(there), Some(mask)) = (there, MASKS[LONGEST - length..].first_chunk::<LONGEST>()) else {
            return false;
        };
        let differ = |at: usize| (self.name[at] ^ there[at]) & mask[at];
        self.length == length && (0..LONGEST).fold(0, |found, at| found | differ(at)) == 0
    }
}

/// Longest name of a node to look for, and bytes around one that is there: before it, and all.
const LONGEST: usize = 64;
const BEFORE: usize = 8;
const AROUND: usize = BEFORE + LONGEST + 16;

/// Each byte of a text, and no other, where this begins as many bytes before its middle.
static MASKS: [u8; 2 * LONGEST] = {
    let mut masks = [0; 2 * LONGEST];
    let mut at = 0;
    while at < LONGEST {
        masks[at] = 0xff;
        at += 1;
    }
    masks
};

/// The places that the name of a node may have. Names differ near their end, or, where a domain follows, in their first half.
#[inline]
fn places(around: &[u8; AROUND], length: usize) -> [usize; 2] {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let eight = |at: usize| around[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
    let word = eight(length) ^ eight(BEFORE + length / 4).rotate_left(17);
    // The high half knows the end of the name, the low half its beginning.
    let wide = u128::from(word) * u128::from(ODD);
    let [.., one, two, three, four, _, _, _, _] = (wide >> 64 ^ wide).to_be_bytes();
    [[one, two], [three, four]].map(|half| usize::from(u16::from_be_bytes(half) >> (u16::BITS - NODES.ilog2())))
}
