//! Values of any kind as canonical JSON: no space between tokens, members in the order of their names, numbers as they were.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::Error;
use crate::wire::json::reader::{DUPLICATE, Reader};
use crate::wire::json::writer::write_string;

impl Reader<'_> {
    /// Read a value of any kind into canonical JSON.
    pub(crate) fn canonical(&mut self) -> Result<String, Error> {
        let mut canonical = Canonical::default();
        canonical.value(self)?;
        Ok(canonical.text)
    }

    /// The same, and where what is in it may be something else, in the order in which it is spelled.
    pub(crate) fn canonical_and_spots(&mut self) -> Result<(String, Vec<Spot>), Error> {
        let mut canonical = Canonical { spots: Some(Vec::new()), ..Canonical::default() };
        canonical.value(self)?;
        Ok((canonical.text, canonical.spots.unwrap_or_default()))
    }
}

/// What a value has at a place: it is spelled in its canonical form as it is in the document.
pub(crate) struct Spot {
    pub(crate) kind: Kind,
    /// In the document.
    pub(crate) from: usize,
    pub(crate) length: usize,
    /// In the canonical form.
    pub(crate) at: usize,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// The inside of a string without escapes that is a value.
    Text,
    /// The digits of a whole number.
    Digits,
    /// The UID in the name of a member that is an owner in `managedFields`.
    OwnerUid,
}

/// What such a name begins and ends with, in canonical form.
pub(crate) const OWNER: &str = r#""k:{\"uid\":\""#;
const OWNER_END: &str = r#"\"}""#;
pub(crate) const UID_LENGTH: usize = 36;

/// The text of a value, as far as it was read.
#[derive(Default)]
struct Canonical<'a> {
    text: String,
    /// Members of the objects that are under way, and where the text of each begins: as far as they come in order.
    members: Vec<(Cow<'a, str>, usize)>,
    /// Nothing unless somebody asks.
    spots: Option<Vec<Spot>>,
}

/// The members of an object that do not come in order, and where the text of each is, with a comma behind it.
type Sorted<'a> = BTreeMap<Cow<'a, str>, Range<usize>>;

impl<'a> Canonical<'a> {
    fn value(&mut self, reader: &mut Reader<'a>) -> Result<(), Error> {
        match reader.peek() {
            Some(b'{') => self.object(reader),
            Some(b'[') => self.array(reader),
            Some(b'"') => {
                let text = reader.string()?;
                let plain = if let Cow::Borrowed(text) = text { Some(text.len()) } else { None };
                self.string(text);
                if let Some(length) = plain {
                    self.note(Kind::Text, reader.position, length, 1);
                }
                Ok(())
            }
            _ => {
                let start = reader.position;
                reader.skip()?;
                let word = reader.text(start, reader.position)?;
                self.text.push_str(word);
                if self.spots.is_some() && word.bytes().all(|byte| byte.is_ascii_digit()) {
                    self.note(Kind::Digits, reader.position, word.len(), 0);
                }
                Ok(())
            }
        }
    }

    fn object(&mut self, reader: &mut Reader<'a>) -> Result<(), Error> {
        self.text.push('{');
        let (start, first) = (self.text.len(), self.members.len());
        let first_spot = self.spots.as_ref().map_or(0, Vec::len);
        let mut sorted = None;
        reader.members(|reader, name, _| {
            let at = self.text.len();
            self.string(name.clone());
            if self.spots.is_some() && is_owner(&self.text[at..], reader) {
                self.note(Kind::OwnerUid, reader.position - 1, UID_LENGTH, OWNER_END.len());
            }
            self.text.push(':');
            self.value(reader)?;
            self.text.push(',');
            self.member(first, &mut sorted, name.clone(), at)
        })?;
        self.members.truncate(first);
        if let Some(sorted) = sorted {
            let unsorted = self.text.split_off(start);
            let mut spots: Vec<&mut Spot> = self.spots.iter_mut().flat_map(|spots| &mut spots[first_spot..]).collect();
            for Range { start: from, end } in sorted.into_values() {
                // Each is moved once.
                spots.retain_mut(|spot| {
                    let is_here = (from..end).contains(&spot.at);
                    if is_here {
                        spot.at = self.text.len() + spot.at - from;
                    }
                    !is_here
                });
                self.text.push_str(&unsorted[from - start..end - start]);
            }
        }
        self.end(start, '}');
        Ok(())
    }

    /// Take note, if somebody asks, of what ends so many bytes before `end` in the document and before the end of the text.
    fn note(&mut self, kind: Kind, end: usize, length: usize, behind: usize) {
        if let Some(spots) = &mut self.spots {
            let (from, at) = (end - behind - length, self.text.len() - behind - length);
            spots.push(Spot { kind, from, length, at });
        }
    }

    /// Take note of a member whose text begins at a place.
    fn member(
        &mut self,
        first: usize,
        sorted: &mut Option<Sorted<'a>>,
        name: Cow<'a, str>,
        at: usize,
    ) -> Result<(), Error> {
        if sorted.is_none() && self.members[first..].last().is_none_or(|(last, _)| *last < name) {
            self.members.push((name, at));
            return Ok(());
        }
        let sorted = sorted.get_or_insert_with(|| self.sorted(first, at));
        let is_new = sorted.insert(name, at..self.text.len()).is_none();
        if is_new { Ok(()) } else { Err(Error::invalid(DUPLICATE)) }
    }

    /// The members so far of an object, where the text of the last one has an end.
    fn sorted(&mut self, first: usize, end: usize) -> Sorted<'a> {
        let mut end = end;
        let members = self.members.drain(first..).rev();
        members.map(|(name, from)| (name, from..std::mem::replace(&mut end, from))).collect()
    }

    fn array(&mut self, reader: &mut Reader<'a>) -> Result<(), Error> {
        self.text.push('[');
        let start = self.text.len();
        reader.array(|reader, _| {
            self.value(reader)?;
            self.text.push(',');
            Ok(())
        })?;
        self.end(start, ']');
        Ok(())
    }

    /// End what has a comma behind all that is in it.
    fn end(&mut self, start: usize, bracket: char) {
        if self.text.len() > start {
            self.text.pop();
        }
        self.text.push(bracket);
    }

    fn string(&mut self, text: Cow<'_, str>) {
        match text {
            // What is in the document without escapes needs none.
            Cow::Borrowed(text) => {
                self.text.reserve(text.len() + 2);
                self.text.push('"');
                self.text.push_str(text);
                self.text.push('"');
            }
            Cow::Owned(text) => {
                let mut escaped = Vec::new();
                write_string(&mut escaped, &text);
                self.text.push_str(&String::from_utf8_lossy(&escaped));
            }
        }
    }
}

/// True if the name before the value under the reader, whose canonical form this is, is that of an owner and is spelled so.
fn is_owner(name: &str, reader: &Reader<'_>) -> bool {
    let uid = name.strip_prefix(OWNER).and_then(|rest| rest.strip_suffix(OWNER_END));
    let before = reader.bytes[..reader.position].strip_suffix(b":");
    uid.is_some_and(|uid| uid.len() == UID_LENGTH) && before.is_some_and(|before| before.ends_with(name.as_bytes()))
}
