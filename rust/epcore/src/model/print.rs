//! What an endpoint says, as a number of 128 bits, so that two are compared at once.
//!
//! The number is a keyed universal hash: for any two endpoints that differ it is the same with a probability below 2^-120, whatever they say,
//! over the keys, which each process draws for itself and tells nobody. It never leaves the process.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use crate::model::{Address, EndpointRef};

/// The number of an endpoint.
pub(crate) type Print = u128;

/// The print of an endpoint that has none: it is compared field by field, as it has fields that few have, or much text.
pub(crate) const NONE: Print = 0;

/// Most words of eight bytes of an endpoint that has a print.
const WORDS: usize = 96;

struct Keys {
    words: [[u64; 2]; WORDS],
    last: [[u128; 3]; 2],
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let state = RandomState::new();
    let mut number = 0u64;
    let mut key = || {
        number += 1;
        state.hash_one(number)
    };
    let words = std::array::from_fn(|_| [key(), key()]);
    let mut long = || u128::from(key()) << 64 | u128::from(key());
    Keys { words, last: std::array::from_fn(|_| std::array::from_fn(|_| long())) }
});

/// Two sums over the words, each times a key of its place. Two texts of words have the same sum with a probability of 2^-63, and the same two
/// sums with its square.
struct Sums {
    keys: std::slice::Iter<'static, [u64; 2]>,
    totals: [u128; 2],
    is_too_long: bool,
}

impl Sums {
    #[inline]
    fn add(&mut self, word: u64) {
        let Some(keys) = self.keys.next() else {
            self.is_too_long = true;
            return;
        };
        for (sum, &key) in self.totals.iter_mut().zip(keys) {
            *sum = sum.wrapping_add(u128::from(word) * u128::from(key));
        }
    }

    /// A text of which the length is known: its words, the last one of its last bytes.
    #[inline]
    fn add_text(&mut self, text: &[u8]) {
        let (words, rest) = text.as_chunks();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        match text.last_chunk() {
            _ if rest.is_empty() => {}
            Some(last) => self.add(u64::from_le_bytes(*last)),
            None => self.add(rest.iter().fold(0, |word, &byte| word << 8 | u64::from(byte))),
        }
    }

    /// Each sum cut to half of its bits (Lemire and Kaser, "Strongly universal string hashing is fast").
    fn print(&self) -> Print {
        if self.is_too_long {
            return NONE;
        }
        let halves: [u128; 2] = std::array::from_fn(|at| {
            let ([first, low, high], sum) = (KEYS.last[at], self.totals[at]);
            first.wrapping_add(low.wrapping_mul(sum & u128::from(u64::MAX))).wrapping_add(high.wrapping_mul(sum >> 64))
                >> 64
        });
        halves[0] << 64 | halves[1]
    }
}

/// The print of an endpoint.
pub(crate) fn print(endpoint: EndpointRef<'_>) -> Print {
    if endpoint.rare().is_some() {
        return NONE;
    }
    let (address, texts) = (endpoint.address(), endpoint.text_bytes());
    let mut sums = Sums { keys: KEYS.words.iter(), totals: [0; 2], is_too_long: false };
    let (family, name) = match address {
        Address::V4(_) => (4, &[][..]),
        Address::V6(_) => (6, &[][..]),
        Address::Name(name) => (0, name.as_bytes()),
    };
    sums.add(u64::from(endpoint.conditions().bits()) << 8 | family);
    // What fits into `WORDS` is shorter than 2^16 bytes; the rest has no print.
    let lengths = texts.iter().map(|text| text.len()).chain([name.len()]);
    let mut packed = [0u64; 3];
    for (at, length) in lengths.enumerate() {
        packed[at / 4] |= (length as u64) << (at % 4 * 16);
    }
    for word in packed {
        sums.add(word);
    }
    match address {
        Address::V4(address) => sums.add(u64::from(u32::from(address))),
        Address::V6(address) => sums.add_text(&address.octets()),
        Address::Name(name) => sums.add_text(name.as_bytes()),
    }
    for text in texts {
        sums.add_text(text);
    }
    sums.print()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::EndpointList;
    use crate::wire::json;

    const WHOLE: &str = r#"{"addresses":["10.0.0.1"],"conditions":{"ready":true},"hostname":"h","targetRef":{"kind":"Pod","namespace":"shop",
        "name":"a-rather-long-name","uid":"u"},"nodeName":"node-1","zone":"z","hints":{"forZones":[{"name":"z"}]}}"#;

    /// Each differs from all others, most from the first in one field.
    fn different() -> Vec<String> {
        let edits = [
            ("10.0.0.1", "10.0.0.2"),
            ("10.0.0.1", "2001:db8::1"),
            ("10.0.0.1", "db.example.org"),
            ("true", "false"),
            (r#""conditions":{"ready":true},"#, ""),
            (r#""h""#, r#""g""#),
            (r#""hostname":"h","#, ""),
            ("Pod", "pod"),
            ("shop", "shot"),
            ("-name", "-game"),
            ("a-rather", "b-rather"),
            ("rather-long", "rather-lonh"),
            (r#""u""#, r#""uu""#),
            ("node-1", "node-2"),
            (r#""zone":"z""#, r#""zone":"y""#),
            (r#"[{"name":"z"}]"#, r#"[{"name":"y"}]"#),
            (r#""hostname":"h","#, r#""hostname":"z","#),
        ];
        let edited = edits.iter().map(|(from, to)| WHOLE.replacen(from, to, 1));
        [WHOLE.to_owned()].into_iter().chain(edited).collect()
    }

    fn list(endpoints: &[String]) -> EndpointList {
        json::read_endpoints(format!("[{}]", endpoints.join(",")).as_bytes()).expect("endpoints")
    }

    #[test]
    fn two_endpoints_have_the_same_print_if_they_are_equal() {
        let mut texts = different();
        let there = list(&texts);
        let prints: BTreeSet<Print> = there.prints().iter().copied().collect();
        assert_eq!((prints.len(), prints.contains(&NONE)), (texts.len(), false));
        texts.reverse();
        let reversed: Vec<Print> = list(&texts).prints().iter().rev().copied().collect();
        assert_eq!(reversed, there.prints());
    }

    #[test]
    fn what_few_endpoints_have_leaves_them_without_a_print() {
        let texts = [
            WHOLE.replace(r#"["10.0.0.1""#, r#"["10.0.0.1","10.0.0.2""#),
            WHOLE.replace(r#""uid":"u""#, r#""uid":"u","resourceVersion":"7""#),
            WHOLE.replace(r#""zone""#, r#""weight":1,"zone""#),
            WHOLE.replace(r#""uid":"u""#, &format!(r#""uid":"{}""#, "u".repeat(8 * WORDS))),
        ];
        assert_eq!(list(&texts).prints(), [NONE; 4]);
    }

    #[test]
    fn a_list_that_changes_has_other_prints() {
        let there = list(&different());
        let before = there.prints().to_vec();
        let mut shorter = there.clone();
        shorter.prints();
        shorter.truncate(3);
        assert_eq!(shorter.prints(), &before[..3]);
        shorter.push(there.get(5).expect("an endpoint")).expect("room");
        assert_eq!(shorter.prints(), [before[0], before[1], before[2], before[5]]);
        let replaced = shorter.with_replaced(&[(0, there.get(4)), (2, None)]).expect("room");
        assert_eq!(replaced.prints(), [before[4], before[1], before[5]]);
        shorter.push_with_hints(there.get(0).expect("an endpoint"), "").expect("room");
        assert!(!before.contains(&shorter.prints()[4]));
    }
}
