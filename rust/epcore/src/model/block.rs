//! IPv4 addresses of one cluster, which begin with the same two octets.

use std::net::Ipv4Addr;

use crate::model::{leading_v4, may_be_special};

/// The first two octets of the last address, and their text, up to the second dot.
#[derive(Default)]
pub(crate) struct Block {
    octets: [u8; 2],
    may_be_special: bool,
    /// The text, which bits of it count, and of how many bytes it is.
    text: u64,
    mask: u64,
    length: usize,
}

/// The same in each byte.
const DIGITS: u64 = u64::from_le_bytes([b'0'; 8]);
const DOTS: u64 = u64::from_le_bytes([b'.'; 8]);
const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
/// What added to a digit leaves the highest bit of its byte alone, and to no greater number.
const ABOVE_NINE: u64 = u64::from_le_bytes([0x76; 8]);
/// The first byte of each of two numbers of four.
const FIRST: u64 = 0xff_0000_00ff;

impl Block {
    /// False if the last address begins as none that the API refuses.
    #[inline]
    pub(crate) fn may_be_special(&self) -> bool {
        self.may_be_special
    }

    /// The address that is `size` bytes at a place.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the call is a quarter of the work")]
    pub(crate) fn address(&mut self, bytes: &[u8], start: usize, size: usize) -> Option<Ipv4Addr> {
        match self.find(bytes, start, size) {
            None => self.other(bytes.get(start..)?, size),
            found => found,
        }
    }

    /// The same if it begins as the last one did.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the call is a quarter of the work")]
    fn find(&self, bytes: &[u8], start: usize, size: usize) -> Option<Ipv4Addr> {
        let first = u64::from_le_bytes(*bytes.get(start..)?.first_chunk()?);
        // The last byte is the least: the text may begin after the first of these, which are then not looked at.
        let last = u64::from_be_bytes(*bytes.get(..start + size)?.last_chunk()?);
        let rest = u32::try_from(size.checked_sub(self.length)?).ok().filter(|rest| *rest < 8)?;
        if self.length == 0 || (first ^ self.text) & self.mask != 0 {
            return None;
        }
        let dots = last ^ DOTS;
        // Bits of the digits behind the last dot, and of those before it.
        let after = (dots.wrapping_sub(ONES) & !dots & HIGH).trailing_zeros() & !7;
        let before = (8 * rest).wrapping_sub(after + 8);
        // Eight for each of up to three digits, or of four, of which the first must be zero.
        if after.wrapping_sub(8) | before.wrapping_sub(8) > 24 {
            return None;
        }
        let digits = last ^ DIGITS;
        let fourth = digits & !(u64::MAX << after);
        let third = digits >> (after + 8) & !(u64::MAX << before);
        let both = third << 32 | fourth;
        let octets = (both & FIRST) + 10 * (both >> 8 & FIRST) + 100 * (both >> 16 & FIRST);
        let wrong = (both.wrapping_add(ABOVE_NINE) | both) & HIGH | both >> 24 & FIRST | octets & !FIRST;
        let [fourth, _, _, _, third, ..] = octets.to_le_bytes();
        (wrong == 0).then(|| Ipv4Addr::new(self.octets[0], self.octets[1], third, fourth))
    }

    /// Any other address, with which the next ones may begin.
    #[inline(never)]
    fn other(&mut self, text: &[u8], size: usize) -> Option<Ipv4Addr> {
        // More bytes than the text has make it faster; one of them may look like a digit of it.
        let is_whole = |(_, length): &(Ipv4Addr, usize)| *length == size;
        let whole = || leading_v4(text.get(..size)?).filter(is_whole);
        let (address, _) = leading_v4(text).filter(is_whole).or_else(whole)?;
        let may_be_special = may_be_special(address);
        *self = Self { may_be_special, ..Self::default() };
        let [first, second, ..] = address.octets();
        let mut dots = (1..).zip(text).filter(|(_, byte)| **byte == b'.').map(|(length, _)| length);
        if let (Some(length @ 1..=8), Some(text)) = (dots.nth(1), text.first_chunk()) {
            let mask = u64::MAX >> (64 - 8 * length);
            *self =
                Self { octets: [first, second], may_be_special, text: u64::from_le_bytes(*text) & mask, mask, length };
        }
        Some(address)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The address of a whole text, whatever is around it.
    fn plainly(text: &str) -> Option<Ipv4Addr> {
        leading_v4(text.as_bytes()).filter(|(_, length)| *length == text.len()).map(|(address, _)| address)
    }

    fn agrees(block: &mut Block, before: &str, text: &str, after: &str) {
        let all = format!("{before}{text}{after}");
        assert_eq!(block.address(all.as_bytes(), before.len(), text.len()), plainly(text), "{text:?} in {all:?}");
    }

    #[test]
    fn an_address_is_the_same_after_any_other() {
        let octets = ["0", "9", "10", "99", "100", "255", "256", "999", "007", "0255", "0256", "1000", "", "x", "1/"];
        let texts = octets.iter().flat_map(|third| octets.iter().map(move |fourth| format!("{third}.{fourth}")));
        let texts: Vec<String> = texts.chain(["1".into(), "1.2.3".into(), ".1".into(), "1.".into()]).collect();
        for begin in ["10.0.", "192.168.", "1.2.", "010.000000.", "255.255.", "10."] {
            for around in [("12345678", "12345678"), ("........", "........"), ("", ""), ("\n\u{8}", "\u{1a}\0")] {
                let mut block = Block::default();
                for text in &texts {
                    agrees(&mut block, around.0, &format!("{begin}{text}"), around.1);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        #[test]
        fn addresses_one_after_the_other_are_what_each_is(
            texts in prop::collection::vec("(10\\.0|10\\.244|1\\.2|100\\.64)\\.[0-9./:a]{0,8}|[0-9]{1,4}(\\.[0-9]{1,4}){1,4}", 1..8),
        ) {
            let mut block = Block::default();
            for text in texts {
                agrees(&mut block, "ab12.45.78", &text, ".1234567890");
            }
        }
    }
}
