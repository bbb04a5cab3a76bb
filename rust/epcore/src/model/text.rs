//! Text kept once: spans into one buffer, repeated values found again by a small cache.

use crate::Error;

/// A span of a [`TextBuffer`]. The empty span is "not set": the API has no field where an empty text means more than none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    start: u32,
    length: u32,
}

impl Text {
    pub(crate) const NONE: Self = Self { start: 0, length: 0 };

    pub(crate) fn len(self) -> usize {
        self.length as usize
    }

    /// The two texts that it begins and ends with, of so many bytes.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "they are parts of it")]
    pub(crate) fn ends(self, first: usize, last: usize) -> (Self, Self) {
        let Self { start, length } = self;
        let (first, last) = (first as u32, last as u32);
        (Self { start, length: first }, Self { start: start + length - last, length: last })
    }

    pub(crate) fn is_empty(self) -> bool {
        self.length == 0
    }
}

/// True if two texts are the same, of which many are empty. To compare two empty ones would call `memcmp`, whose masked load from the dangling
/// address of an empty text takes hundreds of cycles on processors with AVX-512.
#[inline]
pub(crate) fn same_text(one: &str, other: &str) -> bool {
    one.len() == other.len() && (one.is_empty() || one == other)
}

/// Texts in a cache of those that are likely to come again.
const RECENT: usize = 64;

/// The text of one list of endpoints.
#[derive(Default)]
pub(crate) struct TextBuffer {
    buffer: String,
    /// Nothing until the first text that is likely to come again.
    recent: Option<Box<[Text; RECENT]>>,
}

/// What is only looked at needs no cache.
impl Clone for TextBuffer {
    fn clone(&self) -> Self {
        Self { buffer: self.buffer.clone(), recent: None }
    }
}

impl TextBuffer {
    /// What is the same in both without a look at each text.
    pub(crate) fn common(&self, other: &Self) -> Common {
        let buffers = [self.buffer.as_bytes(), other.buffer.as_bytes()];
        let lengths = buffers.map(<[u8]>::len);
        let shorter = lengths[0].min(lengths[1]);
        if buffers[0][..shorter] == buffers[1][..shorter] {
            return Common::new(lengths, shorter, 0);
        }
        Common::new(lengths, common_start(buffers), common_end(buffers))
    }

    /// A copy with room for so many more bytes.
    pub(crate) fn with_room(&self, bytes: usize) -> Self {
        let mut buffer = String::with_capacity(self.buffer.len() + bytes);
        buffer.push_str(&self.buffer);
        Self { buffer, recent: None }
    }

    #[inline]
    pub(crate) fn get(&self, text: Text) -> &str {
        &self.buffer[text.start as usize..(text.start + text.length) as usize]
    }

    #[inline]
    pub(crate) fn bytes(&self, text: Text) -> &[u8] {
        &self.buffer.as_bytes()[text.start as usize..][..text.len()]
    }

    /// So many bytes from the start of a text on, unless the buffer ends before.
    #[inline]
    pub(crate) fn block<const LENGTH: usize>(&self, text: Text) -> Option<&[u8; LENGTH]> {
        self.buffer.as_bytes().get(text.start as usize..)?.first_chunk()
    }

    /// True if a text is there, and is this one.
    pub(crate) fn has(&self, text: Text, bytes: &[u8]) -> bool {
        self.buffer.as_bytes().get(text.start as usize..).and_then(|rest| rest.get(..text.len())) == Some(bytes)
    }

    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// All of it.
    pub(crate) fn all(&self) -> &[u8] {
        self.buffer.as_bytes()
    }

    /// True if [`shrink`](Self::shrink) gives nothing back.
    pub(crate) fn is_tight(&self) -> bool {
        self.recent.is_none() && self.buffer.capacity() == self.buffer.len()
    }

    /// Forget all text, and keep the room for other.
    pub(crate) fn clear(&mut self) {
        self.buffer.clear();
        if let Some(recent) = &mut self.recent {
            **recent = [Text::default(); RECENT];
        }
    }

