//! How the endpoints of a document are spelled, learned from those that the plain reader has read.
//!
//! One program writes the endpoints of a list, so that all look alike but for their values. A template is the text of an endpoint that the
//! plain reader took, with holes where the values were. A text that has the same bytes around the holes, and in them texts without
//! quotes, escapes and control characters, is the same to the plain reader but for those values: so it takes a comparison to read it.
//! Whatever does not fit is left to the plain reader, errors too.

use std::borrow::Cow;
use std::cell::Cell;
use std::net::Ipv4Addr;
use std::ops::Range;

use crate::Error;
use crate::model::{Address, EndpointList, Record, StoredAddress, Text, leading_v4};
use crate::wire::json::endpoint::read_endpoint;
use crate::wire::json::known::{Field, Known};
use crate::wire::json::literal::Literal;
use crate::wire::json::reader::{MAX_DEPTH, Reader, is_plain, plain_length};

impl Field {
    fn kind(self) -> Kind {
        match self {
            Self::Zone | Self::Kind | Self::Namespace => Kind::Few(self),
            _ => Kind::Text(self),
        }
    }
}

/// What is read from a text that fits.
#[derive(Clone, Copy)]
enum Kind {
    /// What is between two quotes.
    Text(Field),
    /// The same of a field that has few texts.
    Few(Field),
    /// The whole value: its texts are few, but differ in length.
    Conditions,
    Hints,
}

/// A place where endpoints differ, and the value of the last one that was compared.
struct Hole {
    /// What comes before it.
    literal: Literal,
    kind: Kind,
    at: usize,
    length: usize,
    /// Which of the few texts, of the conditions or of the hints it is, counted from one; of none if zero.
    which: usize,
    /// The address, if it is of the usual form.
    v4: Option<Ipv4Addr>,
}

struct Template {
    holes: Vec<Hole>,
    tail: Literal,
}

impl Template {
    /// Learn from the text under `reader`, an endpoint that the plain reader took and that has no rare field.
    fn learn(reader: &Reader<'_>) -> Option<Self> {
        let bytes = reader.text().as_bytes();
        let mut from = reader.position();
        let mut reader = reader.shallow(from, LEVELS);
        let start = from;
        let mut holes = Vec::new();
        walk(&mut reader, &mut |range, kind| {
            let literal = Literal::of(&bytes[from..range.start]);
            holes.push(Hole { literal, kind, at: range.start, length: range.len(), which: 0, v4: None });
            from = range.end;
        })
        .ok()?;
        let tail = Literal::of(&bytes[from..reader.position()]);
        (reader.position() - start <= LONGEST).then_some(Self { holes, tail })
    }

    /// Where the endpoint under `reader` ends, if it fits. Its values are in the holes then.
    #[inline]
    fn fit(&mut self, reader: &Reader<'_>, known: &mut Known) -> Option<usize> {
        let mut at = reader.position();
        for hole in &mut self.holes {
            hole.at = hole.literal.after(reader.text().as_bytes(), at)?;
            hole.fill(reader, known)?;
            at = hole.at + hole.length;
        }
        self.tail.after(reader.text().as_bytes(), at)
    }

    /// Append the endpoint that fits to list number `number`, where there is room.
    #[inline]
    fn store(&self, text: &str, known: &mut Known, list: &mut EndpointList, number: usize) {
        let buffer = list.text_mut();
        let mut record = Record::default();
        for hole in &self.holes {
            let value = || text.get(hole.at..hole.at + hole.length).unwrap_or_default();
            match hole.kind {
                Kind::Text(field) => match field {
                    Field::Address => {
                        let address = hole.v4.map_or_else(|| Address::parse(value()), Address::V4);
                        record.address = StoredAddress::of(address, buffer);
                    }
                    Field::NodeName => record.node_name = buffer.find_or_append(value()),
                    field => *target(&mut record, field) = buffer.append(value()),
                },
                Kind::Few(field) => {
                    *target(&mut record, field) = match hole.which.checked_sub(1) {
                        Some(which) => known.stored(field, which, buffer, number),
                        None => buffer.find_or_append(value()),
                    }
                }
                Kind::Conditions => record.conditions = known.conditions_of(hole.which),
                Kind::Hints => record.hints = buffer.find_or_append(known.canonical(hole.which)),
            }
        }
        list.push_plain(record);
    }
}

