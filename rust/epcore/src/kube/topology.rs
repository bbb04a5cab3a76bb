//! Zone hints by the share of CPU (annotation `service.kubernetes.io/topology-mode: Auto`; upstream `TopologyCache`).

use std::collections::BTreeMap;

use hashbrown::HashSet;

use crate::Error;
use crate::kube::Node;
use crate::kube::hints::{Current, Source, has_hints, is_ready, key, with_hints};
use crate::kube::run::Run;
use crate::model::{AddressType, EndpointList, EndpointRef, EndpointSlice};
use crate::pack::{Event, Verb, WriteReason, WriteReasons};
use crate::wire::json;

/// How far a zone may be from its share.
const OVERLOAD: f64 = 0.2;

/// Zone -> how many endpoints serve it.
pub(crate) type Counts = BTreeMap<String, usize>;

/// How many endpoints should serve a zone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allocation {
    pub(crate) maximum: usize,
    desired: f64,
}

/// The share of each zone in the CPU of all nodes, `None` if any node does not tell (upstream `SetNodes`).
pub(crate) fn ratios<'n>(nodes: &[&'n Node]) -> Option<BTreeMap<&'n str, f64>> {
    let mut zones: BTreeMap<&'n str, i128> = BTreeMap::new();
    for node in nodes.iter().filter(|node| node.is_ready && !node.is_control_plane) {
        if node.zone.is_empty() || node.cpu == 0 {
            return None;
        }
        let cpu = zones.entry(&node.zone).or_default();
        *cpu = cpu.saturating_add(node.cpu);
    }
    let total = zones.values().copied().fold(0, i128::saturating_add);
    if zones.len() < 2 || total == 0 {
        return None;
    }
    let milli = |nano: i128| (nano.div_euclid(1_000_000) + i128::from(nano.rem_euclid(1_000_000) > 0)) as f64;
    Some(zones.into_iter().map(|(zone, cpu)| (zone, milli(cpu) / milli(total))).collect())
}

/// How the zones share `ready` endpoints, or why they cannot (upstream `getAllocations`).
pub(crate) fn allocations(
    ratios: Option<&BTreeMap<&str, f64>>,
    ready: usize,
) -> Result<BTreeMap<String, Allocation>, String> {
    let Some(ratios) = ratios else {
        return Err("nodes do not tell their zones and CPU, or are in one zone only".to_owned());
    };
    if ratios.len() > ready {
        return Err(format!("{ready} endpoints are too few for {} zones", ratios.len()));
    }
    let share = |ratio: f64| {
        let desired = ratio * ready as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a count")]
        let minimum = (desired * (1.0 / (1.0 + OVERLOAD))).ceil() as usize;
        (minimum, desired.max(minimum as f64))
    };
    let least: usize = ratios.values().map(|&ratio| share(ratio).0).sum();
    let Some(rest) = ready.checked_sub(least) else {
        return Err(format!("{ready} endpoints cannot be shared among {} zones without overload", ratios.len()));
    };
    let allocation = |(zone, ratio): (&&str, &f64)| {
        let (minimum, desired) = share(*ratio);
        ((*zone).to_owned(), Allocation { maximum: minimum + rest, desired })
    };
    Ok(ratios.iter().map(allocation).collect())
}

/// How many endpoints each zone gives to others, and how many it gets (upstream `getGivingAndReceivingZones`).
pub(crate) fn transfers(allocations: &BTreeMap<String, Allocation>, allocated: &Counts) -> (Counts, Counts) {
    let mut excess: BTreeMap<&str, f64> = BTreeMap::new();
    let mut lack: BTreeMap<&str, f64> = BTreeMap::new();
    for (zone, allocation) in allocations {
        let difference = allocated.get(zone).copied().unwrap_or(0) as f64 - allocation.desired;
        if difference > 0.0 {
            excess.insert(zone, difference);
        } else if difference < 0.0 {
            lack.insert(zone, -difference);
        }
    }
    let (mut giving, mut receiving) = (Counts::new(), Counts::new());
    while let (Some((giver, surplus)), Some((taker, need))) = (most(&excess), most(&lack)) {
        if surplus < 0.5 || need < 0.5 || (surplus < 1.0 && need < 1.0) {
            break;
        }
        *giving.entry(giver.to_owned()).or_default() += 1;
        *receiving.entry(taker.to_owned()).or_default() += 1;
        excess.insert(giver, surplus - 1.0);
        lack.insert(taker, need - 1.0);
    }
    (giving, receiving)
}

