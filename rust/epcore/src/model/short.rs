//! Short texts as numbers. They go through no memory: a processor would wait for what was written one part after the other.

/// Most bytes of a short text.
pub(super) const SHORT: usize = size_of::<u128>();

/// A text of no more than [`SHORT`] bytes, the first byte in the lowest place, and another byte in all places behind it.
#[inline]
pub(super) fn filled(text: &[u8], with: u8) -> u128 {
    let length = text.len();
    let word = if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        u128::from(u64::from_le_bytes(*first)) | u128::from(u64::from_le_bytes(*last)) << (8 * (length - 8))
    } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        u128::from(u32::from_le_bytes(*first)) | u128::from(u32::from_le_bytes(*last)) << (8 * (length - 4))
    } else {
        text.iter().rev().fold(0, |word, &byte| word << 8 | u128::from(byte))
    };
    // In two steps, since one may be as wide as all of them.
    word | u128::from_le_bytes([with; SHORT]) << (4 * length) << (4 * length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_followed_by_one_byte_again_and_again() {
        let text: Vec<u8> = (1..).take(SHORT).collect();
        for length in 0..=SHORT {
            let mut padded = [b'x'; SHORT];
            padded[..length].copy_from_slice(&text[..length]);
            assert_eq!(filled(&text[..length], b'x').to_le_bytes(), padded);
        }
    }
}