/// Where a record has a text.
#[inline]
fn target(record: &mut Record, field: Field) -> &mut Text {
    match field {
        Field::Hostname => &mut record.hostname,
        Field::Zone => &mut record.zone,
        Field::Kind => &mut record.target_kind,
        Field::Namespace => &mut record.target_namespace,
        Field::Uid => &mut record.target_uid,
        Field::NodeName => &mut record.node_name,
        Field::Name | Field::Address => &mut record.target_name,
    }
}

impl Hole {
    /// Take the value at the hole's place.
    #[inline]
    fn fill(&mut self, reader: &Reader<'_>, known: &mut Known) -> Option<()> {
        let bytes = reader.text().as_bytes();
        match self.kind {
            Kind::Text(field) => {
                self.v4 = None;
                if matches!(field, Field::Address)
                    && let Some((address, length)) = leading_v4(&bytes[self.at..])
                    && bytes.get(self.at + length) == Some(&b'"')
                {
                    (self.v4, self.length) = (Some(address), length);
                } else if !is_plain(bytes, self.at, self.length) {
                    // Texts such as UIDs have one length: the next literal can be compared before the text is looked at.
                    self.length = plain_length(&bytes[self.at..]);
                }
            }
            Kind::Few(field) => (self.which, self.length) = known.few(field, reader.text(), self.at),
            Kind::Conditions => (self.which, self.length) = known.conditions(reader, self.at)?,
            Kind::Hints => (self.which, self.length) = known.hints(reader, self.at)?,
        }
        Some(())
    }
}

/// Step over an endpoint and tell each hole. An error means that nothing can be learned from it.
fn walk(reader: &mut Reader<'_>, found: &mut dyn FnMut(Range<usize>, Kind)) -> Result<(), Error> {
    reader.object(|reader, name| match name {
        "addresses" => reader.array(|reader, _| text(reader, Field::Address, found)),
        "conditions" => whole(reader, Kind::Conditions, found),
        "hostname" => text(reader, Field::Hostname, found),
        "nodeName" => text(reader, Field::NodeName, found),
        "zone" => text(reader, Field::Zone, found),
        "hints" => whole(reader, Kind::Hints, found),
        "targetRef" if reader.peek() == Some(b'{') => reader.object(|reader, name| match name {
            "kind" => text(reader, Field::Kind, found),
            "namespace" => text(reader, Field::Namespace, found),
            "name" => text(reader, Field::Name, found),
            "uid" => text(reader, Field::Uid, found),
            _ => reader.skip(),
        }),
        _ => reader.skip(),
    })
}

/// A text is a hole; `null` is part of the literal around it.
fn text(reader: &mut Reader<'_>, field: Field, found: &mut dyn FnMut(Range<usize>, Kind)) -> Result<(), Error> {
    if reader.null()? {
        return Ok(());
    }
    reader.peek();
    let start = reader.position() + 1;
    match reader.string()? {
        Cow::Borrowed(text) => found(start..start + text.len(), field.kind()),
        Cow::Owned(_) => return Err(Error::invalid("a text with an escape")),
    }
    Ok(())
}

fn whole(reader: &mut Reader<'_>, kind: Kind, found: &mut dyn FnMut(Range<usize>, Kind)) -> Result<(), Error> {
    reader.peek();
    let start = reader.position();
    reader.skip()?;
    found(start..reader.position(), kind);
    Ok(())
}

