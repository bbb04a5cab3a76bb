//! How many slices, and which: the exact optimum of one step (`DESIGN.md`, "The optimum").

use crate::pack::{Policy, Prices};

/// A clean container with room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clean {
    pub(crate) bin: usize,
    pub(crate) count: usize,
}

/// Which clean containers to write, how many of those that lost everything to fill again, and how many to create.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) clean: Vec<usize>,
    pub(crate) refilled: usize,
    pub(crate) new: usize,
}

/// Average bytes, for policies with prices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes {
    pub(crate) per_container: f64,
    pub(crate) per_item: f64,
}

/// Choose where `overflow` items go that do not fit the dirty containers.
///
/// `clean` is in the order of ties. An optimal choice of clean containers is always a prefix of them in ascending order of their count:
/// swapping a fuller chosen one for an emptier one gives more room for less.
pub(crate) fn choose(
    overflow: usize,
    emptied: usize,
    clean: &[Clean],
    max: usize,
    policy: Policy,
    bytes: Bytes,
) -> Choice {
    if overflow == 0 {
        return Choice::default();
    }
    if policy == Policy::Upstream {
        return upstream(overflow, clean, max);
    }
    let mut ascending: Vec<Clean> = clean.iter().copied().filter(|clean| clean.count < max).collect();
    ascending.sort_by_key(|clean| clean.count);
    let prefix = match policy {
        Policy::Prices(prices) => cheapest_prefix((overflow, emptied), &ascending, max, prices, bytes),
        // The write of those that lost everything is paid for.
        Policy::Threshold(threshold) => {
            longest_prefix(overflow.saturating_sub(emptied * max), &ascending, max, threshold)
        }
        // Where nothing may move, fewest slices.
        Policy::Lifecycle(_) => longest_prefix(overflow, &ascending, max, 1.0),
        Policy::Upstream => 0,
    };
    let room: usize = ascending[..prefix].iter().map(|clean| max - clean.count).sum();
    let others = overflow.saturating_sub(room).div_ceil(max);
    let refilled = others.min(emptied);
    let clean = ascending[..prefix].iter().map(|clean| clean.bin).collect();
    Choice { clean, refilled, new: others - refilled }
}

/// At the write floor each clean container stands for a new one; take as many as the threshold and the room allow.
fn longest_prefix(overflow: usize, ascending: &[Clean], max: usize, threshold: f64) -> usize {
    let writes = overflow.div_ceil(max);
    let spare = writes * max - overflow;
    let allowed = |count: usize| count as f64 <= threshold * max as f64;
    let mut used = 0;
    ascending
        .iter()
        .take(writes)
        .take_while(|clean| {
            used += clean.count;
            used <= spare && allowed(clean.count)
        })
        .count()
}

/// One scan over all prefixes; the ceiling makes the price non-convex, so that the first local minimum is not enough.
fn cheapest_prefix(
    (overflow, emptied): (usize, usize),
    ascending: &[Clean],
    max: usize,
    prices: Prices,
    bytes: Bytes,
) -> usize {
    // Besides a prefix others are kept: those that lost everything, whose write is paid for, and then new ones.
    let price = |prefix: usize, counts: usize, others: usize| {
        let writes = prefix + others.saturating_sub(emptied);
        let sent = bytes.per_container * writes as f64 + bytes.per_item * counts as f64;
        let price = prices.write * writes as f64
            + prices.byte * f64::from(prices.watchers) * sent
            + prices.slice * others as f64;
        (price, writes)
    };
    let (mut room, mut counts) = (0, 0);
    let others = |room: usize| overflow.saturating_sub(room).div_ceil(max);
    let mut best = (price(0, 0, others(0)), 0);
    for (index, clean) in ascending.iter().enumerate() {
        if room >= overflow {
            break;
        }
        room += max - clean.count;
        counts += clean.count;
        let prefix = index + 1;
        let candidate = (price(prefix, counts, others(room)), prefix);
        // Of equal prices the fewer writes, then the shorter prefix.
        if candidate.0 < best.0 {
            best = candidate;
        }
    }
    best.1
}

