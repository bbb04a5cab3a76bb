//! The endpoints of a slice, out: nearly all have the same fields, each of which is shorter than 128 bytes.

use crate::Error;
use crate::model::{Address, Conditions, EndpointList, EndpointRef, Record, Text};
use crate::wire::line::{Line, address_size};
use crate::wire::proto::encoding::write_message_of;
use crate::wire::proto::endpoint::{write_conditions, write_endpoint, write_hints};

/// Write the endpoints of a slice as fields of it.
pub(super) fn write_endpoints(out: &mut Vec<u8>, list: &EndpointList) -> Result<(), Error> {
    let (mut lines, mut line) = (Lines::of(list), Line::new());
    for (index, endpoint) in list.iter().enumerate() {
        if let Some(record) = lines.usual(endpoint) {
            line.make_room(out);
            lines.write(&mut line, endpoint.address(), record);
        } else {
            line.flush(out);
            write_message_of(out, ENDPOINTS, TWO_DIGITS, |out| write_endpoint(out, endpoint))
                .map_err(|error| error.in_index(index).in_field("endpoints"))?;
        }
    }
    line.flush(out);
    Ok(())
}

/// The field of a slice that has its endpoints.
const ENDPOINTS: u32 = 2;

/// From this on a length has two bytes, as most endpoints have.
const TWO_DIGITS: usize = 0x80;

/// Endpoints of one list, and the fields of the last one that are made of more than a text.
struct Lines<'a> {
    list: &'a EndpointList,
    conditions: (Conditions, Vec<u8>),
    hints: (Text, Vec<u8>),
}

/// What is behind the four texts of a target that is usual: the other three, which say nothing.
const TARGET_END: &[u8; 6] = &[tag(5), 0, tag(6), 0, tag(7), 0];

/// The tag of a field of bytes.
#[expect(clippy::cast_possible_truncation, reason = "the numbers are below 16")]
const fn tag(number: u32) -> u8 {
    (number << 3 | 2) as u8
}

impl<'a> Lines<'a> {
    fn of(list: &'a EndpointList) -> Self {
        let (conditions, hints) = (Default::default(), Default::default());
        Self { list, conditions, hints }
    }