/// The zone with the largest amount above zero, the first by name of equals.
fn most<'a>(zones: &BTreeMap<&'a str, f64>) -> Option<(&'a str, f64)> {
    let mut best = None;
    for (&zone, &amount) in zones {
        if amount > best.map_or(0.0, |(_, most)| most) {
            best = Some((zone, amount));
        }
    }
    best
}

/// Take one from `zone`'s share in giving, and tell which zone gets it.
pub(crate) fn transfer(zone: &str, giving: &mut Counts, receiving: &mut Counts) -> Option<String> {
    let give = giving.get_mut(zone).filter(|count| **count > 0)?;
    let (taker, take) = receiving.iter_mut().find(|(_, count)| **count > 0)?;
    *give -= 1;
    *take -= 1;
    Some(taker.clone())
}

impl Run<'_> {
    /// Tell people, and remember, that there are no hints by CPU.
    fn refuse(&mut self, family: AddressType, why: &str) {
        self.forget_hints(family);
        let message = format!("{why}, addressType: {}", family.as_str());
        self.notes.events.push(Event { is_warning: true, reason: "TopologyAwareHintsDisabled", message });
    }

    /// Forget what was given to a family.
    pub(super) fn forget_hints(&mut self, family: AddressType) {
        let state = &mut self.notes.hints;
        state.zones.remove(&family);
        state.is_populated = false;
    }

    /// The annotation is gone.
    pub(super) fn end_topology(&mut self, family: AddressType) {
        if self.notes.hints.is_populated {
            self.refuse(family, "the annotation was taken away");
        }
        self.forget_hints(family);
    }

    fn remember(&mut self, family: AddressType, allocated: Counts) {
        let state = &mut self.notes.hints;
        if !std::mem::replace(&mut state.is_populated, true) {
            let message = format!("endpoints are shared among zones, addressType: {}", family.as_str());
            self.notes.events.push(Event { is_warning: false, reason: "TopologyAwareHintsEnabled", message });
        }
        self.notes.hints.zones.insert(family, allocated);
    }

    /// The hints of each ready endpoint, in order; those that are still right stay. `None` if there are to be none.
    pub(super) fn share_zones<'e>(
        &mut self,
        family: AddressType,
        lists: impl Iterator<Item = &'e EndpointList>,
        current: &Current,
    ) -> Option<Vec<String>> {
        let ready: Vec<EndpointRef<'e>> = lists.flat_map(EndpointList::iter).filter(|one| is_ready(*one)).collect();
        let allocations = match allocations(ratios(&self.nodes).as_ref(), ready.len()) {
            Ok(allocations) => allocations,
            Err(why) => {
                self.refuse(family, &why);
                return None;
            }
        };
        let hints: Vec<&str> =
            ready.iter().map(|endpoint| current.get(&key(*endpoint)).map_or("", String::as_str)).collect();
        let shared = settled(&ready, &hints, &allocations);
        let Some((chosen, allocated)) = shared else {
            self.refuse(family, NO_ZONE);
            return None;
        };
        self.remember(family, allocated);
        Some(chosen)
    }

    /// Give hints to a packed family, as Kubernetes does (upstream `AddHints`, `RemoveHintsFromSlices` and `ReconcileHints`).
    pub(super) fn add_hints(&mut self, family: AddressType, slots: &[usize], first_write: usize) -> Result<(), Error> {
        let source = self.source;
        if source == Source::Topology {
            return self.add_topology_hints(family, slots, first_write);
        }
        self.end_topology(family);
        if source == Source::Nothing {
            return self.remove_hints(slots, first_write);
        }
        let right = |endpoint: EndpointRef<'_>| {
            !is_ready(endpoint) || endpoint.hints().unwrap_or_default() == source.hints(endpoint)
        };
        for slot in self.unwritten(slots) {
            if !self.plan.before[slot].endpoints.iter().all(right) {
                self.rewrite(slot);
            }
        }
        self.each_written(first_write, |_, endpoint| is_ready(endpoint).then(|| source.hints(endpoint)))
    }

    fn remove_hints(&mut self, slots: &[usize], first_write: usize) -> Result<(), Error> {
        for slot in self.unwritten(slots) {
            if has_hints(&self.plan.before[slot]) {
                self.rewrite(slot);
            }
        }
        self.each_written(first_write, |_, _| Some(String::new()))
    }

    /// Slices that stay as they are.
    fn unwritten(&self, slots: &[usize]) -> Vec<usize> {
        let written: HashSet<usize> = self.plan.writes.iter().map(|part| part.write.slot).collect();
        slots.iter().copied().filter(|slot| !written.contains(slot)).collect()
    }

    /// Write a slice for its hints alone.
    fn rewrite(&mut self, slot: usize) {
        let slice = self.plan.before[slot].clone();
        self.plan.counts.endpoints_resent += slice.endpoints.len();
        self.plan.push(Verb::Update, slot, slice, WriteReasons::default().with(WriteReason::Hints, true));
    }

    /// Set the hints of the endpoints of every slice that is written: those of new slices first, as Kubernetes does.
    fn each_written(
        &mut self,
        first_write: usize,
        mut choose: impl FnMut(usize, EndpointRef<'_>) -> Option<String>,
    ) -> Result<(), Error> {
        for verb in [Verb::Create, Verb::Update] {
            for part in self.plan.writes[first_write..].iter_mut().filter(|part| part.write.verb == verb) {
                let endpoints = with_hints(&part.write.slice.endpoints, &mut choose)?;
                part.write.slice.endpoints = endpoints;
            }
        }
        Ok(())
    }

    fn add_topology_hints(&mut self, family: AddressType, slots: &[usize], first_write: usize) -> Result<(), Error> {
        let count = |slice: &EndpointSlice| slice.endpoints.iter().filter(|one| is_ready(*one)).count();
        let unwritten = self.unwritten(slots);
        let written = self.plan.writes[first_write..].iter().filter(|part| part.write.verb != Verb::Delete);
        let ready = written.map(|part| count(&part.write.slice)).sum::<usize>()
            + unwritten.iter().map(|&slot| count(&self.plan.before[slot])).sum::<usize>();
        let allocations = match allocations(ratios(&self.nodes).as_ref(), ready) {
            Ok(allocations) => allocations,
            Err(why) => {
                self.refuse(family, &why);
                return self.remove_hints(slots, first_write);
            }
        };
        let mut allocated = Counts::new();
        for slot in unwritten {
            match zones_served(&self.plan.before[slot], &allocated, &allocations) {
                Some(zones) => zones.into_iter().for_each(|(zone, count)| *allocated.entry(zone).or_default() += count),
                None => self.rewrite(slot),
            }
        }
        let mut has_all_zones = true;
        let own_zone = |_: usize, endpoint: EndpointRef<'_>| {
            if !is_ready(endpoint) || !has_all_zones {
                return None;
            }
            let Some(zone) = endpoint.zone() else {
                has_all_zones = false;
                return None;
            };
            *allocated.entry(zone.to_owned()).or_default() += 1;
            Some(json::write_hints(Some(zone), None))
        };
        self.each_written(first_write, own_zone)?;
        if !has_all_zones {
            self.refuse(family, NO_ZONE);
            return self.remove_hints(slots, first_write);
        }
        let (mut giving, mut receiving) = transfers(&allocations, &allocated);
        self.each_written(first_write, |_, endpoint| {
            let zone = endpoint.zone().filter(|_| is_ready(endpoint))?;
            let served = hand_over(zone.to_owned(), &mut giving, &mut receiving, &mut allocated);
            Some(json::write_hints(Some(&served), None))
        })?;
        self.remember(family, allocated);
        Ok(())
    }
}

