//! The text of an endpoint with holes where its values were.

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::ops::Range;

use crate::Error;
use crate::model::{Address, EndpointList, Record, StoredAddress, Text, leading_v4, may_be_special};
use crate::wire::json::kept::Kept;
use crate::wire::json::literal::Literal;
use crate::wire::json::reader::{Reader, plain_length};
use crate::wire::json::run::{Few, LEVELS, Run};

/// A text that is different in each endpoint.
#[derive(Clone, Copy)]
enum Field {
    Name,
    Uid,
    Hostname,
    NodeName,
    Address,
}

/// How many fields there are.
const FIELDS: usize = Field::Address as usize + 1;

/// What is between two quotes.
struct Hole {
    field: Field,
    /// That of the last text: the next is likely to have the same. What is behind it decides; that all are plain is looked at later.
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

pub(super) struct Template {
    head: Run,
    /// Each with what is behind it.
    holes: Vec<(Hole, Run)>,
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
        let (mut holes, mut runs, mut few) = (Vec::new(), Vec::new(), Vec::new());
        walk(&mut reader, &mut |range, part| {
            let before = &bytes[from..range.start];
            match part {
                Part::Few(field) => few.push((Literal::of(before), field)),
                Part::Hole(field) => {
                    runs.push(Run::new(std::mem::take(&mut few), before));
                    holes.push(Hole::new(field, range.len()));
                }
            }
            from = range.end;
        })
        .ok()?;
        runs.push(Run::new(few, &bytes[from..reader.position()]));
        let mut runs = runs.into_iter();
        let head = runs.next()?;
        let holes = holes.into_iter().zip(runs).collect();
        let is_short = reader.position() - start <= LONGEST;
        is_short.then_some(Self { head, holes, record: Record::default(), number: 0 })
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
            Some(_) => list.push_plain(&self.record),
            None => kept.undo(length),
        }
        end
    }

    /// True if all texts that are stored in list number `number` are texts of this one.
    pub(super) fn is_in(&self, number: usize, list: &EndpointList) -> bool {
        self.holes.iter().map(|(_, run)| run).chain([&self.head]).all(|run| run.is_in(number, list))
    }

    /// Begin with another list.
    fn begin(&mut self, number: usize) {
        (self.number, self.record) = (number, Record::default());
        self.holes.iter_mut().map(|(_, run)| run).chain([&mut self.head]).for_each(Run::unset);
    }

    /// Take the endpoint at a place into the record. Fields that these endpoints do not have are empty in it.
    #[inline]
    fn fit(&mut self, reader: &Reader<'_>, at: usize, kept: &mut Kept) -> Option<usize> {
        let (bytes, record) = (reader.bytes(), &mut self.record);
        let mut places = [(0, 0); FIELDS];
        let mut next = self.head.after(reader, at, record, kept)?;
        for (hole, run) in &mut self.holes {
            let start = next;
            if let Field::Address = hole.field {
                let end;
                if let Some((v4, after)) = hole.near.address(bytes, start) {
                    kept.are_sound &= !may_be_special(v4);
                    (record.address, end) = (StoredAddress::V4(v4), after);
                } else {
                    (record.address, end) = other_address(bytes, start, kept)?;
                }
                next = run.after(reader, end, record, kept)?;
                continue;
            }
            next = match run.after(reader, start + hole.length, record, kept) {
                Some(next) => next,
                None if hole.measure(bytes, start) => run.after_again(reader, start + hole.length, record, kept)?,
                None => return None,
            };
            places[hole.field as usize] = (start, start + hole.length);
        }
        // Nothing is kept of what does not fit.
        let place = |field: Field| places[field as usize];
        record.target_name = kept.keep(bytes, place(Field::Name))?;
        record.target_uid = kept.keep(bytes, place(Field::Uid))?;
        record.hostname = kept.keep(bytes, place(Field::Hostname))?;
        record.node_name = kept.keep_node(bytes, place(Field::NodeName))?;
        kept.are_sound &= record.hostname == Text::default();
        Some(next)
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

    /// Find how long the text is that begins at a place; false if that was known.
    #[inline(never)]
    fn measure(&mut self, bytes: &[u8], start: usize) -> bool {
        let length = plain_length(&bytes[start..]);
        std::mem::replace(&mut self.length, length) != length
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