/// Most shapes of endpoints to remember.
const MOST_TEMPLATES: usize = 8;
/// Bytes of an endpoint with an address, to bound how many there may be.
const SHORTEST: usize = r#"{"addresses":["10.0.0.1"]}"#.len();
/// Longest endpoint to learn from, so that what is remembered is bounded.
const LONGEST: usize = 4096;
/// Endpoints for each of which something may be learned, on average: where no two look alike, learning is lost work.
const PRICE: usize = 32;
/// Objects and arrays within each other in what is learned: it is right wherever there is room for so many.
pub(super) const LEVELS: usize = 8;

thread_local! {
    /// What documents looked like that were read on this thread: the next is likely to look the same.
    static KEPT: Cell<Option<Box<Templates>>> = const { Cell::new(None) };
}

/// The shapes that endpoints have had, the one used last first.
pub(crate) struct Templates {
    learned: Vec<Template>,
    known: Known,
    credit: usize,
    is_learning: bool,
    /// Number of the list that is read.
    number: usize,
    /// Endpoints and bytes of text of the last list: the next is likely to be like it.
    room: (usize, usize),
}

impl Templates {
    pub(crate) fn new() -> Self {
        let credit = MOST_TEMPLATES * PRICE;
        let (learned, known) = (Vec::new(), Known::default());
        Self { learned, known, credit, is_learning: true, number: 1, room: (0, 0) }
    }

    /// Let `read` use what this thread has learned, and learn more. It makes reading faster and changes nothing of what is read.
    pub(crate) fn kept<T>(read: impl FnOnce(&mut Self) -> T) -> T {
        let mut templates = KEPT.take().unwrap_or_else(|| Box::new(Self::new()));
        templates.number += 1;
        let outcome = read(&mut templates);
        KEPT.set(Some(templates));
        outcome
    }

    /// Templates that learn nothing: the plain reader alone.
    pub(crate) fn none() -> Self {
        Self { is_learning: false, ..Self::new() }
    }

    /// Read an array of endpoints onto the end of an empty list.
    pub(crate) fn read_endpoints(&mut self, reader: &mut Reader<'_>, list: &mut EndpointList) -> Result<(), Error> {
        self.number += 1;
        if self.is_learning {
            let rest = reader.text().len() - reader.position();
            list.reserve((self.room.0.min(rest / SHORTEST), self.room.1.min(rest)));
        }
        reader.array(|reader, _| self.read_endpoint(reader, list))?;
        self.room = list.size();
        Ok(())
    }

    /// Read one endpoint onto the end of a list.
    pub(crate) fn read_endpoint(&mut self, reader: &mut Reader<'_>, list: &mut EndpointList) -> Result<(), Error> {
        if self.read_by_template(reader, list) {
            return Ok(());
        }
        let start = reader.clone();
        read_endpoint(reader, list)?;
        if self.is_learning && list.get(list.len() - 1).is_some_and(|endpoint| endpoint.rare().is_none()) {
            self.learn(&start);
        }
        Ok(())
    }

    fn read_by_template(&mut self, reader: &mut Reader<'_>, list: &mut EndpointList) -> bool {
        if self.learned.is_empty() || reader.depth() + LEVELS > MAX_DEPTH {
            return false;
        }
        reader.peek();
        for which in 0..self.learned.len() {
            let template = &mut self.learned[which];
            let Some(end) = template.fit(reader, &mut self.known) else { continue };
            // The texts of an endpoint are parts of it, but for hints, which are one of those that are known.
            if list.text_mut().check_room(end - reader.position() + self.known.longest_hints()).is_err() {
                // The plain reader has words for a list that is full.
                return false;
            }
            template.store(reader.text(), &mut self.known, list, self.number);
            if which > 0 {
                self.learned.swap(0, which);
            }
            self.credit = (self.credit + 1).min(MOST_TEMPLATES * PRICE);
            reader.jump(end);
            return true;
        }
        false
    }