    /// Give back what is not needed to look at it.
    pub(crate) fn shrink(&mut self) {
        self.buffer.shrink_to_fit();
        self.recent = None;
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

    /// Append text to a buffer that is likely to get no more.
    fn push_first(&mut self, text: &str) {
        if self.buffer.is_empty() && self.buffer.capacity() < text.len() {
            // There is nothing that would have to be moved.
            self.buffer = String::with_capacity(text.len());
        }
        self.buffer.push_str(text);
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

    /// As [`TextBuffer::find_or_append`] of a text that is likely to be one that is there.
    #[inline]
    pub(crate) fn find_or_append_after(&mut self, likely: Text, text: &str) -> Text {
        if same_text(self.get(likely), text) { likely } else { self.find_or_append(text) }
    }

    /// As [`TextBuffer::intern`], where there is room.
    #[inline]
    pub(crate) fn find_or_append(&mut self, text: &str) -> Text {
        if text.is_empty() {
            return Text::default();
        }
        let slot = slot(text.as_bytes(), RECENT.ilog2());
        let recent = self.recent.get_or_insert_with(|| Box::new([Text::default(); RECENT]))[slot];
        if recent.len() == text.len() && self.bytes(recent) == text.as_bytes() {
            return recent;
        }
        let kept = self.append(text);
        if let Some(recent) = &mut self.recent {
            recent[slot] = kept;
        }
        kept
    }
}

/// The bytes of two buffers that are the same at their beginnings and at their ends: buffers of like endpoints in one order differ in little, and
/// what comes after that has another place in each.
#[derive(Clone, Copy)]
pub(crate) struct Common {
    /// True if one is the other, or the beginning of the other: the same span is then the same text in both.
    pub(crate) is_whole: bool,
    /// Where the beginning ends.
    start: u32,
    /// Where the end begins in the first, and how much further that is than in the other.
    end: u32,
    shift: u32,
}

impl Common {
    #[expect(clippy::cast_possible_truncation, reason = "a buffer is shorter than 2^32")]
    fn new([length, other]: [usize; 2], start: usize, end: usize) -> Self {
        let shift = (length as u32).wrapping_sub(other as u32);
        Self { is_whole: start == length.min(other), start: start as u32, end: (length - end) as u32, shift }
    }

    /// True if two spans are known to be the same text.
    #[inline]
    #[expect(clippy::needless_bitwise_bool, reason = "without branches many spans are looked at at once")]
    pub(crate) fn are_same(self, one: Text, other: Text) -> bool {
        let is_in_start = (one.start == other.start) & (one.start + one.length <= self.start);
        let is_in_end = (one.start.wrapping_sub(other.start) == self.shift) & (one.start >= self.end);
        (one.length == other.length) & (is_in_start | is_in_end)
    }

    /// The same of all spans.
    #[inline]
    pub(crate) fn are_all_same(self, ones: &[Text; 8], others: &[Text; 8]) -> bool {
        let mut are_same = true;
        for (one, other) in ones.iter().zip(others) {
            are_same &= self.are_same(*one, *other);
        }
        are_same
    }
}

const BLOCK: usize = 64;

fn common_start([one, other]: [&[u8]; 2]) -> usize {
    let blocks = one.as_chunks::<BLOCK>().0.iter().zip(other.as_chunks::<BLOCK>().0);
    let start = BLOCK * blocks.take_while(|(one, other)| one == other).count();
    let rest = one[start..].iter().zip(&other[start..]);
    start + rest.take(BLOCK).take_while(|(one, other)| one == other).count()
}

fn common_end([one, other]: [&[u8]; 2]) -> usize {
    let blocks = one.as_rchunks::<BLOCK>().1.iter().rev().zip(other.as_rchunks::<BLOCK>().1.iter().rev());
    let end = BLOCK * blocks.take_while(|(one, other)| one == other).count();
    let rest = one[..one.len() - end].iter().rev().zip(other[..other.len() - end].iter().rev());
    end + rest.take(BLOCK).take_while(|(one, other)| one == other).count()
}

/// Texts, most of them in ASCII, that become part of a buffer together: that they are text is looked at then.
#[derive(Default)]
pub(crate) struct Ascii {
    /// The texts, and room for more.
    bytes: Vec<u8>,
    length: usize,
    /// How long they may become together.
    room: usize,
    /// The end of the buffer.
    start: usize,
}

impl Ascii {
    /// Begin with none, at the end of a buffer, with room for so many bytes.
    pub(crate) fn begin(&mut self, buffer: &TextBuffer, room: usize) {
        self.start = buffer.len();
        (self.length, self.room) = (0, room);
        if self.bytes.len() < room {
            self.bytes.resize(room, 0);
        }
    }

    /// Give room back that is more than most lists need.
    pub(crate) fn shrink(&mut self) {
        const MOST: usize = 64 << 10;
        if self.bytes.len() > MOST {
            self.bytes = Vec::new();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = length;
    }

    /// What is kept from a place on.
    pub(crate) fn after(&self, place: usize) -> &[u8] {
        &self.bytes[place..self.length]
    }

    /// True if so many more bytes are within the room.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.length + bytes <= self.room
    }

    /// Keep a text where there is room for it, here and in the buffer.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "what there is room for is below 2^32")]
    pub(crate) fn keep(&mut self, text: &[u8]) -> Text {
        if text.is_empty() {
            return Text::default();
        }
        let start = self.length;
        self.length += text.len();
        self.bytes[start..self.length].copy_from_slice(text);
        Text { start: (self.start + start) as u32, length: text.len() as u32 }
    }

    /// Keep a part of a larger text, if there is room. A copy of a size that is known is faster; what it takes too much, the next overwrites.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the call is half of the work")]
    pub(crate) fn keep_part(&mut self, around: &[u8], start: usize, length: usize) -> Option<Text> {
        self.keep_part_of::<48>(around, start, length)
    }

    /// The same of a part that is not likely to be longer than `SHORT`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the call is half of the work")]
    #[expect(clippy::cast_possible_truncation, reason = "what there is room for is below 2^32")]
    pub(crate) fn keep_part_of<const SHORT: usize>(
        &mut self,
        around: &[u8],
        start: usize,
        length: usize,
    ) -> Option<Text> {
        if length == 0 {
            return Some(Text::default());
        }
        let from = around.get(start..)?;
        let to = self.bytes.get_mut(self.length..)?;
        match (from.first_chunk::<SHORT>(), to.first_chunk_mut()) {
            (Some(from), Some(to)) if length <= SHORT => *to = *from,
            _ => copy(from.get(..length)?, to)?,
        }
        let text = Text { start: (self.start + self.length) as u32, length: length as u32 };
        self.length += length;
        Some(text)
    }

    /// Append all to the buffer; false if they are not in ASCII, and the buffer is as it was.
    pub(crate) fn end(&self, buffer: &mut TextBuffer) -> bool {
        let text = simdutf8::basic::from_utf8(&self.bytes[..self.length]).ok().filter(|text| text.is_ascii());
        text.inspect(|text| buffer.push_first(text)).is_some()
    }
}

/// Apart from copies of a size that is known, so that those stay what they are.
#[inline(never)]
fn copy(from: &[u8], to: &mut [u8]) -> Option<()> {
    to.get_mut(..from.len())?.copy_from_slice(from);
    Some(())
}

/// A place for a text in a table of two to the power of `bits`. Names of one kind differ near their end, or, where a domain follows, in their first half.
#[inline]
fn slot(text: &[u8], bits: u32) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let four = |bytes: &[u8]| bytes.first_chunk().map_or(0, |four| u64::from(u32::from_le_bytes(*four)));
    let eight = |from| text.get(from..).and_then(<[u8]>::first_chunk).map_or(0, |eight| u64::from_le_bytes(*eight));
    let word = match (text.last_chunk(), text) {
        (Some(end), _) => u64::from_le_bytes(*end) ^ eight(text.len() / 4).rotate_left(17) ^ eight(8).rotate_left(37),
        (None, [_, _, _, end @ ..]) if !end.is_empty() => four(text) | four(&text[text.len() - 4..]) << 32,
        (None, [.., last]) => u64::from(text[0]) | u64::from(text[text.len() / 2]) << 8 | u64::from(*last) << 16,
        (None, []) => 0,
    };
    let [high, low, ..] = word.wrapping_mul(ODD).to_be_bytes();
    usize::from(u16::from_be_bytes([high, low])) >> (u16::BITS - bits)
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "the texts are short")]
mod tests {
    use super::*;

