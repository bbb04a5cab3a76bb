//! One endpoint of a list, and what it stands for.

use std::hash::{Hash, Hasher};

use crate::model::text::Common;
use crate::model::{Address, Conditions, EndpointList, Members, Rare, Record, StoredAddress, Text};

/// One endpoint of a list.
#[derive(Clone, Copy)]
pub struct EndpointRef<'a> {
    pub(super) list: &'a EndpointList,
    pub(super) record: &'a Record,
}

/// What an endpoint stands for, usually a Pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetRef<'a> {
    /// Kind, for example `Pod`.
    pub kind: &'a str,
    /// Namespace.
    pub namespace: &'a str,
    /// Name.
    pub name: &'a str,
    /// UID.
    pub uid: &'a str,
    /// `apiVersion` of the target.
    pub api_version: &'a str,
    /// Version of the target; never compared, as Kubernetes does.
    pub resource_version: &'a str,
    /// Part of the target.
    pub field_path: &'a str,
}

/// What an endpoint says that has one address and nothing that few have. A text of `""` is one that is not set.
#[derive(Clone, Copy, Debug, Default)]
pub struct EndpointFields<'a> {
    /// The address, in any spelling.
    pub address: &'a str,
    /// Conditions.
    pub conditions: Conditions,
    /// Host name.
    pub hostname: &'a str,
    /// Name of the node.
    pub node_name: &'a str,
    /// Zone.
    pub zone: &'a str,
    /// Hints as canonical JSON, as [`EndpointRef::hints`] has them.
    pub hints: &'a str,
    /// Kind, namespace, name and UID of the target.
    pub target: [&'a str; 4],
}

impl TargetRef<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { kind, namespace, name, uid, api_version, resource_version, field_path } = self;
        [kind, namespace, name, uid, api_version, resource_version, field_path].iter().all(|text| text.is_empty())
    }
}

