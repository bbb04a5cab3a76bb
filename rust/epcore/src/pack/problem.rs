//! The problem that the optimiser solves, and its solution. Neither knows Kubernetes.

use std::cmp::Ordering;

use hashbrown::HashSet;

use crate::pack::choose::Bytes;
use crate::pack::settle::{Dirty, Kept};
use crate::pack::stage::{Role, Stage};
use crate::pack::{Compaction, Policy};

/// The cohort of an item and the finer one within it; zero is none.
pub(crate) type CohortIds = (u32, u32);

/// What the optimiser asks about wanted items, which it knows by number.
pub(crate) trait Items {
    /// How many there are.
    fn count(&self) -> usize;
    /// A total order that does not depend on the numbers.
    fn compare(&self, left: u32, right: u32) -> Ordering;
    /// Bytes that an item takes.
    fn size(&self, item: u32) -> usize;
    /// The cohort of an item.
    fn cohort(&self, item: u32) -> CohortIds;
    /// True if an item is about to go.
    fn is_leaving(&self, item: u32) -> bool;
    /// Where an item is in its life.
    fn stage(&self, item: u32) -> Stage;
    /// True if nobody notices when an item moves.
    fn is_idle(&self, item: u32) -> bool;
    /// Containers that this item must not come into before they are written, as its address leaves them for another item.
    fn leaves_from(&self, item: u32) -> &[usize];
}

/// The limits and prices of one call.
pub(crate) struct Problem<'a> {
    pub(crate) items: &'a dyn Items,
    pub(crate) max_items: usize,
    /// `None` where no container can come near its limit of bytes.
    pub(crate) max_bytes: Option<usize>,
    /// Bytes of a new container without items.
    pub(crate) new_bytes: usize,
    /// Bytes that a container may come to need when it takes items from another.
    pub(crate) moving_bytes: usize,
    pub(crate) policy: Policy,
    /// A delete and a create become one update, as in Kubernetes.
    pub(crate) recycles: bool,
    pub(crate) compaction: Option<Compaction>,
    pub(crate) bytes: Bytes,
}

/// A container afterwards.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filled {
    pub(crate) kept: Vec<Kept>,
    pub(crate) added: Vec<u32>,
    pub(crate) dirty: Dirty,
    /// Items that it held and that nobody wants.
    pub(crate) lost: usize,
    /// Items had to leave because there were too many.
    pub(crate) overfull: bool,
    /// Items left because they were moved elsewhere.
    pub(crate) drained: bool,
    /// Takes nothing.
    pub(crate) closed: bool,
    /// Goes away rather than stay without items.
    pub(crate) expendable: bool,
    /// May be given the content of a new container instead of being deleted.
    pub(crate) recyclable: bool,
    pub(crate) is_new: bool,
    /// Which items it is meant for.
    pub(crate) role: Role,
    /// Bytes of the container with its items, kept where there is a limit.
    pub(crate) bytes: usize,
}

impl Filled {
    pub(crate) fn count(&self) -> usize {
        self.kept.len() + self.added.len()
    }

    pub(crate) fn must_be_written(&self) -> bool {
        self.dirty.any() || self.overfull || self.closed
    }

    pub(crate) fn is_written(&self) -> bool {
        self.must_be_written() || self.drained || !self.added.is_empty()
    }

    /// Written, and nothing is left in it: an existing one is deleted, a new one never made.
    pub(crate) fn is_deleted(&self) -> bool {
        let lost = self.dirty.removed || self.dirty.duplicates || self.overfull || self.drained;
        self.count() == 0 && (self.is_new || self.closed || self.expendable || lost)
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = u32> {
        self.kept.iter().map(|kept| kept.item).chain(self.added.iter().copied())
    }
}

/// The solution: every container afterwards, existing ones first and in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assignment {
    pub(crate) bins: Vec<Filled>,
    /// Item and the container it was in before, for items that had to or were allowed to move.
    pub(crate) moved: Vec<(u32, usize)>,
    /// Those of them that nobody notices: they leave before they come in.
    pub(crate) idle: HashSet<u32>,
    /// Fewest writes of any plan that moves nothing it need not.
    pub(crate) write_floor: usize,
}

impl Problem<'_> {
    /// Bytes count only where they can run short.
    pub(crate) fn size(&self, item: u32) -> usize {
        if self.max_bytes.is_some() { self.items.size(item) } else { 0 }
    }

    pub(crate) fn room(&self, bin: &Filled) -> usize {
        // What was too full only gives: otherwise two such containers could wait for each other's write.
        if bin.closed || bin.overfull { 0 } else { self.max_items.saturating_sub(bin.count()) }
    }

    /// True if a container with room has the bytes for `size` more, too.
    pub(crate) fn has_bytes(&self, bin: &Filled, size: usize) -> bool {
        let reserved = if bin.is_new { 0 } else { self.moving_bytes };
        self.max_bytes.is_none_or(|most| bin.bytes + reserved + size <= most)
    }

    /// One more than the bytes that are left in a container with room, zero where there is no room.
    pub(crate) fn left(&self, bin: &Filled) -> usize {
        let reserved = if bin.is_new { 0 } else { self.moving_bytes };
        let most = self.max_bytes.unwrap_or(usize::MAX);
        if self.room(bin) == 0 { 0 } else { most.saturating_add(1).saturating_sub(bin.bytes + reserved) }
    }

    pub(crate) fn put(&self, bin: &mut Filled, item: u32) {
        bin.bytes += self.size(item);
        bin.added.push(item);
    }

    pub(crate) fn new_bin(&self) -> Filled {
        Filled { is_new: true, bytes: self.new_bytes, ..Filled::default() }
    }
}