    #[cold]
    fn learn(&mut self, start: &Reader<'_>) {
        self.credit += 1;
        if self.credit <= PRICE {
            return;
        }
        self.credit -= PRICE;
        if let Some(template) = Template::learn(start) {
            self.learned.truncate(MOST_TEMPLATES - 1);
            self.learned.insert(0, template);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the endpoints are read by a template.
    fn read_by_template(endpoints: &[&str]) -> Vec<bool> {
        let text = format!("{}{}", endpoints.join(""), " ".repeat(16));
        let mut reader = Reader::new(&text);
        let mut templates = Templates::new();
        let mut list = EndpointList::default();
        let mut read = |_| {
            let fits = templates.read_by_template(&mut reader, &mut list);
            if !fits {
                templates.read_endpoint(&mut reader, &mut list).unwrap();
            }
            fits
        };
        let found = endpoints.iter().map(&mut read).collect();
        assert_eq!(list.len(), endpoints.len());
        found
    }

    #[test]
    fn what_is_spelled_alike_is_read_by_template() {
        let one = r#"{"addresses":["10.0.0.1"],"conditions":{"ready":true},"nodeName":"a","zone":null}"#;
        let two = r#"{"addresses":["10.255.100.17"],"conditions":{"ready":false,"serving":true},"nodeName":"node-2","zone":null}"#;
        let zoned = r#"{"addresses":["10.0.0.1"],"conditions":{"ready":true},"nodeName":"a","zone":"z","hints":{"forZones":[{"name":"z"}]}}"#;
        assert_eq!(
            read_by_template(&[one, two, one, zoned, two, zoned, one]),
            [false, true, true, false, true, true, true]
        );
        let spaced = two.replace("true,", "true , ");
        assert_eq!(read_by_template(&[one, &spaced, &one.replace("\":", "\": "), &spaced]), [false, true, false, true]);
    }

    #[test]
    fn what_the_plain_reader_sees_in_another_way_is_left_to_it() {
        let one = r#"{"addresses":["10.0.0.1"],"nodeName":"a","targetRef":{"name":"p"}}"#;
        for other in [
            r#"{"addresses":["10.0.0.1"],"nodeName":"\u0061","targetRef":{"name":"p"}}"#,
            r#"{"addresses":["10.0.0.1","10.0.0.2"],"nodeName":"a","targetRef":{"name":"p"}}"#,
            r#"{"addresses":["10.0.0.1"],"nodeName":null,"targetRef":{"name":"p"}}"#,
            r#"{"addresses":["10.0.0.1"],"nodeName":"a","targetRef":{"name":"p"},"weight":1}"#,
            r#"{"addresses":["10.0.0.1"],"targetRef":{"name":"p"},"nodeName":"a"}"#,
            r#"{ "addresses":["10.0.0.1"],"nodeName":"a","targetRef":{"name":"p"}}"#,
        ] {
            assert_eq!(read_by_template(&[one, one, other, one]), [false, true, false, true], "{other}");
        }
    }

    #[test]
    fn where_no_two_look_alike_little_is_learned() {
        let spaced = |number| format!(r#"{{{}"addresses":["10.0.0.1"]}}"#, " ".repeat(number));
        let text = (0..2000).map(spaced).collect::<Vec<_>>().join("\n");
        let (mut reader, mut templates, mut learned) = (Reader::new(&text), Templates::new(), 0);
        for _ in 0..2000 {
            let credit = templates.credit;
            templates.read_endpoint(&mut reader, &mut EndpointList::default()).unwrap();
            learned += usize::from(templates.credit < credit);
        }
        assert!((MOST_TEMPLATES..=MOST_TEMPLATES + 2000 / PRICE).contains(&learned), "{learned}");
        assert_eq!(templates.learned.len(), MOST_TEMPLATES);
    }

    #[test]
    fn the_plain_reader_learns_nothing() {
        let mut templates = Templates::none();
        let text = r#"[{"addresses":["10.0.0.1"]},{"addresses":["10.0.0.2"]},{"addresses":["10.0.0.3"]}]"#;
        templates.read_endpoints(&mut Reader::new(text), &mut EndpointList::default()).unwrap();
        assert!(templates.learned.is_empty());
    }
}