    /// The record of an endpoint that fits a line, if its hints have a form; the fields of its conditions and hints are there then.
    #[inline]
    fn usual(&mut self, endpoint: EndpointRef<'a>) -> Option<&'a Record> {
        let record = endpoint.usual_record()?;
        let texts = [
            record.target_kind,
            record.target_namespace,
            record.target_name,
            record.target_uid,
            record.node_name,
            record.zone,
        ];
        if texts.iter().any(|text| text.len() >= TWO_DIGITS) {
            return None;
        }
        if self.conditions.0 != record.conditions || self.conditions.1.is_empty() {
            self.conditions = (record.conditions, field_of(|out| write_conditions(out, endpoint))?);
        }
        if self.hints.0 != record.hints {
            self.hints = (record.hints, field_of(|out| write_hints(out, endpoint))?);
        }
        // That is less than what six such texts leave of a line.
        (self.hints.1.len() < TWO_DIGITS).then_some(record)
    }

    /// Write the field of the endpoint that [`usual`](Self::usual) gave the record of.
    #[inline]
    fn write(&self, line: &mut Line, address: Address<'_>, record: &Record) {
        let (target, shown) = (target_size(record), address_size(address));
        let sizes = [
            2 + shown,
            self.conditions.1.len(),
            field_size(target),
            field_size(record.node_name.len()),
            field_size(record.zone.len()),
        ];
        put_head(line, tag(ENDPOINTS), sizes.iter().sum::<usize>() + self.hints.1.len());
        line.put(&[tag(1), byte(shown)]);
        line.address(address);
        line.bytes(&self.conditions.1);
        if target > 0 {
            self.write_target(line, target, record);
        }
        self.write_text(line, 6, record.node_name);
        self.write_text(line, 7, record.zone);
        if !self.hints.1.is_empty() {
            line.bytes(&self.hints.1);
        }
    }

    #[inline]
    fn write_target(&self, line: &mut Line, size: usize, record: &Record) {
        put_head(line, tag(4), size);
        for (number, text) in (1..).zip(target_texts(record)) {
            line.put(&[tag(number), byte(text.len())]);
            line.text(self.list.text(), text);
        }
        line.put(TARGET_END);
    }

    /// A field of a text, unless that is empty.
    #[inline]
    fn write_text(&self, line: &mut Line, number: u32, text: Text) {
        if !text.is_empty() {
            line.put(&[tag(number), byte(text.len())]);
            line.text(self.list.text(), text);
        }
    }
}

/// The texts of a target that may say something.
fn target_texts(record: &Record) -> [Text; 4] {
    [record.target_kind, record.target_namespace, record.target_name, record.target_uid]
}

/// How many bytes the message of a target takes, 0 where there is none.
#[inline]
fn target_size(record: &Record) -> usize {
    if record.target_name.is_empty() {
        return 0;
    }
    target_texts(record).iter().map(|text| 2 + text.len()).sum::<usize>() + TARGET_END.len()
}

/// How many bytes a field of so many takes, and none where it is empty.
#[inline]
fn field_size(size: usize) -> usize {
    match size {
        0 => 0,
        1..TWO_DIGITS => 2 + size,
        _ => 3 + size,
    }
}

/// Put a tag and the length of what follows.
#[inline]
fn put_head(line: &mut Line, tag: u8, length: usize) {
    if length < TWO_DIGITS {
        line.put(&[tag, byte(length)]);
    } else {
        line.put(&[tag, byte(length & 0x7f) | 0x80, byte(length >> 7)]);
    }
}

fn field_of(write: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>) -> Option<Vec<u8>> {
    let mut field = Vec::new();
    write(&mut field).ok().map(|()| field)
}

/// A length below 128 is one byte.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "it is below 128")]
fn byte(length: usize) -> u8 {
    length as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json;

    /// Endpoints of texts that fit a block and a length of one byte, and of such as do not, and targets and endpoints of each length.
    fn endpoints() -> EndpointList {
        let text = |length: usize| "x".repeat(length);
        let addresses =
            ["10.0.0.1", "192.168.100.200", "fd00::1", "2001:db8:1111:2222:3333:4444:5555:6666", "a.example.com"];
        let conditions = ["", r#""ready":true,"serving":true,"terminating":false"#, r#""serving":false"#];
        // No more are allowed, nor longer ones.
        let most = (0..8).map(|at| format!(r#"{{"name":"{at}{}"}}"#, text(62))).collect::<Vec<_>>().join(",");
        let long = format!(r#"{{"forZones":[{most}],"forNodes":[{most}]}}"#);
        let hints = ["null", r#"{"forZones":[{"name":"a"}]}"#, r#"{"forNodes":[{"name":"n"}],"forZones":[]}"#, &long];
        let lengths = [0, 1, 40, 63, 64, 65, 126, 127, 128, 129, 300];
        let all = (0..lengths.len().pow(3)).map(|number| {
            let [name, node, kind] = [1, 11, 121].map(|unit| lengths[number / unit % lengths.len()]);
            let (address, conditions) = (addresses[number % 5], conditions[number / 7 % 3]);
            let (hints, host) = (hints[number / 13 % 4], if number % 17 == 0 { "h" } else { "" });
            let more = if number % 19 == 0 { r#","10.9.9.9""# } else { "" };
            let target = format!(r#""kind":"{}","namespace":"shop","name":"{}","uid":"{}""#, text(kind), text(name), text(node));
            format!(
                r#"{{"addresses":["{address}"{more}],"conditions":{{{conditions}}},"hostname":"{host}","targetRef":{{{target}}},"nodeName":"{}","zone":"{}","hints":{hints}}}"#,
                text(node.min(63)),
                text(name),
            )
        });
        let growing = (1..127).map(|length| {
            format!(r#"{{"addresses":["10.0.0.1"],"targetRef":{{"name":"{}","uid":"u"}}}}"#, text(length))
        });
        json::read_endpoints(format!("[{}]", all.chain(growing).collect::<Vec<_>>().join(",")).as_bytes()).unwrap()
    }

    #[test]
    fn endpoints_are_written_as_each_is_alone() {
        let (endpoints, mut together) = (endpoints(), Vec::new());
        write_endpoints(&mut together, &endpoints).unwrap();
        let mut alone = Vec::new();
        for endpoint in endpoints.iter() {
            write_message_of(&mut alone, ENDPOINTS, 0, |out| write_endpoint(out, endpoint)).unwrap();
        }
        assert!(together == alone);
    }
}
