//! Containers that could take new items: of many there are few kinds, and each kind is priced once.

use std::collections::BTreeMap;

use crate::pack::pace::Counts;

/// What a container offers to new items.
#[derive(Clone, Copy)]
pub(super) struct Offer {
    /// It takes them only where no other one has room.
    pub(super) is_last: bool,
    pub(super) room: usize,
    pub(super) counts: Counts,
    /// What it costs to write it in this step.
    pub(super) now: f64,
}

struct Kind {
    offer: Offer,
    /// What its containers bring later when they are full.
    full: f64,
    /// Its containers, the first one at the end; there is always one.
    bins: Vec<usize>,
}

/// What so many new items bring later on a container with these counts.
type Later<'a> = &'a dyn Fn(&Counts, usize) -> f64;

pub(super) struct Offers {
    kinds: Vec<Kind>,
}

impl Offers {
    /// From the offers of containers, in their order.
    pub(super) fn new(offers: impl DoubleEndedIterator<Item = (usize, Offer)>, later: Later<'_>) -> Self {
        let mut kinds: BTreeMap<(bool, Counts, u64), Kind> = BTreeMap::new();
        for (bin, offer) in offers.rev().filter(|(_, offer)| offer.room > 0) {
            let kind = || Kind { offer, full: later(&offer.counts, offer.room), bins: Vec::new() };
            // Those with the same items have the same room.
            kinds.entry((offer.is_last, offer.counts, offer.now.to_bits())).or_insert_with(kind).bins.push(bin);
        }
        Self { kinds: kinds.into_values().collect() }
    }

    /// The price of the container that is the cheapest for so many new items, for each that it takes, and where it is; the first of equals.
    pub(super) fn cheapest(&self, items: usize, later: Later<'_>) -> Option<(f64, usize)> {
        let priced = |(at, kind): (usize, &Kind)| {
            let Kind { offer, full, bins } = kind;
            let later = if items < offer.room { later(&offer.counts, items) } else { *full };
            (offer.is_last, (offer.now + later) / share(offer.room, items), bins.last().copied(), at)
        };
        let best = self
            .kinds
            .iter()
            .enumerate()
            .map(priced)
            .min_by(|left, right| left.0.cmp(&right.0).then(left.1.total_cmp(&right.1)).then(left.2.cmp(&right.2)));
        best.map(|(_, price, _, at)| (price, at))
    }

    /// Take the container that was found there, and its room.
    pub(super) fn take(&mut self, at: usize) -> Option<(usize, usize)> {
        let kind = &mut self.kinds[at];
        let taken = (kind.bins.pop()?, kind.offer.room);
        if kind.bins.is_empty() {
            self.kinds.swap_remove(at);
        }
        Some(taken)
    }
}

/// The part of the items that there is room for.
pub(super) fn share(room: usize, items: usize) -> f64 {
    if items <= room { 1.0 } else { room as f64 / items as f64 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: usize = 5;

    fn later(counts: &Counts, new: usize) -> f64 {
        (counts[0] * new) as f64 / 3.0
    }

    proptest! {
        #[test]
        fn the_cheapest_is_found_that_looking_at_each_would_find(
            bins in prop::collection::vec((any::<bool>(), 0..=MAX, 0u8..3), 0..12), items in 1usize..30,
        ) {
            let offer = |(bin, &(is_last, count, now)): (usize, &(bool, usize, u8))| {
                (bin, Offer { is_last, room: MAX - count, counts: [count, 0, 0, 0], now: f64::from(now) })
            };
            let all: Vec<(usize, Offer)> = bins.iter().enumerate().map(offer).collect();
            let mut offers = Offers::new(all.iter().copied(), &later);
            let (mut left, mut taken) = (items, Vec::new());
            while left > 0 && let Some((price, at)) = offers.cheapest(left, &later) {
                let plain = |offer: &Offer| {
                    (offer.now + later(&offer.counts, offer.room.min(left))) / share(offer.room, left)
                };
                let open = all.iter().filter(|(bin, offer)| offer.room > 0 && !taken.contains(bin));
                let best = open.map(|(bin, offer)| (offer.is_last, plain(offer), *bin, offer.room)).min_by(|one, other| {
                    one.partial_cmp(other).expect("prices are numbers")
                });
                let (bin, room) = offers.take(at).expect("it was found");
                prop_assert_eq!(best.map(|(_, price, bin, room)| (price, bin, room)), Some((price, bin, room)));
                left -= room.min(left);
                taken.push(bin);
            }
            prop_assert!(left == 0 || taken.len() == all.iter().filter(|(_, offer)| offer.room > 0).count());
        }
    }
}
