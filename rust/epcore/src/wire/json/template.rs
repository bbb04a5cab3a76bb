//! How the endpoints of a document are spelled, learned from those that the plain reader has read.
//!
//! One program writes the endpoints of a list, so that all look alike but for their values. A template is the text of an endpoint that the
//! plain reader took, with holes where the values were. A text that has the same bytes around the holes, and in them texts without
//! quotes, escapes and control characters, is the same to the plain reader but for those values: so it takes a comparison to read it.
//! Whatever does not fit is left to the plain reader, errors too.

use std::borrow::Cow;
use std::ops::Range;

use crate::Error;
use crate::model::{Conditions, EndpointList, PlainEndpoint, Record};
use crate::wire::json::endpoint::{canonical_hints, read_conditions, read_endpoint};
use crate::wire::json::reader::{Reader, plain_length};

/// A text of an endpoint that may be a hole.
#[derive(Clone, Copy)]
enum Field {
    Address,
    Hostname,
    NodeName,
    Zone,
    Kind,
    Namespace,
    Name,
    Uid,
}

const FIELDS: usize = 8;

/// What is read from a text that fits.
#[derive(Clone, Copy)]
enum Hole {
    /// What is between two quotes.
    Text(Field),
    /// The whole value: its texts are few, but differ in length.
    Conditions,
    Hints,
}

/// The values of an endpoint that fits.
#[derive(Default)]
struct Values {
    /// Where each text begins and ends. Not ranges: one that was just written in two halves is slow to load at once.
    starts: [usize; FIELDS],
    ends: [usize; FIELDS],
    conditions: Conditions,
    /// Which hints; none by default.
    hints: Option<usize>,
    end: usize,
}

/// Bytes to compare, sixteen at a time: what must be there, and which bits of it count.
type Word = (u128, u128);

struct Template {
    words: Vec<Word>,
    /// Before each hole that many words of literal text, which are that many bytes.
    holes: Vec<(usize, usize, Hole)>,
    /// Words and bytes after the last hole.
    tail: (usize, usize),
}

impl Template {
    /// Learn from the text under `reader`, an endpoint that the plain reader took and that has no rare field.
    fn learn(mut reader: Reader<'_>) -> Option<Self> {
        let text = reader.text();
        let mut template = Self { words: Vec::new(), holes: Vec::new(), tail: (0, 0) };
        let mut from = reader.position();
        let mut found: Vec<(Range<usize>, Hole)> = Vec::new();
        walk(&mut reader, &mut |range, hole| found.push((range, hole))).ok()?;
        for (range, hole) in found {
            let (words, bytes) = template.literal(&text.as_bytes()[from..range.start]);
            template.holes.push((words, bytes, hole));
            from = range.end;
        }
        template.tail = template.literal(&text.as_bytes()[from..reader.position()]);
        Some(template)
    }

    fn literal(&mut self, bytes: &[u8]) -> (usize, usize) {
        let words = bytes.chunks(16).map(|chunk| {
            let mut padded = [0; 16];
            padded[..chunk.len()].copy_from_slice(chunk);
            (u128::from_le_bytes(padded), u128::MAX >> (8 * (16 - chunk.len())))
        });
        let before = self.words.len();
        self.words.extend(words);
        (self.words.len() - before, bytes.len())
    }

    /// The values of the endpoint under `reader`, if it fits.
    fn fit(&self, reader: &Reader<'_>, known: &mut Known) -> Option<Values> {
        let bytes = reader.text().as_bytes();
        let mut at = reader.position();
        let mut values = Values::default();
        let mut words = &*self.words;
        for &(count, length, hole) in &self.holes {
            let literal;
            (literal, words) = words.split_at(count);
            at = after(literal, length, bytes, at)?;
            match hole {
                Hole::Text(field) => {
                    values.starts[field as usize] = at;
                    at += plain_length(&bytes[at..]);
                    values.ends[field as usize] = at;
                }
                Hole::Conditions => (values.conditions, at) = known.conditions(reader, at)?,
                Hole::Hints => {
                    let which;
                    (which, at) = known.hints(reader, at)?;
                    values.hints = Some(which);
                }
            }
        }
        values.end = after(words, self.tail.1, bytes, at)?;
        Some(values)
    }
}

/// The place after a literal, if it is at `at`. Text near the end of the document may count as different.
#[inline]
fn after(literal: &[Word], length: usize, bytes: &[u8], at: usize) -> Option<usize> {
    let found = bytes.get(at..at + 16 * literal.len())?.as_chunks::<16>().0;
    let same = found.iter().zip(literal).all(|(found, (word, mask))| (u128::from_le_bytes(*found) ^ word) & mask == 0);
    same.then_some(at + length)
}

