//! The optimiser for anything that keeps keyed items in containers, such as `CiliumEndpointSlice` or `PolicyEndpoint`.

use std::cmp::Ordering;

use hashbrown::HashMap;

use crate::Error;
use crate::pack::choose::Bytes;
use crate::pack::problem::{CohortIds, Filled, Items, Problem};
use crate::pack::settle::{Held, settle};
use crate::pack::solve::solve;
use crate::pack::stage::Stage;
use crate::pack::{Compaction, Policy};

/// Something to be kept in one of the containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What makes two items the same.
    pub key: String,
    /// Stands for the content: an item whose fingerprint changed must be written again.
    pub fingerprint: u64,
    /// Bytes that it takes.
    pub size: usize,
    /// Items of one cohort are likely to change together.
    pub cohort: Option<String>,
}

/// Where each item goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assigned {
    /// For each container, existing ones first and in their order, the indexes of its items among the wanted ones. A deleted one is empty.
    pub containers: Vec<Vec<usize>>,
    /// Containers that must be written, created or deleted.
    pub written: Vec<usize>,
    /// Those of them that go away.
    pub deleted: Vec<usize>,
    /// Items that left a container in which they could not or need not stay.
    pub moved: Vec<usize>,
    /// Fewest writes of any plan.
    pub write_floor: usize,
}

/// Most items: each has a number of 32 bits.
const MOST_ITEMS: usize = u32::MAX as usize;

/// Most bytes in one container, so that those of one and of an item more can be added up: no memory holds more.
const MOST_BYTES: usize = isize::MAX.unsigned_abs();

/// Put `wanted` into containers with the fewest writes: an item that is there stays, one with another fingerprint makes its container dirty,
/// containers that must be written take new items first, and the rest goes where `policy` finds it cheapest, exactly.
///
/// `max_bytes` is the most bytes of items in one container, and above `isize::MAX` no bound that memory could reach. Where it can bite, placement
/// is first-fit and no optimum.
///
/// # Errors
///
/// `InvalidInput` for a key that is wanted twice, or numbers that [`Policy::check`] or [`Compaction::check`] refuses; `Limit` for `max_items` of zero, more items than 2^32, or an item larger than `max_bytes`.
///
/// # Examples
///
/// ```
/// use epcore::pack::{Item, Policy, assign};
///
/// let item = |key: &str| Item { key: key.into(), fingerprint: 1, size: 100, cohort: None };
/// let existing = vec![vec![item("a"), item("gone")], vec![item("b")]];
/// let assigned = assign(&[item("b"), item("a"), item("new")], &existing, 10, None, Policy::BALANCED, None)?;
/// assert_eq!(assigned.containers, [vec![1, 2], vec![0]]);
/// assert_eq!(assigned.written, [0]);
/// # Ok::<(), epcore::Error>(())
/// ```
pub fn assign(
    wanted: &[Item],
    existing: &[Vec<Item>],
    max_items: usize,
    max_bytes: Option<usize>,
    policy: Policy,
    compaction: Option<Compaction>,
) -> Result<Assigned, Error> {
    if max_items == 0 {
        return Err(Error::limit("must be at least 1", 1, 0).in_field("max_items"));
    }
    policy.check().map_err(|error| error.in_field("policy"))?;
    compaction.map_or(Ok(()), Compaction::check).map_err(|error| error.in_field("compaction"))?;
    // Room in several containers is added up.
    let (max_items, max_bytes) = (max_items.min(MOST_ITEMS), max_bytes.map(|most| most.min(MOST_BYTES)));
    let table = Table::read(wanted, max_bytes)?;
    let held: Vec<Vec<Held>> = existing.iter().map(|container| table.held(container)).collect();
    let bins = settle(&held, &vec![false; held.len()], wanted.len(), max_items, policy == Policy::Upstream);
    let per_item = wanted.iter().map(|item| item.size as f64).sum::<f64>() / wanted.len().max(1) as f64;
    let largest = wanted.iter().map(|item| item.size).max().unwrap_or(0);
    let problem = Problem {
        items: &table,
        max_items,
        max_bytes: max_bytes.filter(|&most| largest.saturating_mul(max_items) > most),
        new_bytes: 0,
        moving_bytes: 0,
        policy,
        recycles: policy == Policy::Upstream,
        compaction,
        bytes: Bytes { per_container: 0.0, per_item },
    };
    let solution = solve(&problem, bins);
    let indexes = |pick: &dyn Fn(&Filled) -> bool| -> Vec<usize> {
        solution.bins.iter().enumerate().filter(|(_, bin)| pick(bin)).map(|(index, _)| index).collect()
    };
    Ok(Assigned {
        containers: solution.bins.iter().map(|bin| bin.items().map(|item| item as usize).collect()).collect(),
        written: indexes(&Filled::is_written),
        deleted: indexes(&Filled::is_deleted),
        moved: solution.moved.iter().map(|(item, _)| *item as usize).collect(),
        write_floor: solution.write_floor,
    })
}

