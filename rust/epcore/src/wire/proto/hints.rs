//! Hints, which come again and again.

use crate::Error;
use crate::model::{Ascii, Rare, Text, are_valid_hints};
use crate::wire::json::{self, canonical_hints};
use crate::wire::proto::reader::Field;
use crate::wire::proto::schema::HINTS;
use crate::wire::proto::translation::write_object;

/// Hints that were read.
#[derive(Default)]
pub(super) struct KnownHints<'a> {
    known: Vec<Hints<'a>>,
    oldest: usize,
}

struct Hints<'a> {
    bytes: &'a [u8],
    /// The same as canonical JSON.
    json: String,
    are_valid: bool,
    /// Where the list that is read has it, if it does.
    kept: Text,
}

/// Most hints to remember.
const MOST_KNOWN: usize = 8;

impl<'a> KnownHints<'a> {
    /// Keep the canonical JSON of hints that are known; tell whether they are valid.
    pub(super) fn keep_in(&mut self, bytes: &[u8], texts: &mut Ascii) -> Option<(Text, bool)> {
        let hints = self.known.iter_mut().find(|hints| hints.bytes == bytes)?;
        if hints.kept.is_empty() {
            hints.kept = texts.keep(hints.json.as_bytes());
        }
        Some((hints.kept, hints.are_valid))
    }

    /// Begin with another list.
    pub(super) fn forget(&mut self) {
        self.known.iter_mut().for_each(|hints| hints.kept = Text::default());
    }

    /// Bytes of the canonical JSON of all that are known.
    pub(super) fn length(&self) -> usize {
        self.known.iter().map(|hints| hints.json.len()).sum()
    }

    /// The canonical JSON of any hints; what nobody knows of them goes to `rare`.
    pub(super) fn read(
        &mut self,
        field: &Field<'a>,
        document: &'a [u8],
        rare: &mut Option<Rare>,
    ) -> Result<String, Error> {
        let bytes = field.bytes()?;
        if let Some(hints) = self.known.iter().find(|hints| hints.bytes == bytes) {
            return Ok(hints.json.clone());
        }
        let message = field.message(document)?;
        let mut is_plain = true;
        message.fields(|field| {
            if HINTS.numbered(field.number).is_none() {
                is_plain = false;
                rare.get_or_insert_default().hints_unknown.keep_numbered(field.raw(document));
            }
            Ok(())
        })?;
        let mut text = Vec::new();
        write_object(&mut text, message, &HINTS)?;
        let text = String::from_utf8_lossy(&text);
        let canonical = canonical_hints(&mut json::Reader::new(&text), rare).map_err(Error::without_offset)?;
        if is_plain {
            let (json, are_valid) = (canonical.clone(), canonical.is_empty() || are_valid_hints(&canonical));
            self.remember(Hints { bytes, json, are_valid, kept: Text::default() });
        }
        Ok(canonical)
    }

    fn remember(&mut self, hints: Hints<'a>) {
        if self.known.len() < MOST_KNOWN {
            self.known.push(hints);
            return;
        }
        self.oldest = (self.oldest + 1) % MOST_KNOWN;
        self.known[self.oldest] = hints;
    }
}
