//! The plan: ordered writes, and what the slices are after each of them.

use std::sync::{Arc, OnceLock};

use crate::model::EndpointSlice;
use crate::pack::{Moment, Notes, Shelf, Verb, Write};
use crate::wire::json::slice_size;

/// An endpoint that changes its slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Slice that holds the endpoint afterwards.
    pub target: Arc<EndpointSlice>,
    /// Index of the endpoint in it.
    pub index: usize,
    /// Slice that held it.
    pub source: Arc<EndpointSlice>,
}

/// Exact counts of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Slices created.
    pub creates: usize,
    /// Slices updated.
    pub updates: usize,
    /// Slices deleted.
    pub deletes: usize,
    /// The fewest writes any plan without moves could need: slices that must be written, and `ceil(overflow / max)`.
    pub write_floor: usize,
    /// Bytes one watcher receives: JSON size of each object written, the last state for a delete.
    pub bytes: usize,
    /// Endpoints that were in no slice of the group.
    pub endpoints_added: usize,
    /// Endpoints of which the content changed.
    pub endpoints_updated: usize,
    /// Endpoints that are no longer wanted.
    pub endpoints_removed: usize,
    /// Endpoints that changed their slice.
    pub endpoints_moved: usize,
    /// Unchanged endpoints that are part of a written object.
    pub endpoints_resent: usize,
    /// Slices before.
    pub slices_before: usize,
    /// Slices afterwards.
    pub slices_after: usize,
    /// `ceil(endpoints / max_endpoints)`.
    pub slices_ideal: usize,
    /// Endpoints whose address passes to them from another target by the same write or a later one.
    pub address_reuse_unordered: usize,
}

impl Stats {
    /// All writes.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.creates + self.updates + self.deletes
    }
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.creates += other.creates;
        self.updates += other.updates;
        self.deletes += other.deletes;
        self.write_floor += other.write_floor;
        self.bytes += other.bytes;
        self.endpoints_added += other.endpoints_added;
        self.endpoints_updated += other.endpoints_updated;
        self.endpoints_removed += other.endpoints_removed;
        self.endpoints_moved += other.endpoints_moved;
        self.endpoints_resent += other.endpoints_resent;
        self.slices_before += other.slices_before;
        self.slices_after += other.slices_after;
        self.slices_ideal += other.slices_ideal;
        self.address_reuse_unordered += other.address_reuse_unordered;
    }
}

impl Stats {
    /// Every count with its name, in a fixed order.
    #[must_use]
    pub fn counts(&self) -> [(&'static str, usize); 15] {
        [
            ("creates", self.creates),
            ("updates", self.updates),
            ("deletes", self.deletes),
            ("writes", self.writes()),
            ("write_floor", self.write_floor),
            ("bytes", self.bytes),
            ("endpoints_added", self.endpoints_added),
            ("endpoints_updated", self.endpoints_updated),
            ("endpoints_removed", self.endpoints_removed),
            ("endpoints_moved", self.endpoints_moved),
            ("endpoints_resent", self.endpoints_resent),
            ("slices_before", self.slices_before),
            ("slices_after", self.slices_after),
            ("slices_ideal", self.slices_ideal),
            ("address_reuse_unordered", self.address_reuse_unordered),
        ]
    }
}

/// Ordered writes. After all of them the slices hold what is wanted; after any number of them every endpoint that stays is there.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) writes: Vec<Write>,
    pub(crate) moves: Vec<Move>,
    /// Everything but the bytes, which are counted when asked for.
    pub(crate) counts: Stats,
    pub(crate) bytes: OnceLock<usize>,
    pub(crate) before: Arc<Vec<Arc<EndpointSlice>>>,
    /// All slices, where `before` has only those that the plan was made with.
    pub(crate) among: Option<Arc<Moment>>,
    pub(crate) notes: Notes,
}

impl Plan {
    /// The writes, in the order to send.
    #[must_use]
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// Errors, Events and state of a plan by Kubernetes' rules.
    #[must_use]
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Count writes and slices anew.
    pub(crate) fn count_writes(&mut self) {
        let of = |verb: Verb| self.writes.iter().filter(|write| write.verb == verb).count();
        let (creates, updates, deletes) = (of(Verb::Create), of(Verb::Update), of(Verb::Delete));
        let is_as_before = self.writes.is_empty() && self.among.is_none();
        let slices_before = self.before.len();
        let slices_after = if is_as_before { slices_before } else { self.result().len() };
        self.counts = Stats { creates, updates, deletes, slices_before, slices_after, ..self.counts };
    }

    /// Let it be the plan of all these slices, although it was made with some of them.
    pub(crate) fn put_among(&mut self, slices: &Shelf) {
        let others = slices.len() - self.before.len();
        self.counts.slices_before += others;
        self.counts.slices_after += others;
        self.among = Some(slices.now());
    }

    /// Endpoints that change their slice.
    #[must_use]
    pub fn moves(&self) -> &[Move] {
        &self.moves
    }

    /// Exact counts. The first call writes every object once to learn its size.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let bytes = *self.bytes.get_or_init(|| self.writes.iter().map(|write| slice_size(&write.slice)).sum());
        Stats { bytes, ..self.counts }
    }

    /// All slices of the group after the last write: those that were there by name, then created ones.
    #[must_use]
    pub fn result(&self) -> Vec<Arc<EndpointSlice>> {
        self.prefix(self.writes.len())
    }

    /// The slices after the first `writes` writes.
    #[must_use]
    pub fn prefix(&self, writes: usize) -> Vec<Arc<EndpointSlice>> {
        let mut slots: Vec<Option<Arc<EndpointSlice>>> = self.before.iter().cloned().map(Some).collect();
        for write in self.writes.iter().take(writes) {
            if write.slot >= slots.len() {
                slots.resize(write.slot + 1, None);
            }
            slots[write.slot] = (write.verb != Verb::Delete).then(|| write.slice.whole().clone());
        }
        let Some(among) = &self.among else { return slots.into_iter().flatten().collect() };
        let created = slots.split_off(self.before.len());
        // Both are by name.
        let mut looked_at = self.before.iter().zip(slots).peekable();
        let after = |slice: Arc<EndpointSlice>| match looked_at
            .next_if(|(before, _)| before.metadata.name == slice.metadata.name)
        {
            Some((_, after)) => after,
            None => Some(slice),
        };
        let there: Vec<_> = among.slices().into_iter().filter_map(after).collect();
        there.into_iter().chain(created.into_iter().flatten()).collect()
    }
}

impl std::fmt::Display for Plan {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.writes.is_empty() {
            return formatter.write_str("nothing to write");
        }
        for write in &self.writes {
            writeln!(formatter, "{write}")?;
        }
        let stats = self.stats();
        write!(
            formatter,
            "{} write{} (floor {}), {} bytes; endpoints: {} added, {} updated, {} removed, {} moved; slices: {} -> {} (ideal {})",
            stats.writes(),
            if stats.writes() == 1 { "" } else { "s" },
            stats.write_floor,
            stats.bytes,
            stats.endpoints_added,
            stats.endpoints_updated,
            stats.endpoints_removed,
            stats.endpoints_moved,
            stats.slices_before,
            stats.slices_after,
            stats.slices_ideal,
        )
    }
}
