//! Addresses as keys, which are compared without a look at any text.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::model::Address;

/// An [`Address`] that is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OwnedAddress {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    Name(Box<str>),
}

impl OwnedAddress {
    pub(super) fn get(&self) -> Address<'_> {
        match self {
            Self::V4(address) => Address::V4(*address),
            Self::V6(address) => Address::V6(*address),
            Self::Name(name) => Address::Name(name),
        }
    }
}

impl From<Address<'_>> for OwnedAddress {
    fn from(address: Address<'_>) -> Self {
        match address {
            Address::V4(address) => Self::V4(address),
            Address::V6(address) => Self::V6(address),
            Address::Name(name) => Self::Name(name.into()),
        }
    }
}
