//! Names that endpoints say again and again, which are kept once for each list.

use crate::model::{Ascii, Text, is_subdomain, slot};

/// Names in the document that is read, each in a place of its own.
pub(super) struct Names<'a>(Box<[Name<'a>]>);

#[derive(Clone, Copy)]
struct Name<'a> {
    bytes: &'a [u8],
    is_subdomain: bool,
    /// The list that has it as a text.
    list: usize,
    text: Text,
}

/// Most names to remember, and bytes of a document for each.
const MOST: usize = 1024;
const BYTES: usize = 128;

impl<'a> Names<'a> {
    /// Room for the names that a document of so many bytes may have.
    pub(super) fn of(size: usize) -> Self {
        let room = (size / BYTES).next_power_of_two().min(MOST);
        Self(vec![Name { bytes: &[], is_subdomain: true, list: 0, text: Text::NONE }; room].into())
    }

    /// The text of a name in list number `list`, and whether it is a subdomain or `""`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a text that goes through memory takes much longer")]
    pub(super) fn keep(&mut self, bytes: &'a [u8], list: usize, texts: &mut Ascii) -> (Text, bool) {
        let place = slot(bytes, self.0.len().ilog2());
        let Some(name) = self.0.get_mut(place) else { return (texts.keep(bytes), is_subdomain(bytes)) };
        if name.bytes != bytes {
            *name = Name::new(bytes);
        }
        if name.list == list {
            return (name.text, name.is_subdomain);
        }
        let text = texts.keep(bytes);
        // Where it was read last it is nearer.
        (name.bytes, name.list, name.text) = (bytes, list, text);
        (text, name.is_subdomain)
    }
}

impl<'a> Name<'a> {
    #[inline(never)]
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, is_subdomain: bytes.is_empty() || is_subdomain(bytes), list: 0, text: Text::NONE }
    }
}
