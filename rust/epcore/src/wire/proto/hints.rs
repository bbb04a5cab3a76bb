//! Hints, which come again and again.

use crate::Error;
use crate::model::{Ascii, Rare, Text, are_valid_hints};
use crate::wire::json::{self, canonical_hints, write_hints};
use crate::wire::proto::known_json::KnownJson;
use crate::wire::proto::parts::Parts;
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
    /// Keep the canonical JSON of hints that are known or of the usual form where so many bytes remain free; tell whether they are valid.
    pub(super) fn keep_in(&mut self, bytes: &'a [u8], texts: &mut Ascii, left: usize) -> Option<(Text, bool)> {
        if bytes.is_empty() {
            return Some((Text::default(), true));
        }
        let found = self.known.iter().position(|hints| hints.bytes == bytes);
        let which = match found {
            Some(which) => which,
            None => self.remember(Hints::new(bytes, usual_hints(bytes)?)),
        };
        let hints = &mut self.known[which];
        if hints.kept.is_empty() {
            texts.has_room(hints.json.len() + left).then_some(())?;
            hints.kept = texts.keep(hints.json.as_bytes());
        }
        Some((hints.kept, hints.are_valid))
    }

    /// Begin with another list.
    pub(super) fn forget(&mut self) {
        self.known.iter_mut().for_each(|hints| hints.kept = Text::default());
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
        write_object(&mut text, message, &HINTS, &mut KnownJson::default())?;
        let text = String::from_utf8_lossy(&text);
        let canonical = canonical_hints(&mut json::Reader::new(&text), rare).map_err(Error::without_offset)?;
        if is_plain {
            self.remember(Hints::new(bytes, canonical.clone()));
        }
        Ok(canonical)
    }

    /// Tell where they are now.
    fn remember(&mut self, hints: Hints<'a>) -> usize {
        if self.known.len() < MOST_KNOWN {
            self.known.push(hints);
            return self.known.len() - 1;
        }
        self.oldest = (self.oldest + 1) % MOST_KNOWN;
        self.known[self.oldest] = hints;
        self.oldest
    }
}

impl<'a> Hints<'a> {
    fn new(bytes: &'a [u8], json: String) -> Self {
        let are_valid = json.is_empty() || are_valid_hints(&json);
        Self { bytes, json, are_valid, kept: Text::default() }
    }
}

/// The canonical JSON of hints for one zone, one node, or both, as Kubernetes gives them.
fn usual_hints(message: &[u8]) -> Option<String> {
    let mut fields = Parts(message);
    let names = [hint(&mut fields, 1)?, hint(&mut fields, 2)?];
    let [zone, node] = names.map(|name| Some(name).filter(|name| !name.is_empty()));
    fields.0.is_empty().then(|| write_hints(zone, node))
}

/// The name in a hint if the next field is one of that number, else `""`.
fn hint<'a>(fields: &mut Parts<'a>, number: u8) -> Option<&'a str> {
    if !fields.begin_with(number) {
        return Some("");
    }
    let mut hint = Parts(fields.bytes(number)?);
    let name = std::str::from_utf8(hint.bytes(1)?).ok()?;
    (hint.0.is_empty() && !name.is_empty()).then_some(name)
}
