//! What an endpoint says, as a number of 128 bits, so that two are compared at once.
//!
//! The number is a keyed universal hash: for any two endpoints that differ it is the same with a probability below 2^-120, whatever they say,
//! over the keys, which each process draws for itself and tells nobody. It never leaves the process.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use crate::model::{Address, EndpointRef, Text};

/// The number of an endpoint.
pub(crate) type Print = u128;

/// The print of an endpoint that has none: it is compared field by field, as it has fields that few have, or much text.
pub(crate) const NONE: Print = 0;

/// Most pairs of words of eight bytes in each text of an endpoint, in the order of [`EndpointRef::spans`]; what has more has no print.
const MOST: [usize; OWN + COMMON] = [16, 16, 16, 8, 32, 8, 8, 8];
/// The same for a domain name.
const MOST_OF_NAME: usize = 16;
/// How many of the texts of an endpoint are likely to be its own, and how many to be those of another one too.
const OWN: usize = 3;
const COMMON: usize = 5;
/// So many groups of common texts are remembered.
const RECENT: usize = 8;

/// A pair of words has a key for each of them in each of two sums.
type PairKeys = [[u64; 2]; 2];

/// Each place has its own keys, whatever is in the others.
struct Keys {
    /// What each endpoint has: its family, conditions and the lengths of its own texts; then those of the others.
    heads: [PairKeys; 2],
    address: [PairKeys; MOST_OF_NAME],
    texts: [Box<[PairKeys]>; OWN + COMMON],
    last: [[u128; 3]; 2],
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let state = RandomState::new();
    let mut number = 0u64;
    let mut key = || {
        number += 1;
        state.hash_one(number)
    };
    let mut pair = || [[key(), key()], [key(), key()]];
    let (heads, address) = (std::array::from_fn(|_| pair()), std::array::from_fn(|_| pair()));
    let texts = MOST.map(|most| std::iter::repeat_with(&mut pair).take(most).collect());
    let mut long = || u128::from(key()) << 64 | u128::from(key());
    Keys { heads, address, texts, last: std::array::from_fn(|_| std::array::from_fn(|_| long())) }
});

/// Two sums over pairs of words: each word and its key, times the other word and its (NH of UMAC, Black and others, "UMAC: Fast and Secure
/// Message Authentication"). Two endpoints have the same sum with a probability of 2^-64, and the same two sums with its square.
#[derive(Clone, Copy, Default)]
struct Sums([u128; 2]);

impl Sums {
    #[inline]
    fn add(&mut self, keys: &PairKeys, [low, high]: [u64; 2]) {
        for (sum, [key, other]) in self.0.iter_mut().zip(keys) {
            let product = u128::from(low.wrapping_add(*key)) * u128::from(high.wrapping_add(*other));
            *sum = sum.wrapping_add(product);
        }
    }

    /// A text of which the length is known: its pairs of words, the last one of its last bytes. False if it is too long.
    #[inline]
    fn add_text(&mut self, keys: &[PairKeys], text: &[u8]) -> bool {
        let (pairs, rest) = text.as_chunks();
        let (used, keys) = keys.split_at_checked(pairs.len()).unwrap_or_default();
        for (pair, keys) in pairs.iter().zip(used) {
            self.add(keys, words(pair));
        }
        if rest.is_empty() {
            return used.len() == pairs.len();
        }
        let Some(keys) = keys.first() else { return false };
        self.add(keys, text.last_chunk().map_or_else(|| words_of_few(text), words));
        true
    }

    /// Each sum cut to half of its bits (Lemire and Kaser, "Strongly universal string hashing is fast").
    #[inline]
    fn print(self, keys: &Keys) -> Print {
        let [high, low] = std::array::from_fn(|at| {
            let ([first, low, high], sum) = (keys.last[at], self.0[at]);
            first.wrapping_add(low.wrapping_mul(sum & u128::from(u64::MAX))).wrapping_add(high.wrapping_mul(sum >> 64))
                >> 64
        });
        high << 64 | low
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "it is cut in halves")]
fn words(pair: &[u8; 16]) -> [u64; 2] {
    let pair = u128::from_le_bytes(*pair);
    [pair as u64, (pair >> 64) as u64]
}

/// All bytes of a text that is shorter than two words, some of them twice.
#[inline]
fn words_of_few(text: &[u8]) -> [u64; 2] {
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return [u64::from_le_bytes(*first), u64::from_le_bytes(*last)];
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return [u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last))];
    }
    [text.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)), 0]
}

/// The print of each endpoint of a list.
pub(crate) fn prints<'a>(list: impl Iterator<Item = EndpointRef<'a>>) -> Box<[Print]> {
    let keys = &*KEYS;
    let mut recent = Recent::default();
    list.map(|endpoint| print(endpoint, keys, &mut recent)).collect()
}

/// Sums over the common texts of some endpoints, known by where these are.
#[derive(Default)]
struct Recent {
    known: [([Text; COMMON], Option<Sums>); RECENT],
    /// How many there have been.
    count: usize,
}

impl Recent {
    /// The sums over the common texts of an endpoint; `None` if one is too long.
    #[inline]
    fn sums(&mut self, endpoint: EndpointRef<'_>, spans: [Text; COMMON], keys: &Keys) -> Option<Sums> {
        match self.known.iter().take(self.count).find(|(known, _)| *known == spans) {
            Some((_, sums)) => *sums,
            None => self.add(endpoint, spans, keys),
        }
    }

    #[cold]
    fn add(&mut self, endpoint: EndpointRef<'_>, spans: [Text; COMMON], keys: &Keys) -> Option<Sums> {
        let (mut sums, mut fits) = (Sums::default(), true);
        // Each that fits is shorter than 2^12 bytes.
        sums.add(&keys.heads[1], [spans.iter().fold(0, |all, span| all << 12 | span.len() as u64), 0]);
        for (span, keys) in spans.iter().zip(&keys.texts[OWN..]) {
            fits &= sums.add_text(keys, endpoint.bytes(*span));
        }
        let sums = fits.then_some(sums);
        self.known[self.count % RECENT] = (spans, sums);
        self.count += 1;
        sums
    }
}

#[inline]
fn print(endpoint: EndpointRef<'_>, keys: &Keys, recent: &mut Recent) -> Print {
    let [name, uid, node, common @ ..] = endpoint.spans();
    let Some(mut sums) = recent.sums(endpoint, common, keys).filter(|_| endpoint.rare().is_none()) else { return NONE };
    let (family, address, domain) = match endpoint.address() {
        Address::V4(address) => (4, u32::from(address), &[][..]),
        Address::V6(address) => {
            sums.add(&keys.address[0], words(&address.octets()));
            (6, 0, &[][..])
        }
        Address::Name(domain) => (0, 0, domain.as_bytes()),
    };
    let mut fits = domain.is_empty() || sums.add_text(&keys.address, domain);
    let own = [name, uid, node];
    for (span, keys) in own.iter().zip(&keys.texts) {
        fits &= sums.add_text(keys, endpoint.bytes(*span));
    }
    let lengths = own.iter().fold(domain.len() as u64, |all, span| all << 16 | span.len() as u64);
    let about = u64::from(address) << 32 | u64::from(endpoint.conditions().bits()) << 8 | family;
    sums.add(&keys.heads[0], [about, lengths]);
    if fits { sums.print(keys) } else { NONE }
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
            WHOLE.replace(r#""uid":"u""#, &format!(r#""uid":"{}""#, "u".repeat(16 * MOST[1] + 1))),
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
