//! Text that is compared rather than read.

/// Bytes that are compared at once.
const WORD: usize = 16;
/// Most bytes of two.
const TWO_WORDS: usize = 2 * WORD;

/// Text that is the same in many endpoints.
#[derive(Clone)]
pub(crate) enum Literal {
    /// What must be there, which bits of it count, and of how many bytes they are.
    Word(u128, u128, usize),
    /// The first and the last word of up to two, and how many bytes they are.
    Words(u128, u128, usize),
    Long(Box<[u8]>),
}

impl Literal {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        if let (Some(first), Some(last), 0..=TWO_WORDS) = (bytes.first_chunk(), bytes.last_chunk(), bytes.len()) {
            return Self::Words(u128::from_le_bytes(*first), u128::from_le_bytes(*last), bytes.len());
        }
        if bytes.len() > WORD {
            return Self::Long(bytes.into());
        }
        let mut padded = [0; WORD];
        padded[..bytes.len()].copy_from_slice(bytes);
        let unused = u32::try_from(8 * (WORD - bytes.len())).unwrap_or(u128::BITS);
        Self::Word(u128::from_le_bytes(padded), u128::MAX.checked_shr(unused).unwrap_or(0), bytes.len())
    }

    /// The place after the literal, if it is at `at`. Text near the end of the document may count as different.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the call is half of the work")]
    pub(crate) fn after(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let rest = bytes.get(at..)?;
        let (is_here, length) = match self {
            Self::Word(word, mask, length) => ((word_of(rest.first_chunk()?) ^ word) & mask == 0, *length),
            Self::Words(first, last, length) => {
                let end = word_of(rest.get(..*length)?.last_chunk()?);
                ((word_of(rest.first_chunk()?) ^ first) | (end ^ last) == 0, *length)
            }
            Self::Long(text) => (rest.starts_with(text), text.len()),
        };
        is_here.then_some(at + length)
    }
}

#[inline]
fn word_of(bytes: &[u8; WORD]) -> u128 {
    u128::from_le_bytes(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_where_all_of_its_bytes_are() {
        let text: Vec<u8> = (0..90).collect();
        for length in 0..70 {
            let literal = Literal::of(&text[3..3 + length]);
            assert_eq!(literal.after(&text, 3), Some(3 + length));
            assert_eq!(literal.after(&text, 100), None);
            for at in 3..3 + length {
                let mut other = text.clone();
                other[at] ^= 0x80;
                assert_eq!(literal.after(&other, 3), None, "{at} of {length}");
                assert_eq!(literal.after(&text[..at], 3), None, "{at} of {length}");
            }
        }
    }
}
