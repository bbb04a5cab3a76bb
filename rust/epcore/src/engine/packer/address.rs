//! Addresses as keys, which are compared without a look at any text.

use std::hash::{Hash, Hasher};
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::model::Address;

/// An [`Address`] that is kept. Numbers are compared at once, octets one by one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OwnedAddress {
    V4(u32),
    /// Its halves, since a number of 128 bits would make all of them larger.
    V6(u64, u64),
    Name(Box<str>),
}

impl OwnedAddress {
    pub(super) fn get(&self) -> Address<'_> {
        match self {
            Self::V4(address) => Address::V4(Ipv4Addr::from_bits(*address)),
            Self::V6(high, low) => Address::V6(Ipv6Addr::from_bits(u128::from(*high) << 64 | u128::from(*low))),
            Self::Name(name) => Address::Name(name),
        }
    }
}

/// Without the kind: few addresses of two kinds are one number.
impl Hash for OwnedAddress {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::V4(address) => state.write_u32(*address),
            Self::V6(high, low) => (high, low).hash(state),
            Self::Name(name) => name.hash(state),
        }
    }
}

impl From<Address<'_>> for OwnedAddress {
    fn from(address: Address<'_>) -> Self {
        match address {
            Address::V4(address) => Self::V4(address.to_bits()),
            Address::V6(address) => {
                let octets = address.octets();
                let half = |octets: &[u8]| octets.iter().fold(0, |half, &octet| half << 8 | u64::from(octet));
                Self::V6(half(&octets[..8]), half(&octets[8..]))
            }
            Address::Name(name) => Self::Name(name.into()),
        }
    }
}