const NO_ZONE: &str = "an endpoint has no zone";

/// Looks at zones until another one would change nothing, if it takes no more than so many.
const LOOKS: usize = 8;

/// The hints of each ready endpoint, which stay at the next look, and what each zone has then.
fn settled(
    ready: &[EndpointRef<'_>],
    hints: &[&str],
    allocations: &BTreeMap<String, Allocation>,
) -> Option<(Vec<String>, Counts)> {
    let again = |chosen: &[String], most_zones: usize| {
        let chosen: Vec<&str> = chosen.iter().map(String::as_str).collect();
        share(ready, &chosen, allocations, most_zones)
    };
    let shared = share(ready, hints, allocations, usize::MAX)?;
    if again(&shared.0, usize::MAX).is_some_and(|next| next.0 == shared.0) {
        return Some(shared);
    }
    // An endpoint that counts in several zones may unsettle others, and a zone may be given more than it may keep.
    let mut shared = share(ready, hints, allocations, 1)?;
    for _ in 0..LOOKS {
        match again(&shared.0, 1) {
            Some(next) if next.0 != shared.0 => shared = next,
            _ => break,
        }
    }
    Some(shared)
}

/// The hints of each endpoint, and how many serve each zone; `None` if one needs a hint and has no zone. Hints that name at most `most_zones`
/// stay while each zone has room.
fn share(
    ready: &[EndpointRef<'_>],
    hints: &[&str],
    allocations: &BTreeMap<String, Allocation>,
    most_zones: usize,
) -> Option<(Vec<String>, Counts)> {
    let mut allocated = Counts::new();
    let mut chosen: Vec<Option<String>> = Vec::with_capacity(ready.len());
    for &hints in hints {
        let zones = zones_of(hints);
        let fits = |zone: &String| {
            let most = allocations.get(zone).map_or(0, |allocation| allocation.maximum);
            allocated.get(zone).copied().unwrap_or(0) < most
        };
        let is_right = (1..=most_zones).contains(&zones.len()) && zones.iter().all(fits);
        for zone in zones.into_iter().filter(|_| is_right) {
            *allocated.entry(zone).or_default() += 1;
        }
        chosen.push(is_right.then(|| hints.to_owned()));
    }
    let open: Vec<(usize, &str)> = (0..ready.len())
        .filter(|&at| chosen[at].is_none())
        .map(|at| Some((at, ready[at].zone()?)))
        .collect::<Option<_>>()?;
    for &(_, zone) in &open {
        *allocated.entry(zone.to_owned()).or_default() += 1;
    }
    let (mut giving, mut receiving) = transfers(allocations, &allocated);
    for (at, own) in open {
        let zone = hand_over(own.to_owned(), &mut giving, &mut receiving, &mut allocated);
        chosen[at] = Some(json::write_hints(Some(&zone), None));
    }
    Some((chosen.into_iter().map(Option::unwrap_or_default).collect(), allocated))
}

/// The zone that an endpoint of zone `own` serves.
fn hand_over(own: String, giving: &mut Counts, receiving: &mut Counts, allocated: &mut Counts) -> String {
    let Some(taker) = transfer(&own, giving, receiving) else { return own };
    *allocated.entry(own).or_default() -= 1;
    *allocated.entry(taker.clone()).or_default() += 1;
    taker
}

fn zones_of(hints: &str) -> Vec<String> {
    if hints.is_empty() { Vec::new() } else { json::read_hints(hints).map(|(zones, _)| zones).unwrap_or_default() }
}

/// How many endpoints of a slice serve each zone, `None` if it must be written for its hints (upstream `getHintsByZone`).
fn zones_served(
    slice: &EndpointSlice,
    allocated: &Counts,
    allocations: &BTreeMap<String, Allocation>,
) -> Option<Counts> {
    let mut served = Counts::new();
    for endpoint in slice.endpoints.iter().filter(|one| is_ready(*one)) {
        let zones = zones_of(endpoint.hints().unwrap_or_default());
        if zones.is_empty() || zones.iter().any(|zone| !allocations.contains_key(zone)) {
            return None;
        }
        for zone in zones {
            *served.entry(zone).or_default() += 1;
        }
    }
    let fits = |(zone, count): (&String, &usize)| {
        count + allocated.get(zone).copied().unwrap_or(0) <= allocations[zone].maximum
    };
    served.iter().all(fits).then_some(served)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(zone: &str, cpu: i128) -> Node {
        Node { zone: zone.to_owned(), cpu, is_ready: true, ..Node::default() }
    }

    fn ratios_of(nodes: &[Node]) -> Vec<f64> {
        ratios(&nodes.iter().collect::<Vec<_>>()).map(BTreeMap::into_values).into_iter().flatten().collect()
    }

    #[test]
    fn shares_are_those_of_thousandths_of_a_core_rounded_up() {
        assert_eq!(ratios_of(&[node("a", 1), node("b", 2_000_001), node("c", -1)]), [1.0 / 3.0, 1.0, 0.0]);
    }

    #[test]
    fn nodes_may_tell_of_any_amount_of_cpu() {
        for (one, other) in [(i128::MAX, i128::MAX), (i128::MIN, i128::MIN), (i128::MIN, 1), (i128::MAX, -1)] {
            let shares = ratios_of(&[node("a", one), node("a", one), node("b", other)]);
            assert!(shares.iter().all(|share| share.is_finite()), "{shares:?}");
        }
    }
}
