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
#[derive(Clone)]
pub(crate) struct TextBuffer {
    buffer: String,
    recent: [Text; CACHE],
}

impl Default for TextBuffer {
    fn default() -> Self {
        Self { buffer: String::new(), recent: [Text::default(); CACHE] }
    }
}

impl TextBuffer {
    pub(crate) fn get(&self, text: Text) -> &str {
        &self.buffer[text.start as usize..(text.start + text.length) as usize]
    }

    /// The number of bytes kept.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Keep a text that is likely to be the only one of its kind, such as a UID.
    pub(crate) fn push(&mut self, text: &str) -> Result<Text, Error> {
        if text.is_empty() {
            return Ok(Text::default());
        }
        let start = self.buffer.len();
        let end = start + text.len();
        if u32::try_from(end).is_err() {
            return Err(Error::limit("more bytes of text than one list can hold", u32::MAX as usize, end));
        }
        self.buffer.push_str(text);
        #[expect(clippy::cast_possible_truncation, reason = "checked above: both are below 2^32")]
        Ok(Text { start: start as u32, length: text.len() as u32 })
    }

    /// Keep a text that is likely to come again, such as a node name. A cache of recent ones finds most repetitions.
    pub(crate) fn intern(&mut self, text: &str) -> Result<Text, Error> {
        let slot = slot(text.as_bytes());
        let recent = self.recent[slot];
        if !recent.is_empty() && self.get(recent) == text {
            return Ok(recent);
        }
        let kept = self.push(text)?;
        self.recent[slot] = kept;
        Ok(kept)
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
