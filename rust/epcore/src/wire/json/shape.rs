//! The text of an endpoint with holes where its values were.

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::ops::Range;

use crate::Error;
use crate::model::{Address, EndpointList, Record, StoredAddress, leading_v4, may_be_special};
use crate::wire::json::kept::Kept;
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

/// Longest endpoint to learn from, so that what is remembered is bounded.
const LONGEST: usize = 4096;

/// Bytes of a short text.
const SHORT: usize = 16;

pub(super) struct Template {
    holes: Vec<(Run, Hole)>,
    tail: Run,
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
        let bytes = reader.bytes();
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
        is_short.then_some(Self { holes, tail, record: Record::default(), number: 0 })
    }

    /// Append the endpoint at a place to a list, if it fits; the answer is where it ends. Its texts are kept.
    #[inline]
    pub(super) fn read(
        &mut self,
        reader: &Reader<'_>,
        at: usize,
        kept: &mut Kept,
        list: &mut EndpointList,
    ) -> Option<usize> {
        if self.number != kept.number() {
            self.begin(kept.number());
        }
        let length = kept.len();
        let end = self.fit(reader, at, kept);
        match end {
            Some(_) => list.push_plain(self.record),
            None => kept.undo(length),
        }
        end
    }

    /// True if all texts that are stored in list number `number` are texts of this one.
    pub(super) fn is_in(&self, number: usize, list: &EndpointList) -> bool {
        self.holes.iter().map(|(run, _)| run).chain([&self.tail]).all(|run| run.is_in(number, list))
    }

    /// Begin with another list.
    fn begin(&mut self, number: usize) {
        (self.number, self.record) = (number, Record::default());
        self.holes.iter_mut().map(|(run, _)| run).chain([&mut self.tail]).for_each(Run::unset);
    }

    /// Take the endpoint at a place into the record. Fields that these endpoints do not have are empty in it.
    #[inline]
    fn fit(&mut self, reader: &Reader<'_>, mut at: usize, kept: &mut Kept) -> Option<usize> {
        let (bytes, record) = (reader.bytes(), &mut self.record);
        let mut node = (0, 0);
        for (run, hole) in &mut self.holes {
            let start = run.after(reader, at, record, kept)?;
            if let Field::Address = hole.field {
                if let Some((address, end)) = hole.near.address(bytes, start) {
                    kept.are_sound &= !may_be_special(address);
                    (record.address, at) = (StoredAddress::V4(address), end);
                } else {
                    (record.address, at) = other_address(bytes, start, kept)?;
                }
                continue;
            }
            at = hole.end(bytes, start);
            match hole.field {
                Field::Name => record.target_name = kept.keep(bytes, (start, at))?,
                Field::Uid => record.target_uid = kept.keep(bytes, (start, at))?,
                Field::Hostname => {
                    record.hostname = kept.keep(bytes, (start, at))?;
                    kept.are_sound &= start == at;
                }
                // Not before all the rest is known to fit, since the name would be remembered.
                Field::NodeName | Field::Address => node = (start, at),
            }
        }
        let end = self.tail.after(reader, at, record, kept)?;
        record.node_name = kept.keep_node(bytes, node)?;
        Some(end)
    }
}

/// An address that is not of the usual form.
#[inline(never)]
fn other_address(bytes: &[u8], start: usize, kept: &mut Kept) -> Option<(StoredAddress, usize)> {
    kept.are_sound = false;
    let end = start + plain_length(&bytes[start..]);
    let address = match Address::parse(std::str::from_utf8(bytes.get(start..end)?).ok()?) {
        Address::V4(address) => StoredAddress::V4(address),
        Address::V6(address) => StoredAddress::V6(address),
        Address::Name(_) => StoredAddress::Name(kept.keep(bytes, (start, end))?),
    };
    Some((address, end))
}

impl Near {
    /// The address at a place, if it is of IPv4 and before a quote, and where it ends.
    #[inline]
    fn address(&mut self, bytes: &[u8], start: usize) -> Option<(Ipv4Addr, usize)> {
        let found = self.find(bytes, start);
        if found.is_some() { found } else { self.other(bytes, start) }
    }

    /// The address at a place, if it begins as the last one does, and where it ends: before a quote.
    #[inline]
    fn find(&self, bytes: &[u8], start: usize) -> Option<(Ipv4Addr, usize)> {
        let from = self.prefix.as_ref()?.after(bytes, start)?;
        let [one, two, three, four] = *bytes.get(from..)?.first_chunk()?;
        let digit = |byte: u8| u32::from(byte.wrapping_sub(b'0'));
        let (one, second, third) = (digit(one), two, three);
        let (value, largest, length) = if second == b'"' {
            (one, one, 1)
        } else if third == b'"' {
            (10 * one + digit(second), one.max(digit(second)), 2)
        } else if four == b'"' {
            let (two, three) = (digit(second), digit(third));
            (100 * one + 10 * two + three, one.max(two).max(three), 3)
        } else {
            return None;
        };
        let last = u8::try_from(value).ok().filter(|_| largest < 10)?;
        let [first, second, third, _] = self.last;
        Some((Ipv4Addr::new(first, second, third, last), from + length))
    }

    /// Any other address.
    #[inline(never)]
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

    /// Where a text ends that begins at a place. What is behind it is for the next literal to look at.
    #[inline]
    fn end(&mut self, bytes: &[u8], start: usize) -> usize {
        // Texts such as UIDs have one length, and of a short one it takes no more to find it.
        if self.length < SHORT || !is_plain(bytes, start, self.length) {
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
