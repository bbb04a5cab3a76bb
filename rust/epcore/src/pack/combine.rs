//! One plan of several: the groups of a Service packed one by one, and what else becomes of its slices.

use std::sync::{Arc, OnceLock};

use hashbrown::{HashMap, HashSet};

use crate::model::{Address, ByIdentity, EndpointSlice, Identity};
use crate::pack::order::{Before, Need, order};
use crate::pack::{Move, Notes, Plan, Stats, Verb, Write, WriteReason, WriteReasons};

/// So many writes that take one address away are ordered with each that brings it in, and as many that take the same endpoint away: one with
/// thousands of sets of ports has millions of such pairs.
const MANY: usize = 64;

/// A plan under construction. A slot is a slice: those that are there come first, created ones after them.
#[derive(Default)]
pub(crate) struct Combination {
    pub(crate) before: Arc<Vec<Arc<EndpointSlice>>>,
    pub(crate) writes: Vec<Part>,
    moves: Vec<Move>,
    /// Sums over the plans; writes and slices are counted at the end.
    pub(crate) counts: Stats,
    slots: usize,
    groups: usize,
}

/// A write and the group that it came with.
pub(crate) struct Part {
    pub(crate) write: Write,
    group: usize,
    /// The write of the group before it comes first whatever other groups need.
    follows: bool,
}

impl Combination {
    pub(crate) fn new(before: Arc<Vec<Arc<EndpointSlice>>>) -> Self {
        Self { slots: before.len(), before, ..Self::default() }
    }

    /// A slot for a slice to be created.
    pub(crate) fn new_slot(&mut self) -> usize {
        self.slots += 1;
        self.slots - 1
    }

    /// Add a write of its own.
    pub(crate) fn push(&mut self, verb: Verb, slot: usize, slice: Arc<EndpointSlice>, reasons: WriteReasons) {
        self.groups += 1;
        let slice = slice.into();
        self.writes.push(Part { write: Write { verb, slice, reasons, slot }, group: self.groups, follows: false });
    }

    /// Add the plan of a group, which keeps its order where endpoints move in it. `slots` tells the slot of each slice that was there before.
    pub(crate) fn add(&mut self, plan: Plan, slots: &[usize]) {
        self.groups += 1;
        let mut new: HashMap<usize, usize> = HashMap::new();
        // Else all that an address gains by the order is that it leaves first; it may give way to endpoints that take traffic.
        let is_second = |write: &Write| write.reasons.contains(WriteReason::AddressReuse);
        let follows = !plan.moves.is_empty() || plan.writes.iter().any(is_second);
        for write in plan.writes {
            let slot = match slots.get(write.slot) {
                Some(&slot) => slot,
                None => *new.entry(write.slot).or_insert_with(|| self.new_slot()),
            };
            self.writes.push(Part { write: Write { slot, ..write }, group: self.groups, follows });
        }
        self.moves.extend(plan.moves);
        self.counts += plan.counts;
    }

    /// Let new slices take the names and the places of those that are deleted: an update for each create and delete.
    pub(crate) fn recycle(&mut self, pairs: &[(usize, usize)]) {
        for &(create, delete) in pairs {
            let (old, slot) = (self.writes[delete].write.slice.clone(), self.writes[delete].write.slot);
            let part = &mut self.writes[create].write;
            part.verb = Verb::Update;
            part.slot = slot;
            part.reasons = part.reasons.with(WriteReason::Ports, true);
            part.slice.metadata.take_identity(&old.metadata);
        }
        let deleted: HashSet<usize> = pairs.iter().map(|(_, delete)| *delete).collect();
        let mut at = 0..;
        self.writes.retain(|_| at.next().is_some_and(|at| !deleted.contains(&at)));
        self.counts.write_floor = self.counts.write_floor.saturating_sub(pairs.len());
    }

    /// The plan: each group in its order, endpoints that pass between groups in safe order, replaced slices last.
    pub(crate) fn finish(mut self) -> Plan {
        let phases: Vec<u8> = self.writes.iter().map(|part| part.write.verb as u8).collect();
        let mut ordered = order(&phases, &self.edges());
        self.keep_order_of_slots(&mut ordered);
        let is_replaced = |write: &Write| write.verb == Verb::Delete && write.reasons.contains(WriteReason::Replaced);
        ordered.sort_by_key(|&at| is_replaced(&self.writes[at].write));
        let mut parts: Vec<Option<Part>> = std::mem::take(&mut self.writes).into_iter().map(Some).collect();
        let writes = ordered.into_iter().filter_map(|at| parts[at].take()).map(|part| part.write).collect();
        let mut plan = Plan {
            writes,
            moves: self.moves,
            counts: self.counts,
            bytes: OnceLock::new(),
            before: self.before,
            among: None,
            notes: Notes::default(),
        };
        plan.count_writes();
        plan
    }

