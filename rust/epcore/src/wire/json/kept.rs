//! What the endpoints of one list say, until it is put in the list.

use crate::model::{Ascii, EndpointList, Text};
use crate::wire::json::reader::are_plain;
use crate::wire::names::Names;

/// Texts of endpoints that were read by template, and what is known of those that come again.
pub(super) struct Kept {
    texts: Ascii,
    /// Bytes of texts that stay when an endpoint turns out not to fit.
    common: usize,
    /// False if one of those before `common` is not plain.
    are_plain: bool,
    nodes: Names,
    /// True while no rule can refuse an endpoint of the list in a slice of IPv4.
    pub(super) are_sound: bool,
}

/// Bytes of text that are kept together. An endpoint with more is left to the plain reader.
const ROOM: usize = 32 << 10;

impl Kept {
    pub(super) fn new() -> Self {
        Self { texts: Ascii::default(), common: 0, are_plain: true, nodes: Names::default(), are_sound: false }
    }

    /// Begin with another list.
    pub(super) fn forget(&mut self) {
        self.nodes.forget();
    }

    /// Number of the list that is read.
    pub(super) fn number(&self) -> usize {
        self.nodes.list()
    }

    /// True if all names that are remembered of the list that is read are texts of this one.
    pub(super) fn are_in(&self, list: &EndpointList) -> bool {
        self.nodes.are_in(list)
    }

    /// Begin to keep texts for the end of a list, if it has room.
    pub(super) fn begin(&mut self, list: &mut EndpointList) -> bool {
        if list.text_mut().check_room(ROOM).is_err() {
            return false;
        }
        self.texts.begin(list.text_mut(), ROOM);
        (self.common, self.are_plain) = (0, true);
        true
    }

    /// Put the texts in the list; false if they are not in ASCII, or not plain but for the common ones.
    pub(super) fn end(&mut self, list: &mut EndpointList) -> bool {
        let are_plain = self.are_plain() && self.texts.end(list.text_mut());
        if !are_plain {
            self.forget();
        }
        are_plain
    }

    /// True if this is so of all texts but the common ones.
    fn are_plain(&self) -> bool {
        self.are_plain && are_plain(self.texts.after(self.common))
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Take back the texts of an endpoint that does not fit, of which there were so many bytes before it.
    pub(super) fn undo(&mut self, length: usize) {
        self.texts.truncate(length.max(self.common));
    }

    /// Keep a part of the document, if there is room. That it is plain is looked at in the end.
    #[inline]
    pub(super) fn keep(&mut self, bytes: &[u8], (start, end): (usize, usize)) -> Option<Text> {
        self.texts.keep_part(bytes, start, end - start)
    }

    /// Keep a text that other endpoints will have too, which may be any.
    pub(super) fn keep_common(&mut self, text: &str) -> Option<Text> {
        self.are_plain = self.are_plain();
        let kept = self.texts.keep_part(text.as_bytes(), 0, text.len());
        self.common = self.texts.len();
        kept
    }

    /// Keep the name of a node that is at a place of the document.
    #[inline]
    pub(super) fn keep_node(&mut self, bytes: &[u8], place: (usize, usize)) -> Option<Text> {
        let (text, is_valid) = self.nodes.keep(bytes, place, &mut self.texts)?;
        self.are_sound &= is_valid;
        Some(text)
    }
}