/// Upstream `reconcileByPortMapping`, step 3: full new containers while the rest is large, then the fullest clean one that holds all of it.
fn upstream(overflow: usize, clean: &[Clean], max: usize) -> Choice {
    let (new, rest) = (overflow / max, overflow % max);
    if rest == 0 {
        return Choice { new, ..Choice::default() };
    }
    // The first of equals, as `max_by_key` would take the last.
    let fits = clean.iter().rev().filter(|clean| clean.count + rest <= max).max_by_key(|clean| clean.count);
    match fits {
        Some(clean) => Choice { clean: vec![clean.bin], new, ..Choice::default() },
        None => Choice { new: new + 1, ..Choice::default() },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BYTES: Bytes = Bytes { per_container: 700.0, per_item: 300.0 };

    fn clean(counts: &[usize]) -> Vec<Clean> {
        counts.iter().enumerate().map(|(bin, &count)| Clean { bin, count }).collect()
    }

    /// Every subset of the clean containers with as many new ones as it needs: clean chosen, new.
    fn feasible(overflow: usize, counts: &[usize], max: usize) -> impl Iterator<Item = (Vec<usize>, usize)> {
        (0u32..1 << counts.len()).map(move |mask| {
            let chosen: Vec<usize> = (0..counts.len()).filter(|bin| mask >> bin & 1 == 1).collect();
            let room: usize = chosen.iter().map(|&bin| max - counts[bin]).sum();
            (chosen, overflow.saturating_sub(room).div_ceil(max))
        })
    }

    fn price(chosen: &[usize], refilled: usize, new: usize, counts: &[usize], prices: Prices) -> f64 {
        let writes = (chosen.len() + new) as f64;
        let items = chosen.iter().map(|&bin| counts[bin]).sum::<usize>() as f64;
        prices.write * writes
            + prices.byte * f64::from(prices.watchers) * (BYTES.per_container * writes + BYTES.per_item * items)
            + prices.slice * (refilled + new) as f64
    }

    fn total(choice: &Choice, counts: &[usize]) -> usize {
        choice.clean.iter().map(|&bin| counts[bin]).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn prices_find_the_cheapest_of_all_subsets(
            max in 1usize..12, seed in prop::collection::vec(0usize..100, 0..9), overflow in 1usize..60,
            emptied in 0usize..4, write in 0u32..5, byte in 0u32..3, watchers in 0u32..4, slice in 0u32..3000,
        ) {
            let counts: Vec<usize> = seed.iter().map(|count| count % (max + 1)).collect();
            let prices = Prices {
                write: f64::from(write) * 1000.0, byte: f64::from(byte) * 0.5, watchers, slice: f64::from(slice),
            };
            let choice = choose(overflow, emptied, &clean(&counts), max, Policy::Prices(prices), BYTES);
            let best = (0..=emptied)
                .flat_map(|refilled| {
                    let left = feasible(overflow.saturating_sub(refilled * max), &counts, max);
                    left.map(move |(chosen, new)| (chosen, refilled, new))
                })
                .map(|(chosen, refilled, new)| price(&chosen, refilled, new, &counts, prices))
                .fold(f64::INFINITY, f64::min);
            let found = price(&choice.clean, choice.refilled, choice.new, &counts, prices);
            prop_assert!(choice.refilled <= emptied && (found - best).abs() <= 1e-6 * best.abs());
        }

        #[test]
        fn thresholds_stay_at_the_write_floor_and_are_best_there(
            max in 1usize..12, seed in prop::collection::vec(0usize..100, 0..9), overflow in 1usize..60, emptied in 0usize..4,
            fraction in 0u32..=4,
        ) {
            let counts: Vec<usize> = seed.iter().map(|count| count % (max + 1)).collect();
            let threshold = f64::from(fraction) / 4.0;
            let choice = choose(overflow, emptied, &clean(&counts), max, Policy::Threshold(threshold), BYTES);
            // Those that lost everything are written anyway: they are filled again before another write is made, and no more of them than it takes.
            let filled = overflow.min(emptied * max);
            prop_assert_eq!(choice.refilled, filled.div_ceil(max));
            let overflow = overflow - filled;
            let floor = overflow.div_ceil(max);
            prop_assert_eq!(choice.clean.len() + choice.new, floor);
            // A new slice is worth `threshold * max` items sent again: nothing at the floor may cost less.
            let cost = |items: usize, new: usize| items as f64 + new as f64 * threshold * max as f64;
            let best = feasible(overflow, &counts, max)
                .filter(|(chosen, new)| chosen.len() + new == floor && chosen.iter().all(|&bin| counts[bin] < max))
                .map(|(chosen, new)| cost(chosen.iter().map(|&bin| counts[bin]).sum(), new))
                .fold(f64::INFINITY, f64::min);
            prop_assert!((cost(total(&choice, &counts), choice.new) - best).abs() < 1e-9);
            if fraction == 4 {
                let fewest = feasible(overflow, &counts, max)
                    .filter(|(chosen, new)| chosen.len() + new == floor && chosen.iter().all(|&bin| counts[bin] < max))
                    .map(|(chosen, new)| (new, chosen.iter().map(|&bin| counts[bin]).sum::<usize>()))
                    .min();
                prop_assert_eq!(Some((choice.new, total(&choice, &counts))), fewest);
            }
        }
    }

    #[test]
    fn upstream_takes_the_fullest_slice_that_holds_all_the_rest() {
        let choice = choose(10, 0, &clean(&[95, 80, 90, 90]), 100, Policy::Upstream, BYTES);
        assert_eq!(choice, Choice { clean: vec![2], ..Choice::default() });
        let choice = choose(210, 0, &clean(&[95, 92]), 100, Policy::Upstream, BYTES);
        assert_eq!(choice, Choice { new: 3, ..Choice::default() });
    }
}
