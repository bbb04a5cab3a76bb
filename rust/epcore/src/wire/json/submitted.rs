//! A slice as it is sent to the API server: everything that would be refused of it, not just the first.

use crate::Error;
use crate::model::{Address, AddressType, EndpointSlice, check_slice, check_submitted_metadata, shorten};
use crate::wire::json::objects::each;
use crate::wire::json::reader::Reader;
use crate::wire::json::slice::{KIND, read_slice_of_any_type};
use crate::wire::json::stream::single_items;
use crate::wire::json::template::Templates;

/// One object of a document.
pub(crate) enum Submitted {
    /// A slice, and each violation with its path within the slice.
    Slice(Box<EndpointSlice>, Vec<Error>),
    /// What should be a slice, but has something of the wrong type.
    Unreadable(Error),
    /// An object of another kind.
    Other,
}

/// Read each object of a document.
///
/// # Errors
///
/// The document is not JSON, or has watch events.
pub(crate) fn read_submitted(document: &[u8]) -> Result<Vec<Submitted>, Error> {
    let mut objects = Vec::new();
    single_items(document, "slices", "EndpointSliceList", |reader| {
        let start = reader.clone();
        objects.push(if is_of_other_kind(start.clone()) {
            Submitted::Other
        } else {
            match read_one(reader) {
                Ok((slice, violations)) => Submitted::Slice(Box::new(slice), violations),
                Err(error) => Submitted::Unreadable(error),
            }
        });
        *reader = start;
        reader.skip()
    })?;
    Ok(objects)
}

fn is_of_other_kind(mut reader: Reader<'_>) -> bool {
    let mut other = false;
    let _ = reader.object(|reader, name| {
        if name != "kind" {
            return reader.skip();
        }
        other = !matches!(&*reader.optional_string()?, "" | KIND);
        Ok(())
    });
    other
}

fn read_one(reader: &mut Reader<'_>) -> Result<(EndpointSlice, Vec<Error>), Error> {
    let start = reader.clone();
    let (mut slice, address_type) = Templates::kept(|templates| read_slice_of_any_type(reader, templates, None))?;
    let mut violations = Vec::new();
    let address_type = address_type.map_err(|error| violations.push(error)).ok();
    slice.address_type = address_type.unwrap_or(slice.address_type);
    let mut found = |error| violations.push(error);
    check_submitted_metadata(&slice.metadata, &mut |error| found(error.in_field("metadata")));
    check_slice(&slice, address_type, &mut found);
    check_spelling(start, address_type, &mut found)?;
    Ok((slice, violations))
}

/// Tell what the model does not keep, as the old and the new spelling mean the same to it: addresses that are not canonical, and texts that
/// are there but empty (upstream `IsValidIP`, `IsValidIPForLegacyField` and others, which look at pointers).
fn check_spelling(
    mut reader: Reader<'_>,
    address_type: Option<AddressType>,
    found: &mut impl FnMut(Error),
) -> Result<(), Error> {
    reader.object(|reader, name| match name {
        "endpoints" => numbered(reader, &mut |reader, index| {
            let mut found = |error: Error| found(error.in_index(index).in_field("endpoints"));
            reader.object(|reader, name| match name {
                "addresses" => numbered(reader, &mut |reader, index| {
                    if let Some(error) = spelling(&reader.string()?, address_type) {
                        found(error.in_index(index).in_field("addresses"));
                    }
                    Ok(())
                }),
                "hostname" => not_empty(reader, "hostname", &mut found),
                "nodeName" => not_empty(reader, "nodeName", &mut found),
                _ => reader.skip(),
            })
        }),
        "ports" => numbered(reader, &mut |reader, index| {
            let mut found = |error: Error| found(error.in_index(index).in_field("ports"));
            reader.object(|reader, name| match name {
                "protocol" => not_empty(reader, "protocol", &mut found),
                "appProtocol" => not_empty(reader, "appProtocol", &mut found),
                _ => reader.skip(),
            })
        }),
        _ => reader.skip(),
    })
}

fn numbered(
    reader: &mut Reader<'_>,
    item: &mut dyn FnMut(&mut Reader<'_>, usize) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut index = 0;
    each(reader, |reader| {
        index += 1;
        item(reader, index - 1)
    })
}

fn not_empty(reader: &mut Reader<'_>, field: &'static str, found: &mut dyn FnMut(Error)) -> Result<(), Error> {
    if !reader.null()? && reader.string()?.is_empty() {
        found(Error::invalid("must not be empty: leave it out").in_field(field));
    }
    Ok(())
}

/// What is wrong with the spelling of an address that is right otherwise.
fn spelling(text: &str, address_type: Option<AddressType>) -> Option<Error> {
    let address = Address::parse(text);
    let trouble = match (address_type?, address) {
        (AddressType::IPv4, Address::V4(_)) if text.contains(':') => "is an IPv4-mapped IPv6 address",
        (AddressType::IPv4, Address::V4(v4)) if v4.to_string() != text => "has leading zeros",
        (AddressType::IPv6, Address::V6(v6)) if v6.to_string() != text => "is not in canonical form",
        (AddressType::Fqdn, Address::V4(_)) if text.contains(':') => "is not a domain name",
        _ => return None,
    };
    Some(Error::invalid(format!("{:?} {trouble}: write {address}", shorten(text))))
}
