//! Who stays: from what each container holds to the items it keeps, each item in one place.

use crate::pack::stage::Role;

/// A container as the optimiser sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bin {
    /// Items that stay, by their place in the container.
    pub(crate) kept: Vec<Kept>,
    /// Why the container must be written whatever is chosen.
    pub(crate) dirty: Dirty,
    /// Items that it held and that nobody wants.
    pub(crate) lost: usize,
    /// It may take or keep nothing and goes away.
    pub(crate) closed: bool,
    /// It goes away rather than stay without items.
    pub(crate) expendable: bool,
    /// It may be given the content of a new container instead of being deleted.
    pub(crate) recyclable: bool,
    /// Which items it is meant for.
    pub(crate) role: Role,
    /// Bytes of the container without any item, once it is written.
    pub(crate) base_bytes: usize,
    /// As it is it is not too large, whatever it would be once it is written.
    pub(crate) fits_as_it_is: bool,
}

/// An item that stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) item: u32,
    /// Index among the items that the container held.
    pub(crate) place: u32,
    /// Its content is not what is wanted.
    pub(crate) changed: bool,
}

/// Why a container must be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dirty {
    pub(crate) removed: bool,
    pub(crate) changed: bool,
    pub(crate) duplicates: bool,
    pub(crate) metadata: bool,
}

impl Dirty {
    pub(crate) fn any(self) -> bool {
        self.removed || self.changed || self.duplicates || self.metadata
    }
}

/// What a container holds at one place: a wanted item and whether its content differs, or something that nobody wants.
pub(crate) type Held = Option<(u32, bool)>;

/// Decide where each item that is held more than once stays.
///
/// The rule: not in a container that holds more than `max_items`; in one that is clean but for this item and has the right content; else where
/// the content is right; else in the first. (To dirty the fewest containers is the vertex cover problem; this is its greedy answer.) With
/// `first_wins` the first container keeps it, as in Kubernetes. `items` is the number of wanted items.
pub(crate) fn settle(
    held: &[Vec<Held>],
    metadata: &[bool],
    items: usize,
    max_items: usize,
    first_wins: bool,
) -> Vec<Bin> {
    let mut holders = vec![0u32; items];
    for (item, _) in held.iter().flatten().flatten() {
        holders[*item as usize] += 1;
    }
    let mut bins: Vec<Bin> = held
        .iter()
        .zip(metadata)
        .map(|(held, &metadata)| {
            let unique = |held: &(u32, bool)| holders[held.0 as usize] == 1;
            let lost = held.iter().filter(|held| held.is_none()).count();
            let dirty = Dirty {
                removed: lost > 0,
                changed: held.iter().flatten().any(|held| held.1 && unique(held)),
                duplicates: false,
                metadata,
            };
            Bin { dirty, lost, ..Bin::default() }
        })
        .collect();
    let keepers = keepers(held, &holders, &mut bins, max_items, first_wins);
    for (index, (held, bin)) in held.iter().zip(&mut bins).enumerate() {
        for (place, &(item, changed)) in (0u32..).zip(held).filter_map(|(place, held)| Some((place, held.as_ref()?))) {
            if holders[item as usize] > 1 && keepers.get(&item) != Some(&(index, place)) {
                bin.dirty.duplicates = true;
                continue;
            }
            bin.dirty.changed |= changed;
            bin.kept.push(Kept { item, place, changed });
        }
    }
    bins
}

/// The container and the place in it that keeps each item held more than once.
fn keepers(
    held: &[Vec<Held>],
    holders: &[u32],
    bins: &mut [Bin],
    max_items: usize,
    first_wins: bool,
) -> std::collections::BTreeMap<u32, (usize, u32)> {
    let mut copies: std::collections::BTreeMap<u32, Vec<(usize, u32, bool)>> = std::collections::BTreeMap::new();
    for (index, held) in held.iter().enumerate() {
        for (place, held) in (0u32..).zip(held) {
            if let Some((item, changed)) = held
                && holders[*item as usize] > 1
            {
                copies.entry(*item).or_default().push((index, place, *changed));
            }
        }
    }
    let mut chosen = std::collections::BTreeMap::new();
    let mut counts: Vec<usize> = held.iter().map(|held| held.iter().flatten().count()).collect();
    // In the order of the first copy, so that the outcome does not depend on how the wanted items are numbered.
    let mut order: Vec<_> = copies.into_iter().collect();
    order.sort_by_key(|(_, copies)| copies[0]);
    for (item, copies) in order {
        let cost = |&(index, place, changed): &(usize, u32, bool)| {
            let writes_nothing = !changed && !bins[index].dirty.any() && !held_twice(&held[index], item);
            if first_wins {
                (false, false, false, index, place)
            } else {
                (counts[index] > max_items, !writes_nothing, changed, index, place)
            }
        };
        let Some(&(keeper, place, changed)) = copies.iter().min_by_key(|copy| cost(copy)) else {
            continue;
        };
        chosen.insert(item, (keeper, place));
        bins[keeper].dirty.changed |= changed;
        for (index, ..) in copies.into_iter().filter(|copy| (copy.0, copy.1) != (keeper, place)) {
            bins[index].dirty.duplicates = true;
            counts[index] -= 1;
        }
    }
    chosen
}

fn held_twice(held: &[Held], item: u32) -> bool {
    held.iter().flatten().filter(|held| held.0 == item).count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(bins: &[Bin]) -> Vec<Vec<u32>> {
        bins.iter().map(|bin| bin.kept.iter().map(|kept| kept.item).collect()).collect()
    }

    #[test]
    fn keeps_a_duplicate_where_that_saves_a_write() {
        let held = vec![vec![Some((0, false)), None], vec![Some((0, false)), Some((1, false))]];
        let bins = settle(&held, &[false, false], 2, 9, false);
        assert_eq!(kept(&bins), [vec![], vec![0, 1]]);
        assert!(bins[0].dirty.any() && !bins[1].dirty.any());
        let bins = settle(&held, &[false, false], 2, 9, true);
        assert_eq!(kept(&bins), [vec![0], vec![1]]);
        assert!(bins[0].dirty.any() && bins[1].dirty.any());
    }

    #[test]
    fn prefers_the_copy_with_the_wanted_content() {
        let held = vec![vec![Some((0, true))], vec![Some((0, false))]];
        let bins = settle(&held, &[false, false], 1, 9, false);
        assert_eq!(kept(&bins), [vec![], vec![0]]);
        assert!(!bins[1].dirty.any());
    }

    #[test]
    fn prefers_a_copy_outside_a_container_that_holds_too_many() {
        let held = vec![vec![Some((0, false)), Some((1, false)), Some((2, false))], vec![Some((2, false))]];
        assert_eq!(kept(&settle(&held, &[false, false], 3, 2, false)), [vec![0, 1], vec![2]]);
        assert_eq!(kept(&settle(&held, &[false, false], 3, 3, false)), [vec![0, 1, 2], vec![]]);
    }

    #[test]
    fn keeps_one_of_two_copies_in_one_container() {
        let held = vec![vec![Some((0, true)), Some((0, false)), Some((0, false))]];
        let bins = settle(&held, &[false], 1, 9, false);
        assert_eq!(bins[0].kept, [Kept { item: 0, place: 1, changed: false }]);
        assert!(bins[0].dirty.duplicates && !bins[0].dirty.changed);
    }
}