/// Step over an endpoint and tell each hole. An error means that nothing can be learned from it.
fn walk(reader: &mut Reader<'_>, found: &mut dyn FnMut(Range<usize>, Hole)) -> Result<(), Error> {
    reader.object(|reader, name| match name {
        "addresses" => reader.array(|reader, _| text(reader, Field::Address, found)),
        "conditions" => whole(reader, Hole::Conditions, found),
        "hostname" => text(reader, Field::Hostname, found),
        "nodeName" => text(reader, Field::NodeName, found),
        "zone" => text(reader, Field::Zone, found),
        "hints" => whole(reader, Hole::Hints, found),
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
fn text(reader: &mut Reader<'_>, field: Field, found: &mut dyn FnMut(Range<usize>, Hole)) -> Result<(), Error> {
    if reader.null()? {
        return Ok(());
    }
    reader.peek();
    let start = reader.position() + 1;
    match reader.string()? {
        Cow::Borrowed(text) => found(start..start + text.len(), Hole::Text(field)),
        Cow::Owned(_) => return Err(Error::invalid("a text with an escape")),
    }
    Ok(())
}

fn whole(reader: &mut Reader<'_>, hole: Hole, found: &mut dyn FnMut(Range<usize>, Hole)) -> Result<(), Error> {
    reader.peek();
    let start = reader.position();
    reader.skip()?;
    found(start..reader.position(), hole);
    Ok(())
}

/// Values that are objects, by their text.
#[derive(Default)]
struct Known {
    conditions: Vec<(Box<str>, Conditions)>,
    hints: Vec<(Box<str>, String)>,
    /// Which is forgotten next.
    oldest: usize,
}

/// Most texts of conditions, and of hints, to remember.
const MOST_KNOWN: usize = 8;

impl Known {
    /// The conditions at a place and the place after them.
    fn conditions(&mut self, reader: &Reader<'_>, at: usize) -> Option<(Conditions, usize)> {
        let which = if let Some(which) = position_of(&self.conditions, reader, at) {
            which
        } else {
            let (mut inner, mut record, mut rare) = (reader.inside(at), Record::default(), None);
            read_conditions(&mut inner, &mut record, &mut rare).ok()?;
            rare.is_none().then_some(())?;
            let text = reader.text()[at..inner.position()].into();
            keep(&mut self.conditions, &mut self.oldest, (text, record.conditions))
        };
        let (text, conditions) = &self.conditions[which];
        Some((*conditions, at + text.len()))
    }

    /// Which hints are at a place, and the place after them.
    fn hints(&mut self, reader: &Reader<'_>, at: usize) -> Option<(usize, usize)> {
        let which = if let Some(which) = position_of(&self.hints, reader, at) {
            which
        } else {
            let (mut inner, mut rare) = (reader.inside(at), None);
            let hints = canonical_hints(&mut inner, &mut rare).ok()?;
            rare.is_none().then_some(())?;
            let text = reader.text()[at..inner.position()].into();
            keep(&mut self.hints, &mut self.oldest, (text, hints))
        };
        Some((which, at + self.hints[which].0.len()))
    }
}

/// Objects end themselves and `null` is followed by a literal: a text that begins with a known one has that value.
fn position_of<T>(known: &[(Box<str>, T)], reader: &Reader<'_>, at: usize) -> Option<usize> {
    let bytes = &reader.text().as_bytes()[at..];
    known.iter().position(|(text, _)| bytes.starts_with(text.as_bytes()))
}

fn keep<T>(known: &mut Vec<T>, oldest: &mut usize, new: T) -> usize {
    if known.len() < MOST_KNOWN {
        known.push(new);
        return known.len() - 1;
    }
    *oldest = (*oldest + 1) % MOST_KNOWN;
    known[*oldest] = new;
    *oldest
}

/// Most shapes of endpoints to remember.
const MOST_TEMPLATES: usize = 4;
/// Endpoints for each of which something may be learned, on average: where no two look alike, learning is lost work.
const PRICE: usize = 32;

/// The templates of a document, the one used last first.
pub(crate) struct Templates {
    learned: Vec<Template>,
    known: Known,
    /// How deep the endpoints are: what is nested too deep at one level need not be at another.
    depth: usize,
    credit: usize,
    is_learning: bool,
    /// Endpoints and bytes of text of the last list: the next is likely to be like it.
    room: (usize, usize),
}

impl Templates {
    pub(crate) fn new() -> Self {
        let credit = MOST_TEMPLATES * PRICE;
        let (learned, known) = (Vec::new(), Known::default());
        Self { learned, known, depth: 0, credit, is_learning: true, room: (0, 0) }
    }

    /// Templates that learn nothing: the plain reader alone.
    pub(crate) fn none() -> Self {
        Self { is_learning: false, ..Self::new() }
    }

    /// Read an array of endpoints onto the end of an empty list.
    pub(crate) fn read_endpoints(&mut self, reader: &mut Reader<'_>, list: &mut EndpointList) -> Result<(), Error> {
        if self.is_learning {
            list.reserve(self.room);
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
            self.learn(start);
        }
        Ok(())
    }

    fn read_by_template(&mut self, reader: &mut Reader<'_>, list: &mut EndpointList) -> bool {
        if self.learned.is_empty() || self.depth != reader.depth() {
            return false;
        }
        reader.peek();
        for which in 0..self.learned.len() {
            let Some(values) = self.learned[which].fit(reader, &mut self.known) else { continue };
            if !values.store(reader.text(), &self.known, list) {
                return false;
            }
            self.learned.swap(0, which);
            self.credit = (self.credit + 1).min(MOST_TEMPLATES * PRICE);
            reader.jump(values.end);
            return true;
        }
        false
    }

    #[cold]
    fn learn(&mut self, start: Reader<'_>) {
        if self.depth != start.depth() {
            *self = Self { depth: start.depth(), room: self.room, ..Self::new() };
        }
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

impl Values {
    /// Append an endpoint with these values; false if there is no room for their texts, which the plain reader has words for.
    fn store(&self, text: &str, known: &Known, list: &mut EndpointList) -> bool {
        let text = |field: Field| &text[self.starts[field as usize]..self.ends[field as usize]];
        let hints = self.hints.map_or("", |which| &known.hints[which].1);
        let values = PlainEndpoint {
            address: text(Field::Address),
            conditions: self.conditions,
            hostname: text(Field::Hostname),
            node_name: text(Field::NodeName),
            zone: text(Field::Zone),
            hints,
            target_kind: text(Field::Kind),
            target_namespace: text(Field::Namespace),
            target_name: text(Field::Name),
            target_uid: text(Field::Uid),
        };
        list.push_plain(&values).is_ok()
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
