//! Addresses in one canonical form, and the type that a slice gives to all of its addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Error;
use crate::model::short::{SHORT, filled};
use crate::model::{leading_v4, names};

/// `addressType` of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressType {
    /// IPv4 addresses.
    IPv4,
    /// IPv6 addresses.
    IPv6,
    /// Fully qualified domain names. Deprecated in Kubernetes, which gives them no meaning.
    Fqdn,
}

impl AddressType {
    /// The word that the API uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IPv4 => "IPv4",
            Self::IPv6 => "IPv6",
            Self::Fqdn => "FQDN",
        }
    }

    /// The type that the API's word names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "IPv4" => Some(Self::IPv4),
            "IPv6" => Some(Self::IPv6),
            "FQDN" => Some(Self::Fqdn),
            _ => None,
        }
    }
}

/// One address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address<'a> {
    /// An IPv4 address, also one that was written as an IPv4-mapped IPv6 address, as Kubernetes has it.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
    /// Anything else: a domain name, if it is valid.
    Name(&'a str),
}

impl<'a> Address<'a> {
    /// Read an address in any spelling. IPv4 octets may have leading zeros and are decimal (upstream `ParseIPSloppy`).
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        if let Some(address) = parse_v4(text.as_bytes()) {
            return Self::V4(address);
        }
        if text.contains(':')
            && let Ok(address) = text.parse::<Ipv6Addr>()
        {
            return match address.to_ipv4_mapped() {
                Some(mapped) => Self::V4(mapped),
                None => Self::V6(address),
            };
        }
        Self::Name(text)
    }

    /// The address type that this address fits.
    #[must_use]
    pub fn address_type(&self) -> AddressType {
        match self {
            Self::V4(_) => AddressType::IPv4,
            Self::V6(_) => AddressType::IPv6,
            Self::Name(_) => AddressType::Fqdn,
        }
    }

    /// Check what the API server checks of any address, whatever the type of its slice (upstream `ValidateEndpointIP`).
    ///
    /// # Errors
    ///
    /// The address is unspecified, loopback or link-local, or neither an IP address nor a domain name.
    pub fn validate(&self) -> Result<(), Error> {
        match self {
            Self::V4(address) if !may_be_special(*address) => Ok(()),
            Self::V4(address) => special(&IpAddr::V4(*address)),
            Self::V6(address) => special(&IpAddr::V6(*address)),
            Self::Name(name) if names::is_fqdn(name) => Ok(()),
            Self::Name(name) => {
                Err(Error::invalid(format!("{:?} is neither an IP address nor a domain name", names::shorten(name))))
            }
        }
    }
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => address.fmt(formatter),
            Self::V6(address) => address.fmt(formatter),
            Self::Name(name) => formatter.write_str(name),
        }
    }
}

/// False if it begins as none that the API refuses.
#[inline]
pub(crate) fn may_be_special(address: Ipv4Addr) -> bool {
    matches!(address.octets()[0], 0 | 127 | 169 | 224)
}

fn special(address: &IpAddr) -> Result<(), Error> {
    let what = match address {
        _ if address.is_unspecified() => "unspecified",
        _ if address.is_loopback() => "a loopback address",
        IpAddr::V4(v4) if v4.is_link_local() => "link-local",
        IpAddr::V4(v4) if v4.octets()[..3] == [224, 0, 0] => "link-local multicast",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => "link-local",
        IpAddr::V6(v6) if v6.is_multicast() && v6.octets()[1] & 0x0f == 2 => "link-local multicast",
        _ => return Ok(()),
    };
    Err(Error::invalid(format!("{address} is {what}, which the API refuses")))
}

fn parse_v4(text: &[u8]) -> Option<Ipv4Addr> {
    // With spaces behind it, where it is as long as nearly all addresses are: then all bytes are looked at at once.
    let found = if text.len() < SHORT { leading_v4(&filled(text, b' ').to_le_bytes()) } else { leading_v4(text) };
    found.filter(|&(_, length)| length == text.len()).map(|(address, _)| address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_address_is_one_address() {
        for text in ["10.0.0.1", "010.000.0.01", "::ffff:10.0.0.1", "::FFFF:a00:1"] {
            assert_eq!(Address::parse(text).to_string(), "10.0.0.1", "{text}");
        }
        for text in ["2001:db8::1", "2001:DB8:0:0:0:0:0:1", "2001:0db8::0001"] {
            assert_eq!(Address::parse(text).to_string(), "2001:db8::1", "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_a_name() {
        for text in ["10.0.0", "10.0.0.256", "10.0.0.1.", "1.2.3.4.5", "", "db.example.org", "fe80::1%eth0", ":::"] {
            assert_eq!(Address::parse(text), Address::Name(text));
        }
    }

    #[test]
    fn refuses_the_addresses_that_the_api_refuses() {
        for text in ["0.0.0.0", "127.3.0.1", "169.254.1.1", "224.0.0.5", "::", "::1", "fe80::7", "ff02::1", "", "a b"] {
            assert!(Address::parse(text).validate().is_err(), "{text}");
        }
        for text in ["10.0.0.1", "224.0.1.1", "255.255.255.255", "2001:db8::", "ff05::2", "db.example.org"] {
            assert!(Address::parse(text).validate().is_ok(), "{text}");
        }
    }
}
