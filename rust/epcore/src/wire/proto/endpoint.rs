//! One endpoint, in and out: the hot path.

use crate::Error;
use crate::model::{
    Address, AddressType, Conditions, EndpointList, EndpointPort, EndpointRef, EndpointSlice, Members, Rare, Record,
    StoredAddress, Valid, validate_slice, validate_slice_around_endpoints, write_v4,
};
use crate::wire::json;
use crate::wire::proto::again::Again;
use crate::wire::proto::encoding::{write_bytes, write_fields, write_message, write_number};
use crate::wire::proto::hints::KnownHints;
use crate::wire::proto::known_json::KnownJson;
use crate::wire::proto::metadata::{Known, read_rest};
use crate::wire::proto::reader::{Field, Reader, Seen};
use crate::wire::proto::schema::{ENDPOINT, HINTS, REST_OF_ENDPOINT};
use crate::wire::proto::usual::Usual;

/// What reading some slices tells for reading the next.
pub(super) struct Learned<'a> {
    pub(super) metadata: Known<'a>,
    pub(super) ports: Again<'a, Vec<EndpointPort>>,
    valid: Valid,
    hints: KnownHints<'a>,
    usual: Usual<'a>,
    /// True if all is left to the plain reader.
    is_plain: bool,
}

impl<'a> Learned<'a> {
    /// Nothing yet of a document.
    pub(super) fn new() -> Self {
        Self::of(false)
    }

    /// What leaves all to the plain reader.
    pub(super) fn plain() -> Self {
        Self::of(true)
    }

    fn of(is_plain: bool) -> Self {
        Self {
            metadata: Known::new(is_plain),
            ports: Again::new(is_plain),
            valid: Valid::default(),
            hints: KnownHints::default(),
            usual: Usual::new(),
            is_plain,
        }
    }

    /// Begin with another list.
    pub(super) fn begin(&mut self) {
        self.usual.forget(&mut self.hints);
        self.usual.are_sound = true;
    }

    /// Check as the API server does the slice whose endpoints were read last.
    pub(super) fn validate(&mut self, slice: &EndpointSlice) -> Result<(), Error> {
        if self.usual.are_sound && slice.address_type == AddressType::IPv4 {
            validate_slice_around_endpoints(slice, &mut self.valid)
        } else {
            validate_slice(slice)
        }
    }

    /// Read those endpoints that are next in a slice and of the usual form onto the end of a list.
    pub(super) fn read_usual(&mut self, slice: &mut Reader<'a>, list: &mut EndpointList) {
        if !self.is_plain {
            self.usual.read(slice, list, &mut self.hints);
        }
    }

    /// Take the last endpoints off a list and go back to where they begin, for the plain reader to read them.
    pub(super) fn read_again(&mut self, slice: &mut Reader<'a>, from: usize, list: &mut EndpointList, count: usize) {
        self.usual.undo(list, count, &mut self.hints, slice.position());
        slice.jump(from);
    }
}

/// An endpoint that is read.
struct Draft<'a, 'l> {
    list: &'l mut EndpointList,
    document: &'a [u8],
    /// The text of the whole message, if it is one: then so is each text in it, and where it begins.
    text: Option<(&'a str, usize)>,
    record: Record,
    rare: Option<Rare>,
    has_address: bool,
}

/// Read one endpoint of any form onto the end of a list.
pub(super) fn read_endpoint<'a>(
    reader: Reader<'a>,
    list: &mut EndpointList,
    learned: &mut Learned<'a>,
) -> Result<(), Error> {
    learned.usual.are_sound = false;
    let bytes = reader.rest();
    // No text of the model is longer than the message, but for addresses that get shorter, and hints.
    list.text_mut().check_room(bytes.len())?;
    let mut draft = Draft {
        list,
        document: reader.document(),
        text: std::str::from_utf8(bytes).ok().map(|text| (text, reader.position())),
        record: Record::default(),
        rare: None,
        has_address: false,
    };
    let mut seen = Seen::default();
    let mut rest = Vec::new();
    reader.fields(|field| {
        let (name, read) = match field.number {
            1 => return draft.address(&field),
            2 => ("conditions", seen.once(&field).and_then(|()| draft.conditions(&field))),
            3 => ("hostname", seen.once(&field).and_then(|()| draft.hostname(&field))),
            4 => ("targetRef", seen.once(&field).and_then(|()| draft.target(&field))),
            6 => ("nodeName", seen.once(&field).and_then(|()| draft.node_name(&field))),
            7 => ("zone", seen.once(&field).and_then(|()| draft.zone(&field))),
            8 => ("hints", seen.once(&field).and_then(|()| draft.hints(&field, &mut learned.hints))),
            number => {
                match REST_OF_ENDPOINT.numbered(number) {
                    Some(which) => rest.push((which, field)),
                    None => draft.rare.get_or_insert_default().unknown.keep_numbered(field.raw(draft.document)),
                }
                return Ok(());
            }
        };
        read.map_err(|error| error.in_field(name))
    })?;
    if !rest.is_empty() {
        let unknown = &mut draft.rare.get_or_insert_default().unknown;
        read_rest(draft.document, &REST_OF_ENDPOINT, rest, unknown, &mut KnownJson::default())?;
    }
    if !draft.has_address {
        draft.rare.get_or_insert_default().no_address = true;
    }
    let Draft { list, record, rare, .. } = draft;
    list.push_record(record, rare)
}