struct Table<'a> {
    wanted: &'a [Item],
    numbers: HashMap<&'a str, u32>,
    cohorts: Vec<u32>,
}

impl<'a> Table<'a> {
    fn read(wanted: &'a [Item], max_bytes: Option<usize>) -> Result<Self, Error> {
        if wanted.len() > MOST_ITEMS {
            return Err(Error::limit("too many items", MOST_ITEMS, wanted.len()).in_field("wanted"));
        }
        let mut table = Self { wanted, numbers: HashMap::new(), cohorts: Vec::with_capacity(wanted.len()) };
        let mut names: Vec<&str> = wanted.iter().filter_map(|item| item.cohort.as_deref()).collect();
        names.sort_unstable();
        names.dedup();
        for (number, item) in (0u32..).zip(wanted) {
            if table.numbers.insert(&item.key, number).is_some() {
                let shown = crate::model::shorten(&item.key);
                return Err(Error::invalid(format!("{shown:?} is wanted twice"))
                    .in_field("key")
                    .in_index(number as usize)
                    .in_field("wanted"));
            }
            if let Some(most) = max_bytes
                && item.size > most
            {
                return Err(Error::limit("larger than a container may be, in bytes", most, item.size)
                    .in_field("size")
                    .in_index(number as usize)
                    .in_field("wanted"));
            }
            // Numbered by name, so that they don't depend on the order of the items.
            let cohort = item.cohort.as_deref().and_then(|name| names.binary_search(&name).ok());
            table.cohorts.push(cohort.and_then(|at| u32::try_from(at + 1).ok()).unwrap_or(0));
        }
        Ok(table)
    }

    fn held(&self, container: &[Item]) -> Vec<Held> {
        let find = |item: &Item| {
            let number = *self.numbers.get(&*item.key)?;
            Some((number, self.wanted[number as usize].fingerprint != item.fingerprint))
        };
        container.iter().map(find).collect()
    }
}

impl Items for Table<'_> {
    fn count(&self) -> usize {
        self.wanted.len()
    }

    fn compare(&self, left: u32, right: u32) -> Ordering {
        self.wanted[left as usize].key.cmp(&self.wanted[right as usize].key)
    }

    fn size(&self, item: u32) -> usize {
        self.wanted[item as usize].size
    }

    fn cohort(&self, item: u32) -> CohortIds {
        (self.cohorts[item as usize], 0)
    }

    fn is_leaving(&self, _item: u32) -> bool {
        false
    }

    fn stage(&self, _item: u32) -> Stage {
        Stage::Settled
    }

    fn is_idle(&self, _item: u32) -> bool {
        false
    }

    fn leaves_from(&self, _item: u32) -> &[usize] {
        &[]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(key: &str, fingerprint: u64, size: usize) -> Item {
        Item { key: key.to_owned(), fingerprint, size, cohort: None }
    }

    #[test]
    fn items_of_any_size_go_into_containers_of_any_room() {
        let wanted: Vec<Item> = ["a", "b", "c"].iter().map(|key| item(key, 1, MOST_BYTES)).collect();
        let existing: Vec<Vec<Item>> =
            wanted[..2].iter().map(|item| vec![Item { fingerprint: 0, ..item.clone() }]).collect();
        for max_bytes in [None, Some(MOST_BYTES), Some(usize::MAX)] {
            let assigned = assign(&wanted, &existing, usize::MAX, max_bytes, Policy::BALANCED, None).expect("a way");
            let most = if max_bytes.is_some() { 1 } else { 2 };
            assert!(assigned.containers.iter().all(|items| items.len() <= most), "{max_bytes:?}: {assigned:?}");
            assert_eq!(assigned.write_floor, 2);
        }
        let endless = [item("a", 1, usize::MAX), item("b", 1, usize::MAX)];
        assert!(assign(&endless, &[endless.to_vec()], 1, None, Policy::BALANCED, None).is_ok());
        let refused =
            assign(&endless, &[], 1, Some(usize::MAX), Policy::BALANCED, None).expect_err("no memory holds it");
        assert_eq!(refused.path(), "wanted[0].size");
    }

    #[test]
    fn a_container_that_holds_more_than_can_be_counted_is_overfull() {
        let wanted: Vec<Item> = ["a", "b", "c"].iter().map(|key| item(key, 1, MOST_BYTES)).collect();
        let assigned = assign(&wanted, std::slice::from_ref(&wanted), 3, Some(usize::MAX), Policy::BALANCED, None);
        assert_eq!(assigned.expect("a way").containers, [[0], [1], [2]]);
    }
}
