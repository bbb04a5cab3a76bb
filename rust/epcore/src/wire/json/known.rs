//! Values of endpoints that come again and again, by their text.

use crate::model::{Conditions, Record, Text, TextBuffer};
use crate::wire::json::endpoint::{canonical_hints, read_conditions};
use crate::wire::json::literal::{WORD, Word, is_at, word};
use crate::wire::json::reader::{Reader, plain_length};
use crate::wire::json::template::LEVELS;

/// A text of an endpoint that may be a hole.
#[derive(Clone, Copy)]
pub(super) enum Field {
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

/// A short text that comes again and again.
struct FewText {
    text: Box<str>,
    /// The text and the quote after it.
    quoted: Word,
    /// Where the text is in list number `list`.
    stored: Text,
    list: usize,
}

/// Values that come again and again, by their text.
#[derive(Default)]
pub(super) struct Known {
    few: [Vec<FewText>; FIELDS],
    conditions: Vec<(Box<str>, Conditions)>,
    hints: Vec<(Box<str>, String)>,
    longest_hints: usize,
    /// Which is forgotten next.
    oldest: usize,
}

/// Most texts of conditions, of hints, and of each field with few texts to remember.
const MOST_KNOWN: usize = 8;
/// Longest text of conditions or hints to remember.
const LONGEST: usize = 1024;

impl Known {
    /// Which of the few texts of a field is at a place, counted from one, and its length; zero if it is none of them, as it is too long.
    #[inline]
    pub(super) fn few(&mut self, field: Field, text: &str, at: usize) -> (usize, usize) {
        let bytes = &text.as_bytes()[at..];
        let known = &self.few[field as usize];
        if let Some(first) = bytes.first_chunk()
            && let Some(which) = known.iter().position(|known| is_at(known.quoted, first))
        {
            return (which + 1, known[which].text.len());
        }
        self.new_few(field, text, at)
    }

    #[cold]
    fn new_few(&mut self, field: Field, text: &str, at: usize) -> (usize, usize) {
        let bytes = &text.as_bytes()[at..];
        let length = plain_length(bytes);
        if length >= WORD || bytes.get(length) != Some(&b'"') {
            return (0, length);
        }
        let (text, quoted) = (text[at..at + length].into(), word(&bytes[..=length]));
        let known = &mut self.few[field as usize];
        (keep(known, &mut self.oldest, FewText { text, quoted, stored: Text::default(), list: 0 }) + 1, length)
    }

    /// One of the few texts of a field as list number `list` has it, in whose buffer there is room for it.
    #[inline]
    pub(super) fn stored(&mut self, field: Field, which: usize, buffer: &mut TextBuffer, list: usize) -> Text {
        let known = &mut self.few[field as usize][which];
        if known.list != list {
            (known.stored, known.list) = (buffer.find_or_append(&known.text), list);
        }
        known.stored
    }

    /// Hints that are known, as canonical JSON.
    pub(super) fn canonical(&self, which: usize) -> &str {
        &self.hints[which].1
    }

    /// No hints that are known are longer, as canonical JSON.
    pub(super) fn longest_hints(&self) -> usize {
        self.longest_hints
    }

    /// Conditions that are known.
    pub(super) fn conditions_of(&self, which: usize) -> Conditions {
        self.conditions[which].1
    }

    /// Which conditions are at a place, and their length.
    pub(super) fn conditions(&mut self, reader: &Reader<'_>, at: usize) -> Option<(usize, usize)> {
        let which = if let Some(which) = position_of(&self.conditions, reader, at) {
            which
        } else {
            let (mut inner, mut record, mut rare) = (reader.shallow(at, LEVELS - 1), Record::default(), None);
            read_conditions(&mut inner, &mut record, &mut rare).ok()?;
            (rare.is_none() && inner.position() - at <= LONGEST).then_some(())?;
            let text = reader.text()[at..inner.position()].into();
            keep(&mut self.conditions, &mut self.oldest, (text, record.conditions))
        };
        Some((which, self.conditions[which].0.len()))
    }

    /// Which hints are at a place, and their length.
    pub(super) fn hints(&mut self, reader: &Reader<'_>, at: usize) -> Option<(usize, usize)> {
        let which = if let Some(which) = position_of(&self.hints, reader, at) {
            which
        } else {
            let (mut inner, mut rare) = (reader.shallow(at, LEVELS - 1), None);
            let hints = canonical_hints(&mut inner, &mut rare).ok()?;
            (rare.is_none() && inner.position() - at <= LONGEST).then_some(())?;
            let text = reader.text()[at..inner.position()].into();
            self.longest_hints = self.longest_hints.max(hints.len());
            keep(&mut self.hints, &mut self.oldest, (text, hints))
        };
        Some((which, self.hints[which].0.len()))
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
