//! What is between two texts that are different in each endpoint: literals, and values of which there are few.

use crate::model::{Conditions, EndpointList, Record, Text, are_valid_hints, same_text};
use crate::wire::json::endpoint::{canonical_hints, read_conditions};
use crate::wire::json::kept::Kept;
use crate::wire::json::literal::Literal;
use crate::wire::json::reader::{Reader, plain_length};

/// Objects and arrays within each other in what is learned: it is right wherever there is room for so many.
pub(super) const LEVELS: usize = 8;

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
struct Value {
    field: Few,
    /// None of conditions.
    text: Box<str>,
    stored: Text,
    conditions: Conditions,
}

/// A run as it was in some endpoint: the whole text, and its values.
struct Variant {
    text: Literal,
    values: Vec<Value>,
    /// True if no rule refuses its hints.
    are_sound: bool,
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
    /// The variant that was found last, and the one that is likely to be next.
    last: usize,
    expected: usize,
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
        Self::Values(Values { each, tail, variants: Vec::new(), last: 0, expected: 0, set: NONE, oldest: 0 })
    }

    /// The place after the run, if it is at `at`. The record has its values then.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "most are literals, and the call is half of the work")]
    pub(super) fn after(
        &mut self,
        reader: &Reader<'_>,
        at: usize,
        record: &mut Record,
        kept: &mut Kept,
    ) -> Option<usize> {
        match self {
            Self::Literal(literal) => literal.after(reader.bytes(), at),
            Self::Values(values) => values.after(reader, at, record, kept),
        }
    }

    /// The same where it is tried once more.
    #[inline(never)]
    pub(super) fn after_again(
        &mut self,
        reader: &Reader<'_>,
        at: usize,
        record: &mut Record,
        kept: &mut Kept,
    ) -> Option<usize> {
        self.after(reader, at, record, kept)
    }

    /// True if all texts that are stored in list number `number` are texts of this one.
    pub(super) fn is_in(&self, number: usize, list: &EndpointList) -> bool {
        let Self::Values(values) = self else { return true };
        let mut stored = values.variants.iter().filter(|variant| variant.list == number);
        stored.all(|variant| variant.values.iter().all(|value| list.text().has(value.stored, value.text.as_bytes())))
    }

    /// Forget what the record has.
    pub(super) fn unset(&mut self) {
        if let Self::Values(values) = self {
            values.set = NONE;
        }
    }
}

impl Values {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the call is half of the work")]
    fn after(&mut self, reader: &Reader<'_>, at: usize, record: &mut Record, kept: &mut Kept) -> Option<usize> {
        // Zones come by turns, where Pods are spread.
        let expected = self.variants.get(self.expected);
        let end = match expected.and_then(|variant| variant.text.after(reader.bytes(), at)) {
            Some(end) => end,
            None => self.other(reader, at)?,
        };
        let which = self.expected;
        let variant = self.variants.get(which)?;
        (self.last, self.expected) = (which, variant.next);
        if self.set == which {
            return Some(end);
        }
        if variant.list != kept.number() {
            self.store(which, kept)?;
        }
        self.variants.get(which)?.apply(record, kept);
        self.set = which;
        Some(end)
    }

    /// Keep the texts of a variant for the list that is read, but for those that another one keeps there.
    #[inline(never)]
    fn store(&mut self, which: usize, kept: &mut Kept) -> Option<()> {
        for number in 0..self.each.len() {
            let text = &self.variants.get(which)?.values.get(number)?.text;
            let stored = self.variants.iter().filter(|variant| variant.list == kept.number());
            let mut same =
                stored.filter_map(|variant| variant.values.get(number).filter(|value| same_text(&value.text, text)));
            let stored = match same.next() {
                Some(value) => value.stored,
                None => kept.keep_common(text)?,
            };
            self.variants.get_mut(which)?.values.get_mut(number)?.stored = stored;
        }
        self.variants.get_mut(which)?.list = kept.number();
        Some(())
    }

    /// The end of another variant than the expected one, which is expected now.
    #[inline(never)]
    fn other(&mut self, reader: &Reader<'_>, at: usize) -> Option<usize> {
        let bytes = reader.bytes();
        // Where another shape is, no variant need be looked at.
        self.each.first()?.0.after(bytes, at)?;
        let found =
            self.variants.iter().enumerate().find_map(|(which, variant)| Some((which, variant.text.after(bytes, at)?)));
        let (which, end) = found.or_else(|| self.learn(reader, at))?;
        if let Some(last) = self.variants.get_mut(self.last) {
            last.next = which;
        }
        self.expected = which;
        Some(end)
    }

    /// Take the values one by one, and remember the run.
    #[cold]
    fn learn(&mut self, reader: &Reader<'_>, start: usize) -> Option<(usize, usize)> {
        let bytes = reader.bytes();
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
            places.into_iter().map(|(field, from, to)| field.value(reader, from, to)).collect::<Option<Vec<_>>>()?;
        let are_sound = values.iter().all(Value::is_sound);
        let variant = Variant { text: Literal::of(&bytes[start..end]), values, are_sound, list: 0, next: 0 };
        self.set = NONE;
        let mut which = self.variants.len();
        if which < MOST_VARIANTS {
            self.variants.push(variant);
        } else {
            self.oldest = (self.oldest + 1) % MOST_VARIANTS;
            which = self.oldest;
            self.variants[which] = variant;
        }
        Some((which, end))
    }
}

impl Variant {
    /// Let a record have the values, whose texts are in its list.
    #[inline]
    fn apply(&self, record: &mut Record, kept: &mut Kept) {
        kept.are_sound &= self.are_sound;
        for &Value { field, stored, conditions, .. } in &self.values {
            match field {
                Few::Zone => record.zone = stored,
                Few::Kind => record.target_kind = stored,
                Few::Namespace => record.target_namespace = stored,
                Few::Hints => record.hints = stored,
                Few::Conditions => record.conditions = conditions,
            }
        }
    }
}

impl Value {
    fn is_sound(&self) -> bool {
        !matches!(self.field, Few::Hints) || self.text.is_empty() || are_valid_hints(&self.text)
    }
}

impl Few {
    /// Where a value ends that begins at `at`: before the quote of a text, after an object.
    fn end(self, reader: &Reader<'_>, at: usize) -> Option<usize> {
        match self {
            Self::Zone | Self::Kind | Self::Namespace => Some(at + plain_length(&reader.bytes()[at..])),
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
            Self::Zone | Self::Kind | Self::Namespace => self.text(inner.text(from, to).ok()?),
            Self::Hints => self.text(&canonical_hints(&mut inner, &mut rare).ok()?),
            Self::Conditions => {
                let mut record = Record::default();
                read_conditions(&mut inner, &mut record, &mut rare).ok()?;
                Value { conditions: record.conditions, ..self.text("") }
            }
        };
        rare.is_none().then_some(value)
    }

    fn text(self, text: &str) -> Value {
        Value { field: self, text: text.into(), stored: Text::default(), conditions: Conditions::default() }
    }
}