impl<'a> Draft<'a, '_> {
    fn text(&self, field: &Field<'a>) -> Result<&'a str, Error> {
        field.text_of(self.text)
    }

    fn address(&mut self, field: &Field<'a>) -> Result<(), Error> {
        let more = self.rare.as_ref().map_or(0, |rare| rare.more_addresses.len());
        let index = usize::from(self.has_address) + more;
        let text = self.text(field).map_err(|error| error.in_index(index).in_field("addresses"))?;
        let address = Address::parse(text);
        if self.has_address {
            self.rare.get_or_insert_default().more_addresses.push(address.to_string().into());
        } else {
            self.record.address = StoredAddress::of(address, self.list.text_mut());
            self.has_address = true;
        }
        Ok(())
    }

    fn hostname(&mut self, field: &Field<'a>) -> Result<(), Error> {
        let text = self.text(field)?;
        self.record.hostname = self.list.text_mut().append(text);
        Ok(())
    }

    fn node_name(&mut self, field: &Field<'a>) -> Result<(), Error> {
        let text = self.text(field)?;
        self.record.node_name = self.list.text_mut().find_or_append(text);
        Ok(())
    }

    fn zone(&mut self, field: &Field<'a>) -> Result<(), Error> {
        let text = self.text(field)?;
        self.record.zone = self.list.text_mut().find_or_append(text);
        Ok(())
    }

    fn conditions(&mut self, field: &Field<'a>) -> Result<(), Error> {
        let mut values = [None; 3];
        let mut seen = Seen::default();
        field.message(self.document)?.fields(|field| {
            let name = match field.number {
                1 => "ready",
                2 => "serving",
                3 => "terminating",
                _ => {
                    let unknown = &mut self.rare.get_or_insert_default().conditions_unknown;
                    unknown.keep_numbered(field.raw(self.document));
                    return Ok(());
                }
            };
            let value = seen.once(&field).and_then(|()| field.boolean()).map_err(|error| error.in_field(name))?;
            values[field.number as usize - 1] = Some(value);
            Ok(())
        })?;
        self.record.conditions = Conditions::new(values[0], values[1], values[2]);
        Ok(())
    }

    fn target(&mut self, field: &Field<'a>) -> Result<(), Error> {
        const NAMES: [&str; 7] = ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"];
        let mut seen = Seen::default();
        field.message(self.document)?.fields(|field| {
            let Some(name) = NAMES.get((field.number as usize).wrapping_sub(1)) else {
                let unknown = &mut self.rare.get_or_insert_default().target_unknown;
                unknown.keep_numbered(field.raw(self.document));
                return Ok(());
            };
            let text =
                seen.once(&field).and_then(|()| field.text_of(self.text)).map_err(|error| error.in_field(*name))?;
            let (buffer, record) = (self.list.text_mut(), &mut self.record);
            match field.number {
                1 => record.target_kind = buffer.find_or_append(text),
                2 => record.target_namespace = buffer.find_or_append(text),
                3 => record.target_name = buffer.append(text),
                4 => record.target_uid = buffer.append(text),
                _ if text.is_empty() => {}
                5 => self.rare.get_or_insert_default().target_api_version = text.into(),
                6 => self.rare.get_or_insert_default().target_resource_version = text.into(),
                _ => self.rare.get_or_insert_default().target_field_path = text.into(),
            }
            Ok(())
        })
    }

    fn hints(&mut self, field: &Field<'a>, hints: &mut KnownHints<'a>) -> Result<(), Error> {
        let canonical = hints.read(field, self.document, &mut self.rare)?;
        self.record.hints = self.list.text_mut().intern(&canonical)?;
        Ok(())
    }
}

