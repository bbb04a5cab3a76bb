//! Addresses in one canonical form, and the type that a slice gives to all of its addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Error;
use crate::model::names;

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

/// Write an address as it shows itself. Nearly all are such ones, and the formatter of the standard library takes ten times as long.
pub(crate) fn write_v4(out: &mut Vec<u8>, address: Ipv4Addr) {
    const MOST: usize = "255.255.255.255".len();
    let mut text = [0; MOST];
    let mut length = 0;
    let mut put = |byte: u8| {
        text[length] = byte;
        length += 1;
    };
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            put(b'.');
        }
        if octet >= 100 {
            put(b'0' + octet / 100);
        }
        if octet >= 10 {
            put(b'0' + octet / 10 % 10);
        }
        put(b'0' + octet % 10);
    }
    out.extend_from_slice(&text[..length]);
}

fn parse_v4(text: &[u8]) -> Option<Ipv4Addr> {
    leading_v4(text).filter(|&(_, length)| length == text.len()).map(|(address, _)| address)
}

/// Four decimal octets of any number of digits at the beginning of a text, and how many bytes they are.
#[inline]
pub(crate) fn leading_v4(text: &[u8]) -> Option<(Ipv4Addr, usize)> {
    match text.first_chunk().and_then(usual_v4) {
        None => any_v4(text),
        usual => usual,
    }
}

/// The same of octets that have no more than three digits each, if they are that.
#[inline]
fn usual_v4(text: &[u8; 16]) -> Option<(Ipv4Addr, usize)> {
    let digit = |at: usize| u16::from(text[at % 16].wrapping_sub(b'0'));
    let mut octets = [0u8; 4];
    let mut at = 0;
    for (index, octet) in octets.iter_mut().enumerate() {
        if index > 0 && text[at % 16] != b'.' {
            return None;
        }
        at += usize::from(index > 0);
        let (value, count) = match [digit(at), digit(at + 1), digit(at + 2)] {
            [first, ..] if first > 9 => return None,
            [one, second, _] if second > 9 => (one, 1),
            [ten, one, third] if third > 9 => (10 * ten + one, 2),
            [hundred, ten, one] => (100 * hundred + 10 * ten + one, 3),
        };
        *octet = u8::try_from(value).ok()?;
        at += count;
    }
    // Another digit may follow, or the text may have come round.
    (at < 16 && digit(at) > 9).then_some((Ipv4Addr::from(octets), at))
}

fn any_v4(text: &[u8]) -> Option<(Ipv4Addr, usize)> {
    let mut octets = [0u8; 4];
    let mut at = 0;
    for (index, octet) in octets.iter_mut().enumerate() {
        if index > 0 {
            if *text.get(at)? != b'.' {
                return None;
            }
            at += 1;
        }
        let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let value = text[at..at + digits]
            .iter()
            .try_fold(0, |value: u16, digit| Some(value * 10 + u16::from(digit - b'0')).filter(|value| *value < 256));
        *octet = u8::try_from(value.filter(|_| digits > 0)?).ok()?;
        at += digits;
    }
    Some((Ipv4Addr::from(octets), at))
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
    fn addresses_at_the_beginning_of_a_text_are_found_in_either_way() {
        let octets = ["0", "7", "10", "99", "100", "249", "255", "256", "300", "007", "0100", "", "x"];
        let after = ["", "\"", "\"},{\"addresses\"", ".", "1", "5678901234567890", ".1.2.3.4.5.6.7", "x"];
        for (first, last) in octets.iter().flat_map(|first| octets.iter().map(move |last| (first, last))) {
            for text in after.iter().flat_map(|after| {
                [
                    format!("{first}.2.13.{last}{after}"),
                    format!("192.{first}.{last}.244{after}"),
                    format!("{first}{last}{after}"),
                ]
            }) {
                assert_eq!(leading_v4(text.as_bytes()), any_v4(text.as_bytes()), "{text}");
            }
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
