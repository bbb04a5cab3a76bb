//! What an endpoint is kept as: a record of fixed size, whose texts are in a buffer, and what few have beside it.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::model::text::TextBuffer;
use crate::model::{Address, Conditions, Members, Text};

/// An [`Address`] whose text, if it is a name, is in a buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum StoredAddress {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    Name(Text),
}

impl StoredAddress {
    /// Keep an address where there is room for its text.
    #[inline]
    pub(crate) fn of(address: Address<'_>, text: &mut TextBuffer) -> Self {
        match address {
            Address::V4(address) => Self::V4(address),
            Address::V6(address) => Self::V6(address),
            Address::Name(name) => Self::Name(text.append(name)),
        }
    }
}

impl Default for StoredAddress {
    fn default() -> Self {
        Self::Name(Text::default())
    }
}

/// One endpoint. Texts are spans of the list's buffer, and equal ones are equal texts only where the buffers are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Record {
    pub(crate) address: StoredAddress,
    pub(crate) conditions: Conditions,
    pub(crate) hostname: Text,
    pub(crate) node_name: Text,
    pub(crate) zone: Text,
    /// Canonical JSON of the hints object.
    pub(crate) hints: Text,
    pub(crate) target_kind: Text,
    pub(crate) target_namespace: Text,
    pub(crate) target_name: Text,
    pub(crate) target_uid: Text,
    /// Index of the rare part plus one; zero is none.
    pub(super) rare: u32,
}

impl Record {
    /// About how many bytes what few endpoints have needs.
    pub(super) const RARE: usize = 512;

    /// True if it says the same as a record of a list with the same text, without a look at what few endpoints have.
    #[inline]
    #[expect(clippy::needless_bitwise_bool, reason = "without branches all texts are looked at at once")]
    pub(super) fn is_copy_of(&self, other: &Self) -> bool {
        let texts = (self.hostname == other.hostname)
            & (self.node_name == other.node_name)
            & (self.zone == other.zone)
            & (self.hints == other.hints)
            & (self.target_kind == other.target_kind)
            & (self.target_namespace == other.target_namespace)
            & (self.target_name == other.target_name)
            & (self.target_uid == other.target_uid);
        texts & (self.conditions == other.conditions) & (self.rare | other.rare == 0) && self.address == other.address
    }

    /// About how many bytes it needs beside itself.
    pub(super) fn weight(&self) -> usize {
        self.own_text() + Self::RARE * usize::from(self.rare != 0)
    }

    /// The bytes of all its texts.
    pub(super) fn all_text(&self) -> usize {
        self.own_text() + self.target_kind.len() + self.target_namespace.len()
    }

    /// The bytes of its texts, but for those that all others are likely to have.
    pub(super) fn own_text(&self) -> usize {
        let own = [self.hostname, self.node_name, self.zone, self.hints, self.target_name, self.target_uid];
        let name = if let StoredAddress::Name(name) = self.address { name.len() } else { 0 };
        own.iter().map(|text| text.len()).sum::<usize>() + name
    }
}

/// What few endpoints have.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rare {
    /// True if the endpoint has no address at all, which only unchecked input has.
    pub(crate) no_address: bool,
    pub(crate) more_addresses: Vec<Box<str>>,
    pub(crate) target_api_version: Box<str>,
    pub(crate) target_resource_version: Box<str>,
    pub(crate) target_field_path: Box<str>,
    pub(crate) target_unknown: Members,
    pub(crate) conditions_unknown: Members,
    pub(crate) hints_unknown: Members,
    /// Also `deprecatedTopology`, which nothing can write any more.
    pub(crate) unknown: Members,
}

impl Rare {
    /// False if it can be left out. A `null` says that a field is to be taken away, although it equals none.
    pub(super) fn says_something(&self) -> bool {
        *self != Self::default() || self.members().into_iter().any(Members::says_something)
    }

    /// What is the target's, as JSON has it.
    pub(super) fn of_target(&self) -> Self {
        Self {
            target_api_version: self.target_api_version.clone(),
            target_resource_version: self.target_resource_version.clone(),
            target_field_path: self.target_field_path.clone(),
            target_unknown: self.target_unknown.without_numbered(),
            ..Self::default()
        }
    }

    /// Fields of a newer API at every level: of the endpoint, its conditions, its target, its hints.
    pub(crate) fn members(&self) -> [&Members; 4] {
        [&self.unknown, &self.conditions_unknown, &self.target_unknown, &self.hints_unknown]
    }
}
