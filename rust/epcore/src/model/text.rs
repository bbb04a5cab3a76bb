//! Text kept once: spans into one buffer, repeated values found again by a small cache.

use crate::Error;

/// A span of a [`TextBuffer`]. The empty span is "not set": the API has no field where an empty text means more than none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    start: u32,
    length: u32,
}

impl Text {
    pub(crate) fn len(self) -> usize {
        self.length as usize
    }

    pub(crate) fn is_empty(self) -> bool {
        self.length == 0
    }
}

const CACHE: usize = 64;

/// The text of one list of endpoints.
#[derive(Default)]
pub(crate) struct TextBuffer {
    buffer: String,
    /// Nothing until the first text that is likely to come again.
    recent: Vec<Text>,
}

/// What is only looked at needs no cache.
impl Clone for TextBuffer {
    fn clone(&self) -> Self {
        Self { buffer: self.buffer.clone(), recent: Vec::new() }
    }
}

impl TextBuffer {
    /// A copy with room for so many more bytes.
    pub(crate) fn with_room(&self, bytes: usize) -> Self {
        let mut buffer = String::with_capacity(self.buffer.len() + bytes);
        buffer.push_str(&self.buffer);
        Self { buffer, recent: Vec::new() }
    }

    pub(crate) fn get(&self, text: Text) -> &str {
        &self.buffer[text.start as usize..(text.start + text.length) as usize]
    }

    #[inline]
    pub(crate) fn bytes(&self, text: Text) -> &[u8] {
        &self.buffer.as_bytes()[text.start as usize..][..text.len()]
    }

    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Give back what is not needed to look at it.
    pub(crate) fn shrink(&mut self) {
        self.buffer.shrink_to_fit();
        self.recent = Vec::new();
    }

    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.buffer.reserve(bytes);
    }

    /// Make sure that so many more bytes of text can be kept.
    pub(crate) fn check_room(&self, bytes: usize) -> Result<(), Error> {
        let end = self.buffer.len() + bytes;
        if u32::try_from(end).is_err() {
            return Err(Error::limit("more bytes of text than one list can hold", u32::MAX as usize, end));
        }
        Ok(())
    }

    /// Keep a text that is likely to be the only one of its kind, such as a UID.
    pub(crate) fn push(&mut self, text: &str) -> Result<Text, Error> {
        self.check_room(text.len())?;
        Ok(self.append(text))
    }

    /// Keep a text that is likely to come again, such as a node name. A cache of recent ones finds most repetitions.
    pub(crate) fn intern(&mut self, text: &str) -> Result<Text, Error> {
        self.check_room(text.len())?;
        Ok(self.find_or_append(text))
    }

    /// As [`TextBuffer::push`], where there is room.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "what there is room for is below 2^32")]
    pub(crate) fn append(&mut self, text: &str) -> Text {
        if text.is_empty() {
            return Text::default();
        }
        let start = self.buffer.len();
        self.buffer.push_str(text);
        Text { start: start as u32, length: text.len() as u32 }
    }

    /// As [`TextBuffer::intern`], where there is room.
    #[inline]
    pub(crate) fn find_or_append(&mut self, text: &str) -> Text {
        if text.is_empty() {
            return Text::default();
        }
        let slot = slot(text.as_bytes());
        if self.recent.is_empty() {
            self.recent.resize(CACHE, Text::default());
        }
        let recent = self.recent[slot];
        if !recent.is_empty() && self.get(recent) == text {
            return recent;
        }
        let kept = self.append(text);
        self.recent[slot] = kept;
        kept
    }
}

/// Names of one kind differ near their middle or end; three bytes of them tell most apart.
fn slot(text: &[u8]) -> usize {
    let length = text.len();
    let Some(&last) = text.last() else { return 0 };
    let mixed = usize::from(last)
        .wrapping_mul(31)
        .wrapping_add(usize::from(text[length / 4]).wrapping_mul(17))
        .wrapping_add(usize::from(text[length / 3]).wrapping_mul(7))
        .wrapping_add(usize::from(text[length / 2]));
    mixed.wrapping_add(length.wrapping_mul(5)) % CACHE
}
