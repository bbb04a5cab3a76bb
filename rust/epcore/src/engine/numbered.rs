//! Slices by name, each with a number that stands for it.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::engine::versions::Name;
use crate::model::EndpointSlice;

/// Slices by name and by number. A number is used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbered {
    slices: Vec<Option<Arc<EndpointSlice>>>,
    free: Vec<u32>,
    numbers: HashMap<Name, u32>,
}

impl Numbered {
    pub(super) fn at(&self, number: u32) -> Option<&Arc<EndpointSlice>> {
        self.slices.get(number as usize)?.as_ref()
    }

    pub(super) fn get(&self, name: &Name) -> Option<&Arc<EndpointSlice>> {
        self.at(*self.numbers.get(name)?)
    }

    pub(super) fn number(&self, name: &Name) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Each name with its slice.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Name, &Arc<EndpointSlice>)> {
        self.numbers.iter().filter_map(|(name, &number)| Some((name, self.at(number)?)))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        self.numbers.keys()
    }

    /// Make the slice of a name so, `None` if it is not there; tells its number and what was there. Nothing where nothing was there or is.
    pub(super) fn set(
        &mut self,
        name: &Name,
        slice: Option<&Arc<EndpointSlice>>,
    ) -> Option<(u32, Option<Arc<EndpointSlice>>)> {
        let number = match (self.numbers.get(name), slice) {
            (Some(&number), Some(_)) => number,
            (Some(&number), None) => {
                self.numbers.remove(name);
                self.free.push(number);
                number
            }
            (None, Some(_)) => self.new_number(name),
            (None, None) => return None,
        };
        Some((number, std::mem::replace(&mut self.slices[number as usize], slice.cloned())))
    }

    fn new_number(&mut self, name: &Name) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.slices.push(None);
            u32::try_from(self.slices.len() - 1).unwrap_or(u32::MAX)
        });
        self.numbers.insert(name.clone(), number);
        number
    }
}
