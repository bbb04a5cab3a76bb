//! Text that is compared rather than read.

/// Bytes that are compared at once.
pub(super) const WORD: usize = 16;

/// Fewer bytes: what must be there, and which bits of it count.
pub(super) type Word = (u128, u128);

/// Text that is the same in all endpoints: words in full, and a last one with the rest.
pub(super) struct Literal {
    words: Vec<[u8; WORD]>,
    last: Word,
    length: usize,
}

impl Literal {
    pub(super) fn of(bytes: &[u8]) -> Self {
        // The last word is not full, so that it is there in any case.
        let (words, rest) = bytes.as_chunks();
        Self { words: words.to_vec(), last: word(rest), length: bytes.len() }
    }

    /// The place after the literal, if it is at `at`. Text near the end of the document may count as different.
    #[inline]
    pub(super) fn after(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let mut rest = bytes.get(at..)?;
        for word in &self.words {
            let (found, after) = rest.split_first_chunk()?;
            if found != word {
                return None;
            }
            rest = after;
        }
        is_at(self.last, rest.first_chunk()?).then_some(at + self.length)
    }
}

/// A word of at most so many bytes.
pub(super) fn word(bytes: &[u8]) -> Word {
    let mut padded = [0; WORD];
    padded[..bytes.len()].copy_from_slice(bytes);
    let unused = u32::try_from(8 * (WORD - bytes.len())).unwrap_or(u128::BITS);
    (u128::from_le_bytes(padded), u128::MAX.checked_shr(unused).unwrap_or(0))
}

#[inline]
pub(super) fn is_at((word, mask): Word, bytes: &[u8; WORD]) -> bool {
    (u128::from_le_bytes(*bytes) ^ word) & mask == 0
}
