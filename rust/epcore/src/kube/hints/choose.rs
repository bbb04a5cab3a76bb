//! The hints of all groups of a family, before they are packed.

use crate::Error;
use crate::kube::hints::{Current, Source, current, is_ready, key, with_hints};
use crate::kube::run::{Group, Run};
use crate::model::AddressType;

impl Run<'_> {
    /// With our own policies hints are known before anything is packed, so that what they change counts as changed.
    pub(in crate::kube) fn choose_hints(&mut self, family: AddressType, groups: &mut [Group]) -> Result<(), Error> {
        if self.source == Source::Nothing {
            self.end_topology(family);
            return Ok(());
        }
        let current = self.current_hints(groups);
        let shared = if self.source == Source::Topology {
            self.share_zones(family, groups.iter().map(|group| &*group.endpoints), &current)
        } else {
            self.end_topology(family);
            None
        };
        if self.source == Source::Topology && shared.is_none() {
            return Ok(());
        }
        let mut shared = shared.unwrap_or_default().into_iter();
        for group in groups {
            let endpoints = with_hints(&group.endpoints, |_, endpoint| {
                Some(match self.source {
                    Source::Topology if is_ready(endpoint) => shared.next().unwrap_or_default(),
                    source => source.hints_or(endpoint, || current.get(&key(endpoint)).cloned().unwrap_or_default()),
                })
            })?;
            group.endpoints = endpoints.into();
        }
        Ok(())
    }

    fn current_hints(&self, groups: &[Group]) -> Current {
        let slots = groups.iter().flat_map(|group| &group.slots);
        current(slots.map(|&slot| &*self.plan.before[slot]))
    }
}
