//! What the endpoints of one list say, until it is put in the list.

use crate::model::{Ascii, EndpointList, Text, is_subdomain};
use crate::wire::json::literal::Literal;

/// Texts of endpoints that were read by template, and what is known of those that come again.
pub(super) struct Kept {
    texts: Ascii,
    /// Bytes of texts that stay when an endpoint turns out not to fit.
    common: usize,
    /// None until the first endpoint by template.
    nodes: Vec<Node>,
    /// Number of the list that is read: what is remembered of another is not in its text.
    number: usize,
    /// True while no rule can refuse an endpoint of the list in a slice of IPv4.
    pub(super) are_sound: bool,
}

/// The name of a node, with the quote behind it.
#[derive(Clone)]
struct Node {
    name: Literal,
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
        Self { texts: Ascii::default(), common: 0, nodes: Vec::new(), number: 1, are_sound: false }
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
            let none = Node { name: Literal::of(b"\""), is_valid: false, list: 0, text: Text::default() };
            self.nodes.resize(NODES, none);
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
        let node = self.nodes.get_mut(slot(around, end - start))?;
        if node.name.after(around, BEFORE).is_none() {
            *node = Node::of(around, end - start);
        }
        if node.list != self.number {
            node.text = self.texts.keep_part(around, BEFORE, end - start)?;
            node.list = self.number;
        }
        self.are_sound &= node.is_valid;
        Some(node.text)
    }

    /// The same of a long name, and near the end of a document.
    #[inline(never)]
    fn keep_other_node(&mut self, bytes: &[u8], start: usize, end: usize) -> Option<Text> {
        self.are_sound &= is_subdomain(bytes.get(start..end)?);
        self.texts.keep_part(bytes, start, end - start)
    }
}

impl Node {
    #[inline(never)]
    fn of(around: &[u8; AROUND], length: usize) -> Self {
        let (name, quoted) = (&around[BEFORE..][..length], &around[BEFORE..][..=length]);
        Self { name: Literal::of(quoted), is_valid: is_subdomain(name), list: 0, text: Text::default() }
    }
}

/// Longest name of a node to look for, and bytes around one that is there: before it, and all.
const LONGEST: usize = 64;
const BEFORE: usize = 8;
const AROUND: usize = BEFORE + LONGEST + 16;

/// Names of nodes differ near their end, or, where a domain follows, in their first half.
#[inline]
fn slot(around: &[u8; AROUND], length: usize) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let eight = |at: usize| around[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
    let word = eight(length) ^ eight(BEFORE + length / 4).rotate_left(17);
    let [high, low, ..] = word.wrapping_mul(ODD).to_be_bytes();
    usize::from(u16::from_be_bytes([high, low]) >> (u16::BITS - NODES.ilog2()))
}
