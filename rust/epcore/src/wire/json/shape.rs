//! The text of an endpoint with holes where its values were.

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::ops::Range;

use crate::Error;
use crate::model::{Address, EndpointList, Record, StoredAddress, leading_v4};
use crate::wire::json::literal::Literal;
use crate::wire::json::reader::{Reader, is_plain, plain_length};
use crate::wire::json::run::{Few, Run};
use crate::wire::json::template::LEVELS;

/// A text that is different in each endpoint.
#[derive(Clone, Copy)]
enum Field {
    Address,
    Hostname,
    NodeName,
    Name,
    Uid,
}

const FIELDS: usize = 5;

/// What is between two quotes.
struct Hole {
    field: Field,
    /// That of the last text: the next is likely to have the same.
    length: usize,
    /// Of addresses.
    near: Near,
}

/// What IPv4 addresses begin with where one came after another of its /24: those of one node, or of one rollout.
#[derive(Default)]
struct Near {
    prefix: Option<Literal>,
    last: [u8; 4],
}

/// Where the texts of an endpoint are.
#[derive(Default)]
struct Found {
    texts: [(usize, usize); FIELDS],
    /// The address, if it is of the usual form.
    v4: Option<Ipv4Addr>,
}

/// Longest endpoint to learn from, so that what is remembered is bounded.
const LONGEST: usize = 4096;

pub(super) struct Template {
    holes: Vec<(Run, Hole)>,
    tail: Run,
    found: Found,
    /// An endpoint with the values of the runs, its texts in list number `number`.
    record: Record,
    number: usize,
}

/// What is found in an endpoint: a text that is different in each, or a value of which there are few.
enum Part {
    Hole(Field),
    Few(Few),
}

impl Template {
    /// Learn from the text under `reader`, an endpoint that the plain reader took and that has no rare field.
    pub(super) fn learn(reader: &Reader<'_>) -> Option<Self> {
        let bytes = reader.text().as_bytes();
        let mut from = reader.position();
        let mut reader = reader.shallow(from, LEVELS);
        let start = from;
        let (mut holes, mut few) = (Vec::new(), Vec::new());
        walk(&mut reader, &mut |range, part| {
            let before = &bytes[from..range.start];
            match part {
                Part::Few(field) => few.push((Literal::of(before), field)),
                Part::Hole(field) => {
                    holes.push((Run::new(std::mem::take(&mut few), before), Hole::new(field, range.len())));
                }
            }
            from = range.end;
        })
        .ok()?;
        let tail = Run::new(few, &bytes[from..reader.position()]);
        let is_short = reader.position() - start <= LONGEST;
        is_short.then_some(Self { holes, tail, found: Found::default(), record: Record::default(), number: 0 })
    }

    /// Where the endpoint under `reader` ends, if it fits.
    #[inline]
    pub(super) fn fit(&mut self, reader: &Reader<'_>) -> Option<usize> {
        let mut at = reader.position();
        for (run, hole) in &mut self.holes {
            let start = run.after(reader, at)?;
            at = hole.end(reader.text().as_bytes(), start, &mut self.found.v4);
            self.found.texts[hole.field as usize] = (start, at);
        }
        self.tail.after(reader, at)
    }

    /// Append the endpoint that was found last to list number `number`, where there is room.
    #[inline]
    pub(super) fn store(&mut self, text: &str, list: &mut EndpointList, number: usize) {
        if self.number != number {
            (self.number, self.record) = (number, Record::default());
            self.runs().for_each(Run::unset);
        }
        let buffer = list.text_mut();
        let runs = self.holes.iter_mut().map(|(run, _)| run).chain([&mut self.tail]);
        for values in runs.filter_map(Run::changed) {
            values.apply(&mut self.record, buffer, number);
        }
        let value = |field: Field| {
            let (start, end) = self.found.texts[field as usize];
            if start == end { "" } else { text.get(start..end).unwrap_or_default() }
        };
        // Fields that these endpoints do not have are empty each time.
        let record = &mut self.record;
        let address = self.found.v4.map_or_else(|| Address::parse(value(Field::Address)), Address::V4);
        record.address = StoredAddress::of(address, buffer);
        record.hostname = buffer.append(value(Field::Hostname));
        record.target_name = buffer.append(value(Field::Name));
        record.target_uid = buffer.append(value(Field::Uid));
        record.node_name = buffer.find_or_append(value(Field::NodeName));
        list.push_plain(*record);
    }