impl<'a> EndpointRef<'a> {
    /// The first address, the only one with a meaning. An empty name if there is none.
    #[must_use]
    pub fn address(&self) -> Address<'a> {
        match self.record.address {
            StoredAddress::V4(address) => Address::V4(address),
            StoredAddress::V6(address) => Address::V6(address),
            StoredAddress::Name(text) => Address::Name(self.list.text.get(text)),
        }
    }

    /// All addresses.
    pub fn addresses(&self) -> impl Iterator<Item = Address<'a>> + use<'a> {
        let rare = self.rare();
        let first = (!rare.is_some_and(|rare| rare.no_address)).then(|| self.address());
        first.into_iter().chain(rare.into_iter().flat_map(|rare| &rare.more_addresses).map(|text| Address::parse(text)))
    }

    /// True if it has the same first address.
    #[inline]
    pub(crate) fn has_address_of(self, other: EndpointRef<'_>) -> bool {
        match (&self.record.address, &other.record.address) {
            (StoredAddress::V4(one), StoredAddress::V4(two)) => one == two,
            (StoredAddress::V6(one), StoredAddress::V6(two)) => one == two,
            (StoredAddress::Name(one), StoredAddress::Name(two)) => self.bytes(*one) == other.bytes(*two),
            _ => false,
        }
    }

    /// True if it has the same addresses in the same order.
    pub(crate) fn has_addresses_of(self, other: EndpointRef<'_>) -> bool {
        if self.rare().is_none() && other.rare().is_none() {
            return self.has_address_of(other);
        }
        self.addresses().eq(other.addresses())
    }

    /// How many addresses there are.
    pub(crate) fn address_count(&self) -> usize {
        self.rare().map_or(1, |rare| usize::from(!rare.no_address) + rare.more_addresses.len())
    }

    /// Conditions.
    #[must_use]
    pub fn conditions(&self) -> Conditions {
        self.record.conditions
    }

    /// Host name.
    #[must_use]
    pub fn hostname(&self) -> Option<&'a str> {
        self.optional(self.record.hostname)
    }

    /// Name of the node.
    #[must_use]
    pub fn node_name(&self) -> Option<&'a str> {
        self.optional(self.record.node_name)
    }

    /// The same as bytes, none if it is not set.
    #[inline]
    pub(crate) fn node_bytes(&self) -> &'a [u8] {
        self.list.text.bytes(self.record.node_name)
    }

    /// Zone.
    #[must_use]
    pub fn zone(&self) -> Option<&'a str> {
        self.optional(self.record.zone)
    }

    /// Hints as canonical JSON, `{"forZones":[{"name":"a"}]}`, without fields of a newer API.
    #[must_use]
    pub fn hints(&self) -> Option<&'a str> {
        self.optional(self.record.hints)
    }

    /// Target.
    #[must_use]
    pub fn target_ref(&self) -> Option<TargetRef<'a>> {
        let rare = self.rare();
        let text = |pick: fn(&Rare) -> &Box<str>| rare.map_or("", |rare| &**pick(rare));
        let target = TargetRef {
            kind: self.list.text.get(self.record.target_kind),
            namespace: self.list.text.get(self.record.target_namespace),
            name: self.list.text.get(self.record.target_name),
            uid: self.list.text.get(self.record.target_uid),
            api_version: text(|rare| &rare.target_api_version),
            resource_version: text(|rare| &rare.target_resource_version),
            field_path: text(|rare| &rare.target_field_path),
        };
        (!target.is_empty() || self.target_unknown().is_some()).then_some(target)
    }

    /// Namespace and name of the target, `""` where not set.
    pub(crate) fn target_name(&self) -> (&'a str, &'a str) {
        (self.list.text.get(self.record.target_namespace), self.list.text.get(self.record.target_name))
    }

    /// Fields of a newer API, and `deprecatedTopology`.
    #[must_use]
    pub fn unknown(&self) -> Option<&'a Members> {
        self.rare().map(|rare| &rare.unknown).filter(|members| !members.is_empty())
    }

    pub(crate) fn conditions_unknown(&self) -> Option<&'a Members> {
        self.rare().map(|rare| &rare.conditions_unknown).filter(|members| !members.is_empty())
    }

    pub(crate) fn target_unknown(&self) -> Option<&'a Members> {
        self.rare().map(|rare| &rare.target_unknown).filter(|members| !members.is_empty())
    }

    pub(crate) fn hints_unknown(&self) -> Option<&'a Members> {
        self.rare().map(|rare| &rare.hints_unknown).filter(|members| !members.is_empty())
    }

    /// True if both have the same fields that the API does not know, at every level.
    pub(crate) fn has_unknown_of(self, other: EndpointRef<'a>) -> bool {
        let all = |endpoint: EndpointRef<'a>| {
            endpoint.rare().map(Rare::members).filter(|members| !members.iter().all(|one| one.is_empty()))
        };
        all(self) == all(other)
    }

    /// True if both want the same: they are equal, and would take the same fields away.
    pub(crate) fn wants_same_as(self, other: EndpointRef<'_>) -> bool {
        let take_same = |(members, others): (&Members, &Members)| members.iter_all().eq(others.iter_all());
        self == other
            && match (self.rare(), other.rare()) {
                (None, None) => true,
                (Some(one), Some(other)) => one.members().into_iter().zip(other.members()).all(take_same),
                _ => false,
            }
    }

    pub(crate) fn rare(&self) -> Option<&'a Rare> {
        self.list.rare.get((self.record.rare as usize).checked_sub(1)?)
    }

    /// The record of an endpoint with an IP address, no host name, a target that has all of its parts or none, and nothing that few have.
    #[inline]
    pub(crate) fn usual_record(self) -> Option<&'a Record> {
        let record = self.record;
        let has_name = !record.target_name.is_empty();
        let is_usual = record.rare == 0
            && record.hostname.is_empty()
            && !matches!(record.address, StoredAddress::Name(_))
            && record.target_uid.is_empty() != has_name
            && (has_name || record.target_kind.is_empty() && record.target_namespace.is_empty());
        is_usual.then_some(record)
    }

    /// No JSON form of the endpoint is longer than this.
    pub(crate) fn size_bound(self) -> usize {
        if self.rare().is_some() {
            return crate::wire::json::write_endpoint(self).len() + 1;
        }
        self.text_bound()
    }

    /// The same for all but what few endpoints have.
    pub(crate) fn text_bound(self) -> usize {
        let record = self.record;
        let address = if let Address::Name(name) = self.address() { name.len() } else { 45 };
        let texts = [
            record.hostname,
            record.node_name,
            record.zone,
            record.target_kind,
            record.target_namespace,
            record.target_name,
            record.target_uid,
        ];
        // A character takes at most six bytes escaped; hints are JSON already; names and signs take less than 256 bytes.
        6 * (texts.iter().map(|text| text.len()).sum::<usize>() + address) + record.hints.len() + 256
    }

    fn optional(&self, text: Text) -> Option<&'a str> {
        (!text.is_empty()).then(|| self.list.text.get(text))
    }
}

