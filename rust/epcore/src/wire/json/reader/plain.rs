//! Where plain text ends: at a quote, a backslash or a control character.

/// How many bytes come before a quote, a backslash or a control character; many at a time.
#[inline]
pub(crate) fn plain_length(bytes: &[u8]) -> usize {
    let mut length = 0;
    while let Some(chunk) = bytes[length..].first_chunk() {
        if let Some(end) = first_end(chunk) {
            return length + end;
        }
        length += chunk.len();
    }
    let rest = &bytes[length..];
    length + rest.iter().position(|&byte| is_end(byte)).unwrap_or(rest.len())
}

/// The first byte that ends plain text. Every processor of this kind can look at sixteen at once.
#[cfg(target_arch = "x86_64")]
#[inline]
fn first_end(chunk: &[u8; 16]) -> Option<usize> {
    use safe_arch::{
        bitor_m128i, bitxor_m128i, cmp_eq_mask_i8_m128i, m128i, min_u8_m128i, move_mask_i8_m128i, set_splat_i8_m128i,
    };

    let bytes = m128i::from(*chunk);
    let splat = |byte: u8| set_splat_i8_m128i(byte.cast_signed());
    // As in `is_end`.
    let swapped = bitxor_m128i(bytes, splat(0x02));
    let are_low = cmp_eq_mask_i8_m128i(min_u8_m128i(swapped, splat(0x20)), swapped);
    let ends = move_mask_i8_m128i(bitor_m128i(are_low, cmp_eq_mask_i8_m128i(bytes, splat(b'\\'))));
    (ends != 0).then(|| ends.trailing_zeros() as usize)
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn first_end(chunk: &[u8; 8]) -> Option<usize> {
    let marks = marks(*chunk);
    (marks != 0).then(|| (marks.trailing_zeros() / 8) as usize)
}

/// True if so many bytes from a place on come before a quote and have no end of plain text among them.
#[inline(always)]
pub(crate) fn is_plain(bytes: &[u8], from: usize, length: usize) -> bool {
    const WINDOW: usize = 16;
    let Some(rest) = bytes.get(from..) else { return false };
    let (WINDOW..=48, Some(around)) = (length, rest.first_chunk::<49>()) else { return is_any_plain(rest, length) };
    let last = length - WINDOW;
    let window = |at: usize| around[at..].first_chunk::<WINDOW>();
    let (Some(first), Some(middle), Some(last)) = (window(0), window(last.min(WINDOW)), window(last)) else {
        return false;
    };
    // All three are looked at together.
    let ends: [bool; WINDOW] = std::array::from_fn(|at| is_end(first[at]) | is_end(middle[at]) | is_end(last[at]));
    around[length] == b'"' && !ends.iter().fold(false, |found, end| found | end)
}

/// The same of any length, and near the end of a document.
#[cold]
fn is_any_plain(rest: &[u8], length: usize) -> bool {
    matches!(rest.get(..=length), Some([text @ .., b'"']) if is_all_plain(text))
}

/// True if no byte of a short text ends plain text, so that it needs no escape.
#[inline]
pub(crate) fn is_all_plain(text: &[u8]) -> bool {
    if let Some(last) = text.last_chunk() {
        return !has_end(last) && !text.as_chunks().0.iter().any(has_end);
    }
    let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) else {
        return !text.iter().any(|&byte| is_end(byte));
    };
    marks(*first) | marks(*last) == 0
}

/// The same of a long text, of which the compiler looks at many bytes at once. The least of all is one step for each, and so is the first
/// half of [`is_end`].
#[inline]
pub(crate) fn are_plain(bytes: &[u8]) -> bool {
    let least = bytes
        .iter()
        .fold((u8::MAX, u8::MAX), |(low, backslash), byte| (low.min(byte ^ 0x02), backslash.min(byte ^ b'\\')));
    matches!(least, (0x21.., 1..))
}

/// True if one of the bytes ends plain text; the compiler looks at all at once.
#[inline]
fn has_end(chunk: &[u8; 16]) -> bool {
    chunk.iter().fold(false, |found, &byte| found | is_end(byte))
}

/// True of a quote, a backslash and a control character: in a string of JSON they need an escape.
#[inline]
#[expect(clippy::needless_bitwise_bool, reason = "without branches many bytes are looked at at once")]
pub(crate) fn is_end(byte: u8) -> bool {
    // This bit swaps the quote with the space, which is next to the control characters.
    (byte ^ 0x02 <= 0x20) | (byte == b'\\')
}

/// The high bit of the first byte that ends plain text, and perhaps of others behind it.
#[inline]
fn marks(chunk: [u8; 8]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let word = u64::from_le_bytes(chunk);
    // This bit swaps the quote with the space, which is next to the control characters: one subtraction finds both.
    let quote = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
    // The lowest marked byte is right; a borrow can mark only bytes above it.
    (quote | backslash) & !word & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_of_a_known_length_is_plain_and_before_a_quote() {
        for length in 1..60 {
            let text = format!("[\"{}\"]", "x".repeat(length));
            assert!(is_plain(text.as_bytes(), 2, length));
            assert!(!is_plain(text.as_bytes(), 2, length - 1) && !is_plain(text.as_bytes(), 2, length + 1));
            for (at, end) in (2..length + 2).flat_map(|at| ["\"", "\\", "\n", "\u{1f}", "\0"].map(|end| (at, end))) {
                let mut spoiled = text.clone();
                spoiled.replace_range(at..=at, end);
                assert!(!is_plain(spoiled.as_bytes(), 2, length), "{spoiled:?}");
            }
            assert!(is_plain(text.replace("xx", "é").as_bytes(), 2, length));
        }
    }

    #[test]
    fn finds_the_end_of_plain_text_at_any_place() {
        for length in 0..40 {
            for end in ["\"", "\\", "\n", "\u{1f}"] {
                let text = format!("{}{end}{}", "é".repeat(length / 2) + &"x".repeat(length % 2), "\"".repeat(9));
                assert_eq!(plain_length(text.as_bytes()), length / 2 * 2 + length % 2, "{text:?}");
            }
        }
    }
}
