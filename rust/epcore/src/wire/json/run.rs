//! What is between two texts that are different in each endpoint: literals, and values of which there are few.

use crate::model::{Conditions, Record, Text, TextBuffer};
use crate::wire::json::endpoint::{canonical_hints, read_conditions};
use crate::wire::json::literal::Literal;
use crate::wire::json::reader::{Reader, plain_length};
use crate::wire::json::template::LEVELS;

/// A field that has few values.
#[derive(Clone, Copy)]
pub(super) enum Few {
    Zone,
    Kind,
    Namespace,
    /// The whole object, as canonical JSON.
    Hints,
    /// The whole object.
    Conditions,
}

/// What a value says.
enum Value {
    Text { field: Few, text: Box<str>, stored: Text },
    Conditions(Conditions),
}

/// A run as it was in some endpoint: the whole text, and its values.
struct Variant {
    text: Literal,
    values: Vec<Value>,
    /// Number of the list in which its texts are stored.
    list: usize,
    /// The variant that came after it the last time.
    next: usize,
}

/// Most variants of a run to remember.
const MOST_VARIANTS: usize = 8;
const NONE: usize = usize::MAX;
/// Longest variant to remember.
const LONGEST: usize = 512;
/// No hints that are remembered are longer as canonical JSON: an escape of two characters may become one of six.
pub(super) const LONGEST_HINTS: usize = 3 * LONGEST;

/// A literal alone, or literals with values between them.
pub(super) enum Run {
    Literal(Literal),
    Values(Values),
}

/// Literals with values between them, compared at once with what they were before.
pub(super) struct Values {
    /// What comes before each value, and its field.
    each: Vec<(Literal, Few)>,
    tail: Literal,
    variants: Vec<Variant>,
    /// The variant that was found last.
    which: usize,
    /// The variant that the record has, [`NONE`] if it may be none.
    set: usize,
    /// The variant that is forgotten next.
    oldest: usize,
}

impl Run {
    /// A run of values after literals, and a literal.
    pub(super) fn new(each: Vec<(Literal, Few)>, tail: &[u8]) -> Self {
        let tail = Literal::of(tail);
        if each.is_empty() {
            return Self::Literal(tail);
        }
        Self::Values(Values { each, tail, variants: Vec::new(), which: 0, set: NONE, oldest: 0 })
    }

    /// The place after the run, if it is at `at`.
    #[inline]
    pub(super) fn after(&mut self, reader: &Reader<'_>, at: usize) -> Option<usize> {
        match self {
            Self::Literal(literal) => literal.after(reader.text().as_bytes(), at),
            Self::Values(values) => values.after(reader, at),
        }
    }

    /// Forget what the record has.
    pub(super) fn unset(&mut self) {
        if let Self::Values(values) = self {
            values.set = NONE;
        }
    }

    /// The values, if the record does not have those that were found last.
    #[inline]
    pub(super) fn changed(&mut self) -> Option<&mut Values> {
        match self {
            Self::Values(values) if values.set != values.which => Some(values),
            _ => None,
        }
    }
}

impl Values {
    /// Let the record have the values that were found last, with texts of list number `list`, where there is room.
    pub(super) fn apply(&mut self, record: &mut Record, buffer: &mut TextBuffer, list: usize) {
        self.set = self.which;
        self.variants[self.which].apply(record, buffer, list);
    }

    #[inline]
    fn after(&mut self, reader: &Reader<'_>, at: usize) -> Option<usize> {
        // Zones come by turns, where Pods are spread.
        let next = self.variants.get(self.which).map_or(0, |last| last.next);
        let end = self.variants.get(next).and_then(|next| next.text.after(reader.text().as_bytes(), at));
        if end.is_some() {
            self.which = next;
            return end;
        }
        let last = self.which;
        let end = self.other(reader, at)?;
        if let Some(last) = self.variants.get_mut(last) {
            last.next = self.which;
        }
        Some(end)
    }

    fn other(&mut self, reader: &Reader<'_>, at: usize) -> Option<usize> {
        let bytes = reader.text().as_bytes();
        // Where another shape is, no variant need be looked at.
        self.each.first()?.0.after(bytes, at)?;
        let found =
            self.variants.iter().enumerate().find_map(|(which, variant)| Some((which, variant.text.after(bytes, at)?)));
        if let Some((which, end)) = found {
            self.which = which;
            return Some(end);
        }
        self.learn(reader, at)
    }

    /// Take the values one by one, and remember the run.
    #[cold]
    fn learn(&mut self, reader: &Reader<'_>, start: usize) -> Option<usize> {
        let bytes = reader.text().as_bytes();
        let mut places = Vec::new();
        let mut at = start;
        for (literal, field) in &self.each {
            let from = literal.after(bytes, at)?;
            at = field.end(reader, from)?;
            places.push((*field, from, at));
        }
        let end = self.tail.after(bytes, at)?;
        if end - start > LONGEST {
            return None;
        }
        let values =
            places.into_iter().map(|(field, from, to)| field.value(reader, from, to)).collect::<Option<_>>()?;
        let variant = Variant { text: Literal::of(&bytes[start..end]), values, list: 0, next: 0 };
        self.set = NONE;
        self.which = self.variants.len();
        if self.which < MOST_VARIANTS {
            self.variants.push(variant);
        } else {
            self.oldest = (self.oldest + 1) % MOST_VARIANTS;
            self.which = self.oldest;
            self.variants[self.which] = variant;
        }
        Some(end)
    }
}

impl Variant {
    fn apply(&mut self, record: &mut Record, buffer: &mut TextBuffer, list: usize) {
        let is_stored = self.list == list;
        self.list = list;
        for value in &mut self.values {
            let (field, text) = match value {
                Value::Conditions(conditions) => {
                    record.conditions = *conditions;
                    continue;
                }
                Value::Text { field, text, stored } => {
                    if !is_stored {
                        *stored = buffer.find_or_append(text);
                    }
                    (field, *stored)
                }
            };
            match field {
                Few::Zone => record.zone = text,
                Few::Kind => record.target_kind = text,
                Few::Namespace => record.target_namespace = text,
                Few::Hints | Few::Conditions => record.hints = text,
            }
        }
    }
}

impl Few {
    /// Where a value ends that begins at `at`: before the quote of a text, after an object.
    fn end(self, reader: &Reader<'_>, at: usize) -> Option<usize> {
        match self {
            Self::Zone | Self::Kind | Self::Namespace => Some(at + plain_length(&reader.text().as_bytes()[at..])),
            Self::Hints | Self::Conditions => {
                let mut inner = reader.shallow(at, LEVELS - 1);
                inner.skip().ok()?;
                Some(inner.position())
            }
        }
    }

    /// What the plain reader makes of a value, if it has no fields that few have.
    fn value(self, reader: &Reader<'_>, from: usize, to: usize) -> Option<Value> {
        let (mut inner, mut rare) = (reader.shallow(from, LEVELS - 1), None);
        let value = match self {
            Self::Zone | Self::Kind | Self::Namespace => self.text(&reader.text()[from..to]),
            Self::Hints => self.text(&canonical_hints(&mut inner, &mut rare).ok()?),
            Self::Conditions => {
                let mut record = Record::default();
                read_conditions(&mut inner, &mut record, &mut rare).ok()?;
                Value::Conditions(record.conditions)
            }
        };
        rare.is_none().then_some(value)
    }

    fn text(self, text: &str) -> Value {
        Value::Text { field: self, text: text.into(), stored: Text::default() }
    }
}