    fn runs(&mut self) -> impl Iterator<Item = &mut Run> {
        self.holes.iter_mut().map(|(run, _)| run).chain([&mut self.tail])
    }
}

impl Near {
    /// The address at a place, if it begins as the last one does, and where it ends: before a quote.
    #[inline]
    fn find(&self, bytes: &[u8], start: usize) -> Option<(Ipv4Addr, usize)> {
        let from = self.prefix.as_ref()?.after(bytes, start)?;
        let [one, two, three, four] = *bytes.get(from..)?.first_chunk()?;
        let digit = |byte: u8| u16::from(byte.wrapping_sub(b'0'));
        let (digits, length) = match b'"' {
            quote if quote == two => ([0, 0, digit(one)], 1),
            quote if quote == three => ([0, digit(one), digit(two)], 2),
            quote if quote == four => ([digit(one), digit(two), digit(three)], 3),
            _ => return None,
        };
        let value = 100 * digits[0] + 10 * digits[1] + digits[2];
        let last = u8::try_from(value).ok().filter(|_| digits.iter().all(|&digit| digit < 10))?;
        let [first, second, third, _] = self.last;
        Some((Ipv4Addr::new(first, second, third, last), from + length))
    }

    /// Any other address.
    fn other(&mut self, bytes: &[u8], start: usize) -> Option<(Ipv4Addr, usize)> {
        let (address, length) = leading_v4(&bytes[start..])?;
        let text = &bytes[start..start + length];
        (bytes.get(start + length) == Some(&b'"')).then_some(())?;
        let octets = address.octets();
        self.prefix = None;
        if octets[..3] == self.last[..3] {
            let dot = text.iter().rposition(|&byte| byte == b'.')?;
            self.prefix = Some(Literal::of(&text[..=dot]));
        }
        self.last = octets;
        Some((address, start + length))
    }
}

impl Hole {
    fn new(field: Field, length: usize) -> Self {
        Self { field, length, near: Near::default() }
    }

    /// Where a text ends that begins at `start`. What is behind it is for the next literal to look at.
    #[inline]
    fn end(&mut self, bytes: &[u8], start: usize, v4: &mut Option<Ipv4Addr>) -> usize {
        if matches!(self.field, Field::Address) {
            *v4 = None;
            if let Some((address, end)) = self.near.find(bytes, start).or_else(|| self.near.other(bytes, start)) {
                *v4 = Some(address);
                return end;
            }
        }
        // Texts such as UIDs have one length.
        if !is_plain(bytes, start, self.length) {
            self.length = plain_length(&bytes[start..]);
        }
        start + self.length
    }
}

/// Step over an endpoint and tell each part. An error means that nothing can be learned from it.
fn walk(reader: &mut Reader<'_>, found: &mut dyn FnMut(Range<usize>, Part)) -> Result<(), Error> {
    reader.object(|reader, name| match name {
        "addresses" => reader.array(|reader, _| text(reader, Part::Hole(Field::Address), found)),
        "conditions" => whole(reader, Few::Conditions, found),
        "hostname" => text(reader, Part::Hole(Field::Hostname), found),
        "nodeName" => text(reader, Part::Hole(Field::NodeName), found),
        "zone" => text(reader, Part::Few(Few::Zone), found),
        "hints" => whole(reader, Few::Hints, found),
        "targetRef" if reader.peek() == Some(b'{') => reader.object(|reader, name| match name {
            "kind" => text(reader, Part::Few(Few::Kind), found),
            "namespace" => text(reader, Part::Few(Few::Namespace), found),
            "name" => text(reader, Part::Hole(Field::Name), found),
            "uid" => text(reader, Part::Hole(Field::Uid), found),
            _ => reader.skip(),
        }),
        _ => reader.skip(),
    })
}

/// A text is a part; `null` is in the literal around it.
fn text(reader: &mut Reader<'_>, part: Part, found: &mut dyn FnMut(Range<usize>, Part)) -> Result<(), Error> {
    if reader.null()? {
        return Ok(());
    }
    reader.peek();
    let start = reader.position() + 1;
    match reader.string()? {
        Cow::Borrowed(text) => found(start..start + text.len(), part),
        Cow::Owned(_) => return Err(Error::invalid("a text with an escape")),
    }
    Ok(())
}

fn whole(reader: &mut Reader<'_>, field: Few, found: &mut dyn FnMut(Range<usize>, Part)) -> Result<(), Error> {
    reader.peek();
    let start = reader.position();
    reader.skip()?;
    found(start..reader.position(), Part::Few(field));
    Ok(())
}
