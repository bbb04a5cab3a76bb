//! What is known of one Service beyond the objects of the cluster.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use crate::engine::packer::address::OwnedAddress;
use crate::engine::packer::outside::{self, Outside};
use crate::kube::Pod;
use crate::model::{Address, EndpointPort, EndpointSlice};
use crate::pack::{HintState, LateSlice, Plan, Verb, Write, WriteReason};

/// One Service.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    /// Endpoints from outside, once some were given; each a list of one.
    pub(super) outside: Option<Box<Outside>>,
    /// What changed since the slices held what was wanted; `None` if anything may have.
    pub(super) changes: Option<Changes>,
    pub(super) hints: HintState,
    /// Ports of endpoints from outside that say none of their own, once they were asked for; none if there is something to be told about them.
    pub(super) ports: OnceLock<Option<Arc<Vec<EndpointPort>>>>,
    /// Counts what changed, so that an answer can tell whether a plan is still all that there is to do.
    pub(super) epoch: u64,
    pub(super) sent: Option<Sent>,
    /// Both the dirty Services and those with news name it.
    pub(super) is_noted: bool,
    /// Slices of which news must come before anything is planned.
    waits_for: BTreeSet<String>,
    /// Creates without a name of which that is so.
    lost: Vec<LateSlice>,
}

/// Endpoints that changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    /// Names of Pods.
    pub(super) pods: BTreeSet<String>,
    /// Addresses that they, or endpoints from outside, have or had.
    pub(super) addresses: BTreeSet<OwnedAddress>,
}

/// The last plan that was handed out, as far as it has not been answered.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    epoch: u64,
    /// The last write first: answers nearly always come in the order of the plan.
    left: Vec<Left>,
    hints: HintState,
    changes: Option<Changes>,
}

/// A write that has not been answered.
#[derive(Clone, Debug)]
struct Left {
    verb: Verb,
    slice: LateSlice,
    /// The name under which the slice of a create was heard of. For one without a name it is that of the first: of two, one is a second one.
    heard: Option<String>,
}

impl Sent {
    fn place_of(&self, write: &Write) -> Option<usize> {
        self.left.iter().rposition(|left| left.slice.is(&write.slice))
    }
}

impl Left {
    /// True if a slice, `None` if it is gone, is what the write makes of the one of its name.
    fn makes(&mut self, name: &str, slice: Option<&EndpointSlice>) -> bool {
        let Self { verb, slice: wanted, heard } = self;
        let its = &wanted.metadata().name;
        let is_nameless = its.is_empty() && *verb == Verb::Create;
        let is_it = its == name || is_nameless && heard.as_ref().is_none_or(|heard| heard == name);
        let is_made = match slice {
            None => is_it && *verb == Verb::Delete,
            Some(slice) => is_it && *verb != Verb::Delete && says_the_same(wanted, slice),
        };
        if *verb == Verb::Create && (is_made || its == name) {
            *heard = Some(name.to_owned());
        }
        is_made
    }
}

impl Changes {
    /// Nothing, after a plan. What it told beside its writes is told anew by each plan of the whole.
    fn after(plan: &Plan) -> Option<Self> {
        (plan.notes().errors.is_empty() && plan.notes().events.is_empty()).then(Self::default)
    }

    pub(super) fn add_pod(&mut self, pod: &Pod) {
        self.pods.insert(pod.name.to_string());
        self.addresses.extend(pod.ips.iter().map(|ip| Address::parse(ip).into()));
    }
}

impl Entry {
    /// Anything may have changed.
    pub(super) fn mark(&mut self) {
        self.epoch += 1;
        self.changes = None;
        self.ports = OnceLock::new();
    }

    /// Take in endpoints from outside. True if anything about them is new.
    pub(super) fn tell(&mut self, news: impl IntoIterator<Item = (outside::Key, outside::Content)>) -> bool {
        let before = self.epoch;
        for (key, content) in news {
            if self.outside.is_none() {
                // Its slices were left alone, whatever they hold.
                self.outside = Some(Box::default());
                self.mark();
            }
            let address = key.address().clone();
            if self.outside.as_mut().is_some_and(|outside| outside.tell(key, content)) {
                self.mark_address(address);
            }
        }
        self.epoch > before
    }

    /// Take endpoints from outside away. True if any was there.
    pub(super) fn take_away(&mut self, gone: Vec<outside::Key>) -> bool {
        let before = self.epoch;
        for key in gone {
            if self.outside.as_mut().is_some_and(|outside| outside.remove(&key)) {
                self.mark_address(key.into_address());
            }
        }
        self.epoch > before
    }

    fn mark_address(&mut self, address: OwnedAddress) {
        self.mark_part(|changes| {
            changes.addresses.insert(address);
        });
    }

    /// Something changed, which `note` tells.
    pub(super) fn mark_part(&mut self, note: impl FnOnce(&mut Changes)) {
        self.epoch += 1;
        if let Some(changes) = &mut self.changes {
            note(changes);
        }
    }

