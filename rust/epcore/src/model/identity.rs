//! When two endpoints are the same one, and when one must be written again. Written once, here.

use std::hash::{Hash, Hasher};

use crate::model::{Address, Conditions, EndpointRef};

/// What makes two endpoints the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The set of addresses, and namespace and name of the target. A changed host name is a change in place, not another endpoint.
    Stable,
    /// The host name too, as in Kubernetes (upstream `endpointHash` of `EndpointSet`).
    Kubernetes,
}

/// An endpoint compared by its identity alone.
#[derive(Clone, Copy)]
pub(crate) struct ByIdentity<'a> {
    pub(crate) endpoint: EndpointRef<'a>,
    pub(crate) identity: Identity,
}

impl<'a> ByIdentity<'a> {
    /// Unset texts are `None`, see `known_fields`.
    fn target(&self) -> [Option<&'a str>; 2] {
        let (namespace, name) = self.endpoint.target_name();
        [namespace, name].map(|text| Some(text).filter(|text| !text.is_empty()))
    }

    fn hostname(&self) -> Option<&'a str> {
        match self.identity {
            Identity::Stable => None,
            Identity::Kubernetes => self.endpoint.hostname(),
        }
    }

    fn sorted_addresses(&self) -> Vec<Address<'a>> {
        let mut addresses: Vec<_> = self.endpoint.addresses().collect();
        addresses.sort_unstable();
        addresses
    }

    fn has_one_address(&self) -> bool {
        self.endpoint.rare().is_none_or(|rare| rare.more_addresses.is_empty())
    }
}

impl PartialEq for ByIdentity<'_> {
    fn eq(&self, other: &Self) -> bool {
        let addresses = match (self.has_one_address(), other.has_one_address()) {
            (true, true) => self.endpoint.has_address_of(other.endpoint),
            (false, false) => self.sorted_addresses() == other.sorted_addresses(),
            _ => false,
        };
        addresses && self.target() == other.target() && self.hostname() == other.hostname()
    }
}

impl Eq for ByIdentity<'_> {}

impl Hash for ByIdentity<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The smallest address stands for all: equality looks at the rest.
        let first =
            if self.has_one_address() { Some(self.endpoint.address()) } else { self.endpoint.addresses().min() };
        first.hash(state);
        self.target().hash(state);
    }
}

/// A total order for output that does not depend on the order of the input.
impl Ord for ByIdentity<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let addresses = if self.has_one_address() && other.has_one_address() {
            self.endpoint.address().cmp(&other.endpoint.address())
        } else {
            self.sorted_addresses().cmp(&other.sorted_addresses())
        };
        addresses.then_with(|| self.target().cmp(&other.target())).then_with(|| self.hostname().cmp(&other.hostname()))
    }
}

impl PartialOrd for ByIdentity<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// True if `existing` may stay as it is where `wanted`, the same endpoint, is wanted.
///
/// Every field that this crate knows must be equal, but for the target's `resourceVersion` (upstream `EndpointsEqualBeyondHash`) and the
/// order of addresses after the first. Fields of a newer API count only where `wanted` names them: what it does not know is not its to change.
pub(crate) fn keeps(existing: EndpointRef<'_>, wanted: EndpointRef<'_>) -> bool {
    if existing.rare().is_none() && wanted.rare().is_none() {
        return existing.conditions() == wanted.conditions()
            && existing.has_address_of(wanted)
            && existing.has_known_texts_of(wanted);
    }
    if known_fields(existing) != known_fields(wanted) {
        return false;
    }
    let Some(rare) = wanted.rare() else { return true };
    let nothing = crate::model::Rare::default();
    let before = existing.rare().unwrap_or(&nothing);
    rare.unknown.is_kept_by(&before.unknown)
        && rare.conditions_unknown.is_kept_by(&before.conditions_unknown)
        && rare.target_unknown.is_kept_by(&before.target_unknown)
        && rare.hints_unknown.is_kept_by(&before.hints_unknown)
}

/// True if of two wanted endpoints with one identity `new` is the one to publish rather than `kept`: not terminating before terminating,
/// ready before not ready, then by content, so that the order of the input does not show.
pub(crate) fn preferred(new: EndpointRef<'_>, kept: EndpointRef<'_>) -> bool {
    let rank = |endpoint: EndpointRef<'_>| {
        let conditions = endpoint.conditions();
        // What is to be taken away is no part of the JSON.
        let rare = endpoint.rare().map(|rare| format!("{:?}", rare.members()));
        (conditions.is_terminating(), !conditions.is_ready(), crate::wire::json::write_endpoint(endpoint), rare)
    };
    rank(new) < rank(kept)
}

/// The fields that decide. Unset texts are `None` and not `""`, see `same_text`.
fn known_fields(endpoint: EndpointRef<'_>) -> (Conditions, Address<'_>, [Option<&str>; 8]) {
    let target = endpoint.target_ref().unwrap_or_default();
    let set = |text| Some(text).filter(|text: &&str| !text.is_empty());
    let texts = [
        endpoint.node_name(),
        endpoint.zone(),
        endpoint.hints(),
        endpoint.hostname(),
        set(target.uid),
        set(target.kind),
        set(target.api_version),
        set(target.field_path),
    ];
    (endpoint.conditions(), endpoint.address(), texts)
}
