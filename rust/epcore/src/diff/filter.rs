//! Which hashes were seen, as near as a few bits for each can tell.

/// A Bloom filter of which each hash sets bits of one word: it may take a hash for one that it has seen, and never the other way round.
pub(super) struct Filter(Box<[u64]>);

impl Filter {
    /// With room for so many hashes, of which it mistakes one in a thousand at most while they come, in the mean.
    pub(super) fn with_room(hashes: usize) -> Self {
        const HASHES_OF_A_WORD: usize = 3;
        Self(vec![0; (hashes / HASHES_OF_A_WORD + 1).next_power_of_two()].into_boxed_slice())
    }

    /// Add a hash; true if it may have been there.
    #[inline]
    pub(super) fn insert(&mut self, hash: u64) -> bool {
        let (at, bits) = self.bits(hash);
        let was = self.0[at];
        self.0[at] = was | bits;
        was & bits == bits
    }

    #[inline]
    pub(super) fn contains(&self, hash: u64) -> bool {
        let (at, bits) = self.bits(hash);
        self.0[at] & bits == bits
    }

    #[inline]
    fn bits(&self, hash: u64) -> (usize, u64) {
        let at = (hash >> 24) as usize & (self.0.len() - 1);
        (at, [0, 6, 12, 18].into_iter().fold(0, |bits, shift| bits | 1 << (hash >> shift & 63)))
    }
}

impl FromIterator<u64> for Filter {
    fn from_iter<I: IntoIterator<Item = u64>>(hashes: I) -> Self {
        let hashes = hashes.into_iter();
        let mut filter = Self::with_room(hashes.size_hint().0);
        for hash in hashes {
            filter.insert(hash);
        }
        filter
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::key::{Hasher, Key};

    #[test]
    fn what_was_seen_is_known_and_little_else() {
        let of = Hasher::new(Key::Address);
        for (count, step) in
            [0, 1, 10, 10_000u64].into_iter().flat_map(|count| [1, 4, 256, 65_536].map(|step| (count, step)))
        {
            let hashes: Vec<u64> = (0..2 * count).map(|number| of.hash_number(step * number)).collect();
            let (some, others) = hashes.split_at(hashes.len() / 2);
            let mut filter = Filter::with_room(some.len());
            let mistakes = some.iter().filter(|&&hash| filter.insert(hash)).count();
            assert!(mistakes <= 2 + some.len() / 500, "{mistakes} {count} {step}");
            assert!(some.iter().all(|&hash| filter.contains(hash) && filter.insert(hash)));
            let mistakes = others.iter().filter(|&&hash| filter.contains(hash)).count();
            assert!(mistakes <= 2 + others.len() / 100, "{mistakes} {count} {step}");
        }
    }
}
