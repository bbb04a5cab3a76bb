//! Endpoints as records of fixed size over one text buffer.

use std::ops::Range;

use crate::Error;
use crate::model::known::Known;
use crate::model::text::{Common, TextBuffer};
use crate::model::{Address, Conditions, EndpointFields, EndpointRef, Members, Rare, Record, StoredAddress, Text};

/// Endpoints in order.
///
/// # Examples
///
/// ```
/// let list = epcore::wire::json::read_endpoints(br#"[{"addresses": ["10.0.0.5"], "zone": "a"}]"#)?;
/// assert_eq!(list.get(0).and_then(|endpoint| endpoint.zone()), Some("a"));
/// for endpoint in &list {
///     assert!(endpoint.conditions().is_ready());
/// }
/// # Ok::<(), epcore::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct EndpointList {
    pub(super) text: TextBuffer,
    pub(super) records: Vec<Record>,
    pub(super) rare: Vec<Rare>,
    /// About how many bytes belong to records that are no longer there.
    wasted: usize,
    known: Known,
}

impl EndpointList {
    /// A list of none, with room for so many and no more.
    #[must_use]
    pub fn with_capacity(endpoints: usize) -> Self {
        Self { records: Vec::with_capacity(endpoints), ..Self::default() }
    }

    /// The number of endpoints.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The endpoint at an index.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<EndpointRef<'_>> {
        Some(EndpointRef { list: self, record: self.records.get(index)? })
    }

    /// The endpoints in order.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = EndpointRef<'_>> + ExactSizeIterator {
        self.records.iter().map(|record| EndpointRef { list: self, record })
    }

    /// The endpoints of a range of places, which must be there.
    #[inline]
    pub(crate) fn range(&self, places: Range<usize>) -> impl Iterator<Item = EndpointRef<'_>> {
        self.records[places].iter().map(|record| EndpointRef { list: self, record })
    }

    /// A copy of the endpoints at some places, which must be there, with no room for others.
    pub(crate) fn part(&self, places: impl ExactSizeIterator<Item = usize> + Clone) -> Result<Self, Error> {
        let mut part = Self::with_capacity(places.len());
        let records = places.map(|place| &self.records[place]);
        part.text.reserve(records.clone().map(Record::own_text).sum());
        records.map(|record| EndpointRef { list: self, record }).try_for_each(|endpoint| part.push(endpoint))?;
        part.shrink();
        Ok(part)
    }

    /// Where the first endpoint with a first address is, from a place on.
    pub(crate) fn place_of(&self, address: Address<'_>, from: usize) -> Option<usize> {
        let mut records = self.records.get(from..)?.iter();
        let found = match address {
            Address::V4(of) => records.position(|record| matches!(record.address, StoredAddress::V4(one) if one == of)),
            Address::V6(of) => records.position(|record| matches!(record.address, StoredAddress::V6(one) if one == of)),
            Address::Name(of) => records
                .position(|record| matches!(record.address, StoredAddress::Name(one) if self.text.get(one) == of)),
        };
        Some(from + found?)
    }

    /// Endpoints that have fields which few have.
    pub(crate) fn with_rare_fields(&self) -> impl Iterator<Item = EndpointRef<'_>> {
        let some = if self.rare.is_empty() { &[] } else { &*self.records };
        some.iter().filter(|record| record.rare != 0).map(|record| EndpointRef { list: self, record })
    }

    /// Append a copy of an endpoint of any list.
    ///
    /// # Errors
    ///
    /// The list would hold more than 4 GiB of text.
    pub fn push(&mut self, endpoint: EndpointRef<'_>) -> Result<(), Error> {
        self.push_with_rare(endpoint, endpoint.rare().cloned())
    }

    /// The same with another rare part.
    #[inline]
    fn push_with_rare(&mut self, endpoint: EndpointRef<'_>, rare: Option<Rare>) -> Result<(), Error> {
        let (from, record) = (&endpoint.list.text, endpoint.record);
        let last = self.records.last().copied().unwrap_or_default();
        // Asked once for all, so that none of them is answered by way of memory.
        self.text.check_room(record.all_text())?;
        let text = &mut self.text;
        let copy = Record {
            address: StoredAddress::of(endpoint.address(), text),
            conditions: record.conditions,
            hostname: text.append(from.get(record.hostname)),
            node_name: text.find_or_append(from.get(record.node_name)),
            zone: text.find_or_append_after(last.zone, from.get(record.zone)),
            hints: text.find_or_append_after(last.hints, from.get(record.hints)),
            target_kind: text.find_or_append_after(last.target_kind, from.get(record.target_kind)),
            target_namespace: text.find_or_append_after(last.target_namespace, from.get(record.target_namespace)),
            target_name: text.append(from.get(record.target_name)),
            target_uid: text.append(from.get(record.target_uid)),
            rare: 0,
        };
        self.push_record(copy, rare)
    }

    /// Append an endpoint that says this. Nothing of it is checked.
    ///
    /// # Errors
    ///
    /// The list would hold more than 4 GiB of text.
    ///
    /// # Examples
    ///
    /// ```
    /// use epcore::model::{EndpointFields, EndpointList};
    ///
    /// let mut list = EndpointList::with_capacity(1);
    /// list.push_fields(&EndpointFields { address: "10.0.0.5", zone: "a", ..Default::default() })?;
    /// assert!(list == epcore::wire::json::read_endpoints(br#"[{"addresses": ["10.0.0.5"], "zone": "a"}]"#)?);
    /// # Ok::<(), epcore::Error>(())
    /// ```
    pub fn push_fields(&mut self, fields: &EndpointFields<'_>) -> Result<(), Error> {
        let EndpointFields { address, conditions, hostname, node_name, zone, hints, target } = *fields;
        let [kind, namespace, name, uid] = target;
        let texts = [address, hostname, node_name, zone, hints, kind, namespace, name, uid];
        self.text.check_room(texts.iter().map(|text| text.len()).sum())?;
        let text = &mut self.text;
        let record = Record {
            address: StoredAddress::of(Address::parse(address), text),
            conditions,
            hostname: text.append(hostname),
            node_name: text.find_or_append(node_name),
            zone: text.find_or_append(zone),
            hints: text.find_or_append(hints),
            target_kind: text.find_or_append(kind),
            target_namespace: text.find_or_append(namespace),
            target_name: text.append(name),
            target_uid: text.append(uid),
            rare: 0,
        };
        self.push_plain(&record);
        Ok(())
    }

    /// Endpoints and bytes of text.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.records.len(), self.text.len())
    }

    /// Make room for so many endpoints with so many bytes of text.
    pub(crate) fn reserve(&mut self, (endpoints, bytes): (usize, usize)) {
        self.records.reserve(endpoints);
        self.text.reserve(bytes);
    }

    /// Make room for so many endpoints, and no more.
    pub(crate) fn reserve_exact(&mut self, endpoints: usize) {
        self.records.reserve_exact(endpoints);
    }

    /// Append `endpoint` with other hints, as canonical JSON; `""` takes all away, also those of a newer API.
    pub(crate) fn push_with_hints(&mut self, endpoint: EndpointRef<'_>, hints: &str) -> Result<(), Error> {
        let mut rare = endpoint.rare().cloned();
        if let Some(rare) = rare.as_mut().filter(|_| hints.is_empty()) {
            rare.hints_unknown = Members::default();
        }
        let record = Record { hints: Text::default(), ..*endpoint.record };
        self.push_with_rare(EndpointRef { record: &record, ..endpoint }, rare)?;
        let hints = self.text.intern(hints)?;
        if let Some(record) = self.records_mut().last_mut() {
            record.hints = hints;
        }
        Ok(())
    }

    /// Append one address, the host name, the node and the target of `endpoint`, in this condition, and nothing else that it says.
    pub(crate) fn push_with_conditions(
        &mut self,
        endpoint: EndpointRef<'_>,
        conditions: Conditions,
    ) -> Result<(), Error> {
        let record = Record { conditions, zone: Text::default(), hints: Text::default(), ..*endpoint.record };
        self.push_with_rare(EndpointRef { record: &record, ..endpoint }, endpoint.rare().map(Rare::of_target))
    }

    /// A copy with all endpoints in this condition.
    pub(crate) fn with_conditions(&self, conditions: Conditions) -> Self {
        let mut copy = self.clone();
        for record in copy.records_mut() {
            record.conditions = conditions;
        }
        copy
    }

    /// Keep the first `count` endpoints.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.records_mut().truncate(count);
    }

    /// Append `endpoint`, with the fields of a newer API that `kept` has and `endpoint` doesn't name.
    pub(crate) fn push_over(&mut self, endpoint: EndpointRef<'_>, kept: EndpointRef<'_>) -> Result<(), Error> {
        let Some(before) = kept.rare() else { return self.push(endpoint) };
        let mut rare = endpoint.rare().cloned().unwrap_or_default();
        rare.unknown = rare.unknown.over(&before.unknown);
        rare.conditions_unknown = rare.conditions_unknown.over(&before.conditions_unknown);
        if endpoint.target_ref().is_some() {
            rare.target_unknown = rare.target_unknown.over(&before.target_unknown);
        }
        if endpoint.hints().is_some() || endpoint.hints_unknown().is_some() {
            rare.hints_unknown = rare.hints_unknown.over(&before.hints_unknown);
        }
        self.push_with_rare(endpoint, Some(rare))
    }

    /// Take all endpoints away, and keep the room for others.
    pub(crate) fn clear(&mut self) {
        self.records_mut().clear();
        self.text.clear();
        self.rare.clear();
        self.wasted = 0;
    }

    /// Give back what is not needed to look at it.
    pub fn shrink(&mut self) {
        self.text.shrink();
        self.records.shrink_to_fit();
        self.rare.shrink_to_fit();
    }

    /// True if it takes no more memory than what it says.
    pub(crate) fn is_tight(&self) -> bool {
        self.wasted == 0 && self.text.is_tight() && self.records.capacity() == self.records.len()
    }

    /// A copy with other endpoints at some places, and none where there is `None`. Places must be there, and rise.
    pub(crate) fn with_replaced(&self, places: &[(usize, Option<EndpointRef<'_>>)]) -> Result<Self, Error> {
        let mut copy = self.with_room(places.len());
        for &(place, endpoint) in places.iter().rev() {
            let Some(endpoint) = endpoint else {
                copy.wasted += copy.records_mut().remove(place).weight();
                continue;
            };
            copy.replace(place, endpoint)?;
        }
        copy.without_waste()
    }

    /// The same endpoints without what is kept of others that are no longer there, if that is more than half.
    pub(crate) fn without_waste(self) -> Result<Self, Error> {
        if self.wasted <= self.weight() / 2 {
            return Ok(self);
        }
        let mut packed = Self::default();
        self.iter().try_for_each(|endpoint| packed.push(endpoint))?;
        Ok(packed)
    }

    /// About how many bytes it keeps beside its records.
    fn weight(&self) -> usize {
        self.text.len() + self.rare.len() * Record::RARE
    }

    /// True if so many more endpoints and their texts could be kept.
    pub(crate) fn has_room_for<'a>(&self, endpoints: impl Iterator<Item = EndpointRef<'a>>) -> bool {
        let (count, bytes) = endpoints.fold((self.rare.len(), self.text.len()), |(count, bytes), endpoint| {
            (count + 1, bytes.saturating_add(endpoint.text_bound()))
        });
        u32::try_from(count).is_ok() && u32::try_from(bytes).is_ok()
    }

    /// Put an endpoint in the place of another. Texts that are the same are not kept twice.
    fn replace(&mut self, place: usize, endpoint: EndpointRef<'_>) -> Result<(), Error> {
        let before = self.records[place];
        let mut wasted = if before.rare == 0 { 0 } else { Record::RARE };
        let mut keep = |new: Text, before: Text| {
            let new = endpoint.list.text.get(new);
            if self.text.get(before) == new {
                return Ok(before);
            }
            wasted += before.len();
            self.text.push(new)
        };
        let new = endpoint.record;
        let mut record = Record {
            address: before.address,
            conditions: new.conditions,
            hostname: keep(new.hostname, before.hostname)?,
            node_name: keep(new.node_name, before.node_name)?,
            zone: keep(new.zone, before.zone)?,
            hints: keep(new.hints, before.hints)?,
            target_kind: keep(new.target_kind, before.target_kind)?,
            target_namespace: keep(new.target_namespace, before.target_namespace)?,
            target_name: keep(new.target_name, before.target_name)?,
            target_uid: keep(new.target_uid, before.target_uid)?,
            rare: 0,
        };
        let address = endpoint.address();
        if (EndpointRef { list: self, record: &before }).address() != address {
            record.address = self.store(address)?;
        }
        self.wasted += wasted;
        self.push_record(record, endpoint.rare().cloned())?;
        self.records_mut().swap_remove(place);
        Ok(())
    }

    /// A copy with room for so many more endpoints.
    fn with_room(&self, endpoints: usize) -> Self {
        const TEXT: usize = 256;
        let mut records = Vec::with_capacity(self.records.len() + endpoints);
        records.extend_from_slice(&self.records);
        let text = self.text.with_room(endpoints * TEXT);
        Self { text, records, rare: self.rare.clone(), wasted: self.wasted, known: Known::default() }
    }

    pub(crate) fn push_record(&mut self, mut record: Record, rare: Option<Rare>) -> Result<(), Error> {
        if let Some(rare) = rare.filter(Rare::says_something) {
            self.rare.push(rare);
            record.rare = u32::try_from(self.rare.len()).map_err(|_| {
                Error::limit("more endpoints than one list can hold", u32::MAX as usize, self.rare.len())
            })?;
        }
        self.records_mut().push(record);
        Ok(())
    }

    /// Append an endpoint that has no rare part.
    #[inline]
    pub(crate) fn push_plain(&mut self, record: &Record) {
        self.records_mut().push(*record);
    }

    /// A copy of these endpoints with all texts and rare parts of another list, to which [`EndpointList::push_range_of`] can append.
    pub(crate) fn onto_text_of(&self, other: &Self) -> Result<Self, Error> {
        let mut list = other.with_room(1);
        list.records.clear();
        list.wasted += other.weight();
        self.iter().try_for_each(|endpoint| list.push(endpoint))?;
        Ok(list)
    }

    /// Append endpoints of the list whose text this one has.
    pub(crate) fn push_range_of(&mut self, other: &Self, places: Range<usize>) {
        self.wasted -= places.len() * (other.weight() / other.len());
        self.records_mut().extend_from_slice(&other.records[places]);
    }

    /// True if much of what it keeps is of endpoints that are no longer there.
    pub(crate) fn is_wasteful(&self) -> bool {
        self.wasted > self.weight() / 4
    }

    /// An address as records of this list have it.
    pub(crate) fn store(&mut self, address: Address<'_>) -> Result<StoredAddress, Error> {
        if let Address::Name(name) = address {
            self.text.check_room(name.len())?;
        }
        Ok(StoredAddress::of(address, &mut self.text))
    }

    pub(crate) fn text(&self) -> &TextBuffer {
        &self.text
    }

    pub(crate) fn text_mut(&mut self) -> &mut TextBuffer {
        &mut self.text
    }

    /// The only way to other records than before.
    #[inline]
    fn records_mut(&mut self) -> &mut Vec<Record> {
        self.known.forget();
        &mut self.records
    }

    pub(crate) fn known(&self) -> &Known {
        &self.known
    }
}