impl EndpointRef<'_> {
    /// True if both are equal; with what their lists have in common, and the spans of each kind that were compared last.
    #[inline]
    pub(super) fn equals(self, other: EndpointRef<'_>, common: Common, last: &mut [(Text, Text); 8]) -> bool {
        let (record, its) = (self.record, other.record);
        if record.rare != 0 || its.rare != 0 {
            return self == other;
        }
        if common.is_whole && record == its {
            return true;
        }
        if record.conditions != its.conditions || !self.has_address_of(other) {
            return false;
        }
        let (texts, others) = (self.spans(), other.spans());
        common.are_all_same(&texts, &others) || self.has_texts_like(other, common, last)
    }

    /// The same of their texts, one by one.
    fn has_texts_like(self, other: EndpointRef<'_>, common: Common, last: &mut [(Text, Text); 8]) -> bool {
        let mut pairs = self.spans().into_iter().zip(other.spans()).zip(last);
        pairs.all(|((one, two), last)| {
            // Texts that many have are kept once, and so they are often those of the endpoint before.
            let is_known = common.are_same(one, two) || *last == (one, two);
            let are_same = is_known || one.len() == two.len() && self.bytes(one) == other.bytes(two);
            if are_same {
                *last = (one, two);
            }
            are_same
        })
    }
}

/// Equal in every field. A field of a newer API that is `null` is one that is not there.
impl PartialEq for EndpointRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.has_address_of(*other)
            && self.conditions() == other.conditions()
            && self.has_texts_of(*other)
            && match (self.rare(), other.rare()) {
                (Some(one), Some(other)) => one == other,
                (one, other) => one.or(other).is_none_or(|rare| *rare == Rare::default()),
            }
    }
}

impl<'a> EndpointRef<'a> {
    /// True if all texts that are not rare are equal. Unset ones are passed over: comparing two empty texts still calls `memcmp`, whose masked
    /// load from the dangling address of an empty text takes hundreds of cycles on processors with AVX-512.
    fn has_texts_of(self, other: EndpointRef<'_>) -> bool {
        self.same_texts(other, &self.spans(), &other.spans())
    }

    /// The same but for namespace and name of the target.
    pub(crate) fn has_known_texts_of(self, other: EndpointRef<'_>) -> bool {
        let [[_, texts @ .., _], [_, others @ .., _]] = [self.spans(), other.spans()];
        self.same_texts::<6>(other, &texts, &others)
    }

    #[inline]
    fn same_texts<const N: usize>(self, other: EndpointRef<'_>, spans: &[Text; N], others: &[Text; N]) -> bool {
        let mut pairs = spans.iter().zip(others);
        pairs.clone().all(|(one, other)| one.len() == other.len())
            && pairs.all(|(&one, &two)| one.is_empty() || self.list.text.bytes(one) == other.list.text.bytes(two))
    }

    /// A text of the list that it is in.
    #[inline]
    pub(crate) fn bytes(&self, span: Text) -> &'a [u8] {
        self.list.text.bytes(span)
    }

    /// The texts that are not rare; first those that few other endpoints are likely to have.
    #[inline]
    pub(crate) fn spans(&self) -> [Text; 8] {
        let record = self.record;
        [
            record.target_name,
            record.target_uid,
            record.node_name,
            record.zone,
            record.hints,
            record.hostname,
            record.target_kind,
            record.target_namespace,
        ]
    }
}

impl Eq for EndpointRef<'_> {}

/// What nearly always tells one from another.
impl Hash for EndpointRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.address(), self.conditions(), self.target_name(), self.node_name()).hash(state);
    }
}

impl std::fmt::Debug for EndpointRef<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&crate::wire::json::write_endpoint(*self)))
    }
}