/// Write one endpoint, all but its tag and length.
pub(super) fn write_endpoint(out: &mut Vec<u8>, endpoint: EndpointRef<'_>) -> Result<(), Error> {
    for address in endpoint.addresses() {
        match address {
            Address::Name(name) => write_bytes(out, 1, name.as_bytes()),
            Address::V4(address) => write_message(out, 1, |out| {
                write_v4(out, address);
                Ok::<_, Error>(())
            })?,
            Address::V6(address) => write_bytes(out, 1, address.to_string().as_bytes()),
        }
    }
    write_conditions(out, endpoint)?;
    write_optional(out, 3, endpoint.hostname());
    if let Some(target) = endpoint.target_ref() {
        write_message(out, 4, |out| {
            let first = [target.kind, target.namespace, target.name, target.uid];
            let texts = first.into_iter().chain([target.api_version, target.resource_version, target.field_path]);
            for (number, text) in (1..).zip(texts) {
                write_bytes(out, number, text.as_bytes());
            }
            write_numbered(out, endpoint.target_unknown()).map_err(|error| error.in_field("targetRef"))
        })?;
    }
    if let Some(topology) = endpoint.unknown().and_then(|unknown| unknown.get("deprecatedTopology")) {
        let object = format!("{{\"deprecatedTopology\":{topology}}}");
        write_fields(out, &mut json::Reader::new(&object), &REST_OF_ENDPOINT).map_err(Error::without_offset)?;
    }
    write_optional(out, 6, endpoint.node_name());
    write_optional(out, 7, endpoint.zone());
    write_hints(out, endpoint)?;
    match endpoint.unknown() {
        None => Ok(()),
        Some(unknown) => {
            refuse_named(unknown.iter().filter(|(name, _)| ENDPOINT.named(name).is_none()))?;
            out.extend_from_slice(unknown.numbered());
            Ok(())
        }
    }
}

/// Write the field of the conditions, which is there though none is set.
pub(super) fn write_conditions(out: &mut Vec<u8>, endpoint: EndpointRef<'_>) -> Result<(), Error> {
    write_message(out, 2, |out| {
        let conditions = endpoint.conditions();
        for (number, value) in [(1, conditions.ready()), (2, conditions.serving()), (3, conditions.terminating())] {
            if let Some(value) = value {
                write_number(out, number, i64::from(value));
            }
        }
        write_numbered(out, endpoint.conditions_unknown())
    })
    .map_err(|error| error.in_field("conditions"))
}

/// Write the field of the hints, if there are any.
pub(super) fn write_hints(out: &mut Vec<u8>, endpoint: EndpointRef<'_>) -> Result<(), Error> {
    let (hints, unknown) = (endpoint.hints(), endpoint.hints_unknown());
    if hints.is_none() && unknown.is_none() {
        return Ok(());
    }
    write_message(out, 8, |out| {
        let object = &mut json::Reader::new(hints.unwrap_or("{}"));
        write_fields(out, object, &HINTS).map_err(Error::without_offset)?;
        write_numbered(out, unknown)
    })
    .map_err(|error| error.in_field("hints"))
}

fn write_optional(out: &mut Vec<u8>, number: u32, text: Option<&str>) {
    if let Some(text) = text {
        write_bytes(out, number, text.as_bytes());
    }
}

/// Write what was in protobuf before. What has a name that Kubernetes does not know has no number.
pub(super) fn write_numbered(out: &mut Vec<u8>, unknown: Option<&Members>) -> Result<(), Error> {
    let Some(unknown) = unknown else { return Ok(()) };
    refuse_named(unknown.iter())?;
    out.extend_from_slice(unknown.numbered());
    Ok(())
}

fn refuse_named<'a>(mut members: impl Iterator<Item = (&'a str, &'a str)>) -> Result<(), Error> {
    match members.next() {
        None => Ok(()),
        Some((name, _)) => Err(crate::wire::proto::encoding::no_form().in_field(name.to_owned())),
    }
}
