//! IPv4 addresses as text: four decimal octets with dots between them.

use std::net::Ipv4Addr;

#[cfg(not(target_arch = "x86_64"))]
use usual_v4_by_bytes as usual_v4;
#[cfg(target_arch = "x86_64")]
use vectors::usual_v4;

/// Write an address as it shows itself. Nearly all are such ones, and the formatter of the standard library takes ten times as long.
pub(crate) fn write_v4(out: &mut Vec<u8>, address: Ipv4Addr) {
    let (text, length) = dotted(address);
    out.extend_from_slice(&text[..length - 1]);
}

/// An address as it shows itself and one more dot, and how many bytes these are. It goes through no memory: the processor would wait for what was
/// written one octet after the other.
#[inline]
pub(crate) fn dotted(address: Ipv4Addr) -> ([u8; 16], usize) {
    let [one, two, three, four] = address.octets().map(|octet| OCTETS[usize::from(octet)]);
    let pair = |(left, size): (u32, u32), (right, more): (u32, u32)| {
        (u64::from(left) | u64::from(right) << (8 * size), size + more)
    };
    let [(left, size), (right, more)] = [pair(one, two), pair(three, four)];
    let text = u128::from(left) | u128::from(right) << (8 * size);
    (text.to_le_bytes(), (size + more) as usize)
}

/// How many bytes that takes.
pub(crate) fn v4_size(address: Ipv4Addr) -> usize {
    address.octets().iter().map(|&octet| OCTETS[usize::from(octet)].1 as usize).sum::<usize>() - 1
}

/// Each octet with a dot behind it, as a number whose lowest byte comes first, and of how many bytes it is.
static OCTETS: [(u32, u32); 256] = {
    let mut octets = [(0, 0); 256];
    let mut octet = 0;
    while octet < 256 {
        let (text, count) = &mut octets[octet as usize];
        let mut unit = 100;
        while unit > 0 {
            if octet >= unit || unit == 1 {
                *text |= (b'0' as u32 + octet / unit % 10) << (8 * *count);
                *count += 1;
            }
            unit /= 10;
        }
        *text |= (b'.' as u32) << (8 * *count);
        *count += 1;
        octet += 1;
    }
    octets
};

/// Four decimal octets of any number of digits at the beginning of a text, and how many bytes they are.
#[inline]
pub(crate) fn leading_v4(text: &[u8]) -> Option<(Ipv4Addr, usize)> {
    match text.first_chunk().and_then(usual_v4) {
        None => any_v4(text),
        usual => usual,
    }
}

/// The same of octets that have no more than three digits each, if they are that, byte by byte.
#[inline]
#[cfg(any(test, not(target_arch = "x86_64")))]
fn usual_v4_by_bytes(text: &[u8; 16]) -> Option<(Ipv4Addr, usize)> {
    let digit = |at: usize| u16::from(text[at % 16].wrapping_sub(b'0'));
    let mut octets = [0u8; 4];
    let mut at = 0;
    for (index, octet) in octets.iter_mut().enumerate() {
        if index > 0 && text[at % 16] != b'.' {
            return None;
        }
        at += usize::from(index > 0);
        let (value, count) = match [digit(at), digit(at + 1), digit(at + 2)] {
            [first, ..] if first > 9 => return None,
            [one, second, _] if second > 9 => (one, 1),
            [ten, one, third] if third > 9 => (10 * ten + one, 2),
            [hundred, ten, one] => (100 * hundred + 10 * ten + one, 3),
        };
        *octet = u8::try_from(value).ok()?;
        at += count;
    }
    // Another digit may follow, or the text may have come round.
    (at < 16 && digit(at) > 9).then_some((Ipv4Addr::from(octets), at))
}

fn any_v4(text: &[u8]) -> Option<(Ipv4Addr, usize)> {
    let mut octets = [0u8; 4];
    let mut at = 0;
    for (index, octet) in octets.iter_mut().enumerate() {
        if index > 0 {
            if *text.get(at)? != b'.' {
                return None;
            }
            at += 1;
        }
        let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let value = text[at..at + digits]
            .iter()
            .try_fold(0, |value: u16, digit| Some(value * 10 + u16::from(digit - b'0')).filter(|value| *value < 256));
        *octet = u8::try_from(value.filter(|_| digits > 0)?).ok()?;
        at += digits;
    }
    Some((Ipv4Addr::from(octets), at))
}

/// What every processor of this kind can do with sixteen bytes at once.
#[cfg(target_arch = "x86_64")]
mod vectors {
    use std::net::Ipv4Addr;

