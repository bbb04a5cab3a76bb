//! The Services and ports of entries.

use hashbrown::HashMap;

use crate::diff::key::{Key, Port, Service, Sides, port_of, service_of};
use crate::model::EndpointSlice;

/// Services and ports that entries are of, by number, so that a key is short.
pub(super) struct Groups<'a> {
    sides: Sides<'a>,
    numbers: HashMap<(Service<'a>, Option<Port<'a>>), u32>,
    /// What each slice of a side has, among `lists`, once somebody asked.
    of_slice: [Vec<Option<u32>>; 2],
    lists: Vec<Vec<(Option<u32>, u32)>>,
    /// For whom the last list was made.
    last: Option<&'a EndpointSlice>,
    pub(super) key: Key,
}

impl<'a> Groups<'a> {
    pub(super) fn new(sides: Sides<'a>, key: Key) -> Self {
        let of_slice = sides.map(|slices| vec![None; slices.len()]);
        Self { sides, numbers: HashMap::new(), of_slice, lists: Vec::new(), last: None, key }
    }

    /// Port and group of each entry that an endpoint of a slice has: one for each port, or one without; each group once.
    #[inline]
    pub(super) fn of(&mut self, side: usize, at: u32) -> &[(Option<u32>, u32)] {
        let list = match self.of_slice[side][at as usize] {
            Some(list) => list,
            None => self.find(side, at),
        };
        &self.lists[list as usize]
    }

    fn find(&mut self, side: usize, at: u32) -> u32 {
        let slice = &*self.sides[side][at as usize];
        if self.last.is_none_or(|last| service_of(last) != service_of(slice) || last.ports != slice.ports) {
            let list = self.list(slice);
            self.lists.push(list);
            self.last = Some(slice);
        }
        let list = u32::try_from(self.lists.len() - 1).unwrap_or(u32::MAX);
        self.of_slice[side][at as usize] = Some(list);
        list
    }

    fn list(&mut self, slice: &'a EndpointSlice) -> Vec<(Option<u32>, u32)> {
        let count = if self.key == Key::AddressPort { slice.ports.len() } else { 0 };
        let ports = (0u32..).take(count).map(Some).chain((count == 0).then_some(None));
        let mut list: Vec<(Option<u32>, u32)> = Vec::new();
        for port in ports {
            let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
            let group = *self.numbers.entry((service_of(slice), port_of(slice, port))).or_insert(next);
            list.push((port, group));
        }
        // Of a port that is there twice, the first one counts.
        list.sort_by_key(|&(_, group)| group);
        list.dedup_by_key(|&mut (_, group)| group);
        list
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Each Service and port with its number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Service<'a>, &Option<Port<'a>>, u32)> {
        self.numbers.iter().map(|((service, port), number)| (service, port, *number))
    }

    /// Where the Service of each group is among all Services, and its port among all of its Service.
    pub(super) fn ranks(&self) -> Vec<(u32, u32)> {
        let mut sorted: Vec<_> = self.iter().collect();
        sorted.sort_unstable();
        let mut ranks = vec![(0, 0); sorted.len()];
        let mut service = 0;
        for (at, (of, _, group)) in (0u32..).zip(&sorted) {
            if at > 0 && sorted[at as usize - 1].0 != *of {
                service += 1;
            }
            ranks[*group as usize] = (service, at);
        }
        ranks
    }
}