    /// A plan was handed out. True if there is nothing to do.
    pub(super) fn send(&mut self, plan: &Plan) -> bool {
        let (hints, changes) = (plan.notes().hints.clone(), Changes::after(plan));
        if plan.writes().is_empty() {
            self.hints = hints;
            self.changes = changes;
            self.sent = None;
            return true;
        }
        if !plan.writes().iter().all(is_of_addresses) {
            self.changes = None;
        }
        // Nearly always there is the list of the last plan.
        let mut left = self.sent.take().map_or_else(Vec::new, |sent| sent.left);
        left.clear();
        left.extend(plan.writes().iter().rev().map(|write| Left {
            verb: write.verb,
            slice: write.slice.clone(),
            heard: None,
        }));
        self.sent = Some(Sent { epoch: self.epoch, left, hints, changes });
        false
    }

    /// A write is done. True if it was the last one of a plan and nothing else happened, so that there is nothing to do.
    pub(super) fn settle(&mut self, write: &Write) -> bool {
        let Some(sent) = &mut self.sent else { return false };
        if let Some(place) = sent.place_of(write) {
            sent.left.remove(place);
        }
        if !sent.left.is_empty() {
            return false;
        }
        let is_all = sent.epoch == self.epoch;
        if let Some(sent) = self.sent.take().filter(|_| is_all) {
            self.hints = sent.hints;
            self.changes = sent.changes;
        }
        is_all
    }

    /// True if a slice, `None` if it is gone, is now what a plan, all that happened since, wanted it to be. `answered` is the write that made it so,
    /// where that is known: it is looked at before the others.
    pub(super) fn wanted(&mut self, name: &str, slice: Option<&EndpointSlice>, answered: Option<&Write>) -> bool {
        let Some(sent) = &mut self.sent else { return false };
        if let Some(place) = answered.and_then(|write| sent.place_of(write)) {
            let next = sent.left.len() - 1;
            sent.left.swap(place, next);
        }
        sent.left.iter_mut().rev().any(|left| left.makes(name, slice))
    }

    /// True if the slice of a create was heard of since that was planned, whatever became of it.
    pub(super) fn has_heard_of(&self, write: &Write) -> bool {
        let heard = |sent: &Sent| sent.place_of(write).is_some_and(|place| sent.left[place].heard.is_some());
        self.sent.as_ref().is_some_and(heard)
    }

    /// Plan nothing until there are news of the slice of a write.
    pub(super) fn wait(&mut self, write: &Write) {
        let name = &write.slice.metadata().name;
        if name.is_empty() {
            self.lost.push(write.slice.clone());
        } else {
            self.waits_for.insert(name.clone());
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waits_for.is_empty() || !self.lost.is_empty()
    }

    /// News of a slice. True if it was waited for.
    pub(super) fn hear(&mut self, name: &str, slice: Option<&EndpointSlice>) -> bool {
        let lost = self.lost.len();
        if let Some(slice) = slice {
            self.lost.retain(|lost| !says_the_same(lost, slice));
        }
        self.waits_for.remove(name) || self.lost.len() < lost
    }

    /// All slices were told. True if any was waited for.
    pub(super) fn hear_all(&mut self) -> bool {
        let was_waiting = self.is_waiting();
        self.waits_for.clear();
        self.lost.clear();
        was_waiting
    }

    /// The Service is gone. What was given from outside stays, for one that is made anew.
    pub(super) fn forget(&mut self) {
        self.hints = HintState::default();
        self.sent = None;
        self.hear_all();
    }

    /// True if it says nothing that an entry which is made anew would not.
    pub(super) fn is_empty(&self) -> bool {
        self.outside.is_none() && self.hints.says_nothing() && self.sent.is_none() && !self.is_waiting()
    }
}

/// True if the addresses that changed tell what is left to do as long as a write is not done. They lead to no slice without endpoints, and to
/// none that is to say something else of itself.
fn is_of_addresses(write: &Write) -> bool {
    const REASONS: [WriteReason; 6] = [
        WriteReason::EndpointsAdded,
        WriteReason::EndpointsUpdated,
        WriteReason::EndpointsRemoved,
        WriteReason::Emptied,
        WriteReason::AddressReuse,
        WriteReason::Hints,
    ];
    write.reasons.is_only(&REASONS)
}

/// True if two slices differ in nothing but what the API server adds.
pub(super) fn says_the_same(ours: &EndpointSlice, theirs: &EndpointSlice) -> bool {
    if std::ptr::eq(ours, theirs) {
        return true;
    }
    let [owners, their_owners] = [ours, theirs].map(|slice| slice.metadata.unknown.get("ownerReferences"));
    ours.same_group(theirs)
        && ours.endpoints == theirs.endpoints
        && ours.metadata.labels == theirs.metadata.labels
        && ours.metadata.annotations == theirs.metadata.annotations
        && owners == their_owners
        && ours.metadata.is_being_deleted() == theirs.metadata.is_being_deleted()
}