    /// Where endpoints change places between slices an edge gives way; the writes of one slice never do.
    fn keep_order_of_slots(&self, ordered: &mut [usize]) {
        let mut of_slot: HashMap<usize, Vec<usize>> = HashMap::new();
        for (place, &at) in ordered.iter().enumerate() {
            of_slot.entry(self.writes[at].write.slot).or_default().push(place);
        }
        for places in of_slot.into_values().filter(|places| places.len() > 1) {
            let mut writes: Vec<usize> = places.iter().map(|&place| ordered[place]).collect();
            writes.sort_unstable();
            for (place, at) in places.into_iter().zip(writes) {
                ordered[place] = at;
            }
        }
    }

    fn edges(&self) -> Vec<Before> {
        let mut edges = Vec::new();
        for (at, pair) in self.writes.windows(2).enumerate() {
            if pair[0].group == pair[1].group {
                let need = if pair[1].follows { Need::Must } else { Need::Rest };
                edges.push(Before { need, first: at, second: at + 1 });
            }
        }
        if self.writes.first().is_none_or(|first| self.writes.iter().all(|part| part.group == first.group)) {
            return edges;
        }
        let flows: Vec<Flow<'_>> = self.flows();
        let leaving = Leaving::by(&flows);
        for (at, flow) in flows.iter().enumerate() {
            for &one in &flow.arrives {
                for (other, left) in leaving.before(one) {
                    if self.writes[other].group == self.writes[at].group {
                        continue;
                    }
                    // The same endpoint in another group is there before it goes; an address goes before another target brings it back.
                    let (need, first, second) =
                        if left == one { (Need::Must, at, other) } else { (Need::Rest, other, at) };
                    edges.push(Before { need, first, second });
                }
            }
        }
        edges
    }

    /// What each write takes out of its slice and brings into it.
    fn flows(&self) -> Vec<Flow<'_>> {
        let mut now: Vec<Option<&EndpointSlice>> = self.before.iter().map(|slice| Some(&**slice)).collect();
        now.resize(self.slots, None);
        self.writes
            .iter()
            .map(|Part { write, .. }| {
                let after = (write.verb != Verb::Delete).then_some(&*write.slice);
                let before = std::mem::replace(&mut now[write.slot], after);
                Flow { leaves: only_in(before, after), arrives: only_in(after, before) }
            })
            .collect()
    }
}

struct Flow<'a> {
    leaves: Vec<ByIdentity<'a>>,
    arrives: Vec<ByIdentity<'a>>,
}

/// The writes that endpoints leave by, each with the endpoint.
#[derive(Default)]
struct Leaving<'a> {
    of_address: HashMap<Address<'a>, Vec<(usize, ByIdentity<'a>)>>,
    /// Those of addresses that leave by too many to look at all.
    of_endpoint: HashMap<ByIdentity<'a>, Vec<(usize, ByIdentity<'a>)>>,
}

impl<'a> Leaving<'a> {
    fn by(flows: &[Flow<'a>]) -> Self {
        let mut leaving = Self::default();
        let all = || flows.iter().enumerate().flat_map(|(at, flow)| flow.leaves.iter().map(move |&one| (at, one)));
        for (at, one) in all() {
            leaving.of_address.entry(one.endpoint.address()).or_default().push((at, one));
        }
        if leaving.of_address.values().any(|leaves| leaves.len() > MANY) {
            for (at, one) in all().filter(|(_, one)| leaving.of_address[&one.endpoint.address()].len() > MANY) {
                leaving.of_endpoint.entry(one).or_default().push((at, one));
            }
        }
        leaving
    }

    /// Those that have the address of one that arrives, or are the same.
    fn before(&self, one: ByIdentity<'a>) -> impl Iterator<Item = (usize, ByIdentity<'a>)> {
        let with_address = self.of_address.get(&one.endpoint.address()).into_iter().flatten().take(MANY);
        let same = self.of_endpoint.get(&one).into_iter().flatten().take(MANY);
        with_address.chain(same).copied()
    }
}

fn only_in<'a>(slice: Option<&'a EndpointSlice>, other: Option<&'a EndpointSlice>) -> Vec<ByIdentity<'a>> {
    let all = |slice: Option<&'a EndpointSlice>| {
        let by_identity = |endpoint| ByIdentity { endpoint, identity: Identity::Stable };
        slice.into_iter().flat_map(|slice| slice.endpoints.iter()).map(by_identity)
    };
    let others: HashSet<ByIdentity<'a>> = all(other).collect();
    all(slice).filter(|one| !others.contains(one)).collect()
}