    #[test]
    fn spans_that_are_known_to_be_the_same_are_the_same_text() {
        let text = |changed: &str| format!("{}{changed}{}", "abc".repeat(50), "xyz".repeat(60));
        let texts = ["", "b", "bb", "a-longer-text", "abcabc"].map(text);
        for (one, other) in texts.iter().flat_map(|one| texts.iter().map(move |other| (one, other))) {
            let buffers = [one, other].map(|text| TextBuffer { buffer: text.clone(), recent: None });
            let common = buffers[0].common(&buffers[1]);
            let mut known = 0;
            for start in 0..one.len() as u32 {
                let shifted = (u64::from(start) + other.len() as u64).saturating_sub(one.len() as u64);
                for (other_start, length) in [start, shifted as u32].into_iter().flat_map(|at| [(at, 1), (at, 40)]) {
                    let spans = [start, other_start].map(|start| Text { start, length });
                    let fits = |span: Text, text: &str| (span.start + length) as usize <= text.len();
                    if fits(spans[0], one) && fits(spans[1], other) && common.are_same(spans[0], spans[1]) {
                        known += 1;
                        assert_eq!(buffers[0].bytes(spans[0]), buffers[1].bytes(spans[1]));
                    }
                }
            }
            assert!(known > one.len(), "few of {one} and {other} are known");
        }
    }
}