impl PartialEq for EndpointList {
    fn eq(&self, other: &Self) -> bool {
        if std::ptr::eq(self, other) {
            return true;
        }
        if let ([record], [its]) = (&*self.records, &*other.records) {
            return EndpointRef { list: self, record } == EndpointRef { list: other, record: its };
        }
        self.len() == other.len()
            && self.known.has_prints_of(&other.known).unwrap_or_else(|| self.differences(other).next().is_none())
    }
}

impl EndpointList {
    /// Add the places where both lists have an endpoint, but another one.
    pub(crate) fn add_differences(&self, other: &Self, places: &mut Vec<u32>) {
        match self.known.both_prints(&other.known) {
            Some((prints, others)) => {
                let pairs = (0u32..).zip(prints.iter().zip(others));
                places.extend(pairs.filter(|(_, (print, other))| print != other).map(|(place, _)| place));
            }
            None => self.add_differences_from_records(other, places),
        }
    }

    /// The same with a look at records first, which lie before their text in the memory of most lists: the processor waits less for what it
    /// finds in this order.
    fn add_differences_from_records(&self, other: &Self, places: &mut Vec<u32>) {
        /// Where one in so many records is another one, nearly all texts have other places.
        const FEW: usize = 4;
        let (start, most) = (places.len(), self.len() / FEW);
        let pairs = (0u32..).zip(self.records.iter().zip(&other.records));
        let others = pairs.filter(|(_, (record, its))| !record.is_copy_of(its)).map(|(place, _)| place);
        places.extend(others.take(most + 1));
        let common = self.text.common(&other.text);
        if !common.is_whole || places.len() - start > most {
            places.truncate(start);
            places.extend(self.differences_of_all(other, common));
            return;
        }
        let mut last = Default::default();
        let differs = |place: &u32| {
            let [one, two] = [self, other].map(|list| EndpointRef { list, record: &list.records[*place as usize] });
            !one.equals(two, common, &mut last)
        };
        let others = places.split_off(start);
        places.extend(others.into_iter().filter(differs));
    }