    use safe_arch::{
        add_i8_m128i, bitand_m128i, bitor_m128i, byte_shl_imm_u128_m128i, cmp_eq_mask_i8_m128i, cmp_gt_mask_i8_m128i,
        m128i, min_u8_m128i, move_mask_i8_m128i, mul_i16_keep_low_m128i, set_splat_i8_m128i, set_splat_i16_m128i,
        sub_i8_m128i,
    };

    /// As byte by byte. Lengths of octets come in any order, and a processor that has to guess them is often wrong.
    #[inline]
    pub(super) fn usual_v4(text: &[u8; 16]) -> Option<(Ipv4Addr, usize)> {
        let text = m128i::from(*text);
        let digits = sub_i8_m128i(text, set_splat_i8_m128i(b'0'.cast_signed()));
        let are_digits = cmp_eq_mask_i8_m128i(min_u8_m128i(digits, set_splat_i8_m128i(9)), digits);
        let dots = places(cmp_eq_mask_i8_m128i(text, set_splat_i8_m128i(b'.'.cast_signed())));
        let end = (!(dots | places(are_digits))).trailing_zeros();
        let mut dots = dots & !(u32::MAX << end);
        let mut next_dot = || {
            let next = dots.trailing_zeros();
            dots &= dots.wrapping_sub(1);
            next
        };
        let ends = [next_dot(), next_dot(), next_dot(), end];
        let starts = [0, ends[0] + 1, ends[1] + 1, ends[2] + 1];
        let have_digits = starts.into_iter().zip(ends).map(|(start, end)| (1..=3).contains(&end.wrapping_sub(start)));
        let mut fits = have_digits.fold(dots == 0, |all, one| all & one);
        // At each place the number that ends there. Bytes are multiplied in pairs: at most 9 and 2, they stay apart.
        let ones = bitand_m128i(digits, are_digits);
        let tens = byte_shl_imm_u128_m128i::<1>(ones);
        let hundreds = bitand_m128i(byte_shl_imm_u128_m128i::<2>(ones), byte_shl_imm_u128_m128i::<1>(are_digits));
        let two = set_splat_i8_m128i(2);
        let rest = add_i8_m128i(ones, mul_i16_keep_low_m128i(tens, set_splat_i16_m128i(10)));
        let numbers = add_i8_m128i(rest, mul_i16_keep_low_m128i(min_u8_m128i(hundreds, two), set_splat_i16_m128i(100)));
        let above_255 =
            bitand_m128i(cmp_eq_mask_i8_m128i(hundreds, two), cmp_gt_mask_i8_m128i(rest, set_splat_i8_m128i(55)));
        let too_large = places(bitor_m128i(cmp_gt_mask_i8_m128i(hundreds, two), above_255));
        let last = ends.map(|end| end.wrapping_sub(1) % 16);
        fits &= last.iter().fold(0, |found, last| found | too_large >> last & 1) == 0;
        let numbers: [u8; 16] = numbers.into();
        fits.then(|| (Ipv4Addr::from(last.map(|last| numbers[last as usize])), end as usize))
    }

    /// A bit for each byte of which all bits are set.
    #[inline]
    fn places(block: m128i) -> u32 {
        move_mask_i8_m128i(block).cast_unsigned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_at_the_beginning_of_a_text_are_found_in_either_way() {
        let octets = ["0", "7", "10", "99", "100", "249", "255", "256", "300", "007", "0100", "", "x"];
        let after = ["", "\"", "\"},{\"addresses\"", ".", "1", "5678901234567890", ".1.2.3.4.5.6.7", "x"];
        for (first, last) in octets.iter().flat_map(|first| octets.iter().map(move |last| (first, last))) {
            for text in after.iter().flat_map(|after| {
                [
                    format!("{first}.2.13.{last}{after}"),
                    format!("192.{first}.{last}.244{after}"),
                    format!("{first}{last}{after}"),
                ]
            }) {
                assert_eq!(leading_v4(text.as_bytes()), any_v4(text.as_bytes()), "{text}");
                assert_agrees(text.as_bytes());
            }
        }
    }

    /// What all bytes at once say is what they say one by one, but for a fourth dot, and it is what any way says.
    fn assert_agrees(text: &[u8]) {
        let Some(chunk) = text.first_chunk() else { return };
        let (usual, by_bytes) = (usual_v4(chunk), usual_v4_by_bytes(chunk));
        assert!(usual == by_bytes || usual.is_none() && text[by_bytes.map_or(0, |(_, end)| end)] == b'.', "{text:?}");
        assert!(usual.is_none() || usual == any_v4(text), "{text:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn all_bytes_at_once_say_what_they_say_one_by_one(text in "[0-9.\"/:]{16,20}|[0-9]{1,4}(\\.[0-9]{1,3}){3}[\"./:x]{12}") {
            assert_agrees(text.as_bytes());
        }
    }
}