    fn differences(&self, other: &Self) -> impl Iterator<Item = u32> {
        self.differences_of_all(other, self.text.common(&other.text))
    }

    fn differences_of_all(&self, other: &Self, common: Common) -> impl Iterator<Item = u32> {
        let mut last = Default::default();
        let mut differ = move |(record, its): (&Record, &Record)| {
            let (one, two) = (EndpointRef { list: self, record }, EndpointRef { list: other, record: its });
            !one.equals(two, common, &mut last)
        };
        let pairs = (0u32..).zip(self.records.iter().zip(&other.records));
        pairs.filter(move |&(_, pair)| differ(pair)).map(|(place, _)| place)
    }
}

impl Eq for EndpointList {}

impl std::fmt::Debug for EndpointList {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json;

    #[test]
    fn what_few_endpoints_have_is_kept_once() {
        let text = br#"[{"addresses": ["10.0.0.1"], "new": 1, "hints": {"forZones": [{"name": "a"}], "new": 1}}]"#;
        let endpoints = json::read_endpoints(text).expect("endpoints");
        let endpoint = endpoints.get(0).expect("an endpoint");
        let mut list = EndpointList::default();
        list.push_over(endpoint, endpoint).expect("room");
        list.push_with_hints(endpoint, "").expect("room");
        list.push_with_hints(endpoint, r#"{"forZones":[{"name":"b"}]}"#).expect("room");
        let hints: Vec<_> = list.iter().map(|one| (one.hints(), one.hints_unknown().is_some())).collect();
        let (a, b) = (r#"{"forZones":[{"name":"a"}]}"#, r#"{"forZones":[{"name":"b"}]}"#);
        assert_eq!(hints, [(Some(a), true), (None, false), (Some(b), true)]);
        assert_eq!(list.rare.len(), list.len());
    }
}
