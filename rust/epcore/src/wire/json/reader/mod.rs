//! A pull reader of JSON text: strict, one pass, no tree.
//!
//! It reads bytes. A text is looked at for UTF-8 when it is asked for, and all else of JSON is ASCII: so a document that was read to its end is UTF-8, and no
//! pass over all of it was needed.

mod canonical;
mod plain;
mod scalars;

use std::borrow::Cow;
use std::ops::Range;
use std::str::Utf8Error;

use crate::Error;
use crate::model::Members;
use crate::wire::proto::is_protobuf;

pub(crate) use canonical::{Kind, OWNER, Spot, UID_LENGTH};
pub(crate) use plain::{are_plain, is_all_plain, is_end, is_plain, plain_length};
pub(crate) use scalars::read_text_map;

/// Objects and arrays within each other; deeper input is refused.
pub(crate) const MAX_DEPTH: usize = 128;

/// A position in JSON text.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    /// A part of them that is known to be UTF-8, and where it begins.
    known: &'a str,
    known_from: usize,
    position: usize,
    depth: usize,
}

/// Bytes that are looked at for UTF-8 at once: texts are short, and each costs a call.
const AT_ONCE: usize = 512;

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { known: text, ..Self::of_bytes(text.as_bytes()) }
    }

    /// A reader of what need not be UTF-8.
    pub(crate) fn of_bytes(bytes: &'a [u8]) -> Self {
        Self { bytes, known: "", known_from: 0, position: 0, depth: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// The whole document.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// A part of it, which must be UTF-8.
    #[inline]
    pub(crate) fn text(&mut self, from: usize, to: usize) -> Result<&'a str, Error> {
        let known = from.checked_sub(self.known_from).and_then(|start| self.known.get(start..to - self.known_from));
        if let Some(text) = known { Ok(text) } else { self.unknown_text(from, to) }
    }

    /// The same of what was not looked at yet, with some of what is behind it.
    #[inline(never)]
    fn unknown_text(&mut self, from: usize, to: usize) -> Result<&'a str, Error> {
        let ahead = &self.bytes[from..self.bytes.len().min(to.max(from + AT_ONCE))];
        let not_text = |error: Utf8Error| Error::invalid(NOT_UTF8).at(from + error.valid_up_to());
        let known = match simdutf8::compat::from_utf8(ahead) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&ahead[..error.valid_up_to()]).unwrap_or_default(),
        };
        if let Some(text) = known.get(..to - from) {
            (self.known, self.known_from) = (known, from);
            return Ok(text);
        }
        std::str::from_utf8(&self.bytes[from..to]).map_err(not_text)
    }

    /// How many objects and arrays the reader is in.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// The place of the item behind a comma, where `at` is the end of an item before it.
    #[inline]
    pub(crate) fn next_item(&self, at: usize) -> Option<usize> {
        // Nearly always there is no space.
        if let Some([b',', 0x21..=0xff]) = self.bytes.get(at..)?.first_chunk() {
            return Some(at + 1);
        }
        let mut ahead = Self { position: at, ..self.clone() };
        ahead.take(b',').then(|| ahead.peek())??;
        Some(ahead.position)
    }

    /// Go on at a byte that is known to be as deep as this one.
    pub(crate) fn jump(&mut self, position: usize) {
        self.position = position;
    }

    /// A reader of a value at `position` that stops where more than `levels` objects and arrays are within each other.
    pub(crate) fn shallow(&self, position: usize, levels: usize) -> Self {
        Self { position, depth: MAX_DEPTH - levels, ..self.clone() }
    }

    /// The next byte that is not white space.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let bytes = self.bytes;
        loop {
            let byte = *bytes.get(self.position)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.position += 1;
        }
    }

    fn error(&self, message: impl Into<String>) -> Error {
        Error::invalid(message).at(self.position)
    }

    /// An error that says what was expected and what is there.
    pub(crate) fn expected(&mut self, what: &str) -> Error {
        let found = match self.peek() {
            None => "the end of the input".to_owned(),
            Some(b'{') => "an object".to_owned(),
            Some(b'[') => "an array".to_owned(),
            Some(b'"') => "a string".to_owned(),
            Some(b'-' | b'0'..=b'9') => "a number".to_owned(),
            Some(b't' | b'f') => "a boolean".to_owned(),
            Some(b'n') => "null".to_owned(),
            Some(_) => {
                let rest = &self.bytes[self.position..];
                // Four bytes are a character at least.
                let shown = String::from_utf8_lossy(&rest[..rest.len().min(4)]);
                format!("{:?}", shown.chars().next().unwrap_or_default())
            }
        };
        self.error(format!("expected {what}, found {found}"))
    }

    /// Step over a byte if it is next.
    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.position += usize::from(found);
        found
    }

    fn enter(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::limit("objects and arrays nested too deep", MAX_DEPTH, self.depth).at(self.position));
        }
        Ok(())
    }

    /// Read an object, one call of `member` for each member, which must read its value.
    pub(crate) fn object(&mut self, mut member: impl FnMut(&mut Self, &str) -> Result<(), Error>) -> Result<(), Error> {
        self.members(|reader, name, _| member(reader, name))
    }

    /// The same with names that outlast the call, and where they are spelled.
    pub(crate) fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, &Cow<'a, str>, Range<usize>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if !self.take(b'{') {
            return Err(self.expected("an object"));
        }
        self.enter()?;
        if !self.take(b'}') {
            loop {
                if self.peek() != Some(b'"') {
                    return Err(self.expected("a name in quotes"));
                }
                let start = self.position + 1;
                let name = self.string()?;
                let spelled = start..self.position - 1;
                if !self.take(b':') {
                    return Err(self.expected("':'"));
                }
                self.peek();
                let value = self.position;
                member(self, &name, spelled).map_err(|error| error.at(value).in_field(name.into_owned()))?;
                if self.take(b',') {
                    continue;
                }
                if self.take(b'}') {
                    break;
                }
                return Err(self.expected("',' or '}'"));
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Read an array, one call of `item` for each item, which must read it.
    pub(crate) fn array(&mut self, mut item: impl FnMut(&mut Self, usize) -> Result<(), Error>) -> Result<(), Error> {
        self.runs(|reader, index| item(reader, index).map(|()| 1))
    }

    /// The same where a call of `some` may read several items. The answer is how many; an error is one of the first.
    pub(crate) fn runs(&mut self, mut some: impl FnMut(&mut Self, usize) -> Result<usize, Error>) -> Result<(), Error> {
        if !self.take(b'[') {
            return Err(self.expected("an array"));
        }
        self.enter()?;
        if !self.take(b']') {
            let mut index = 0;
            loop {
                self.peek();
                let value = self.position;
                index += some(self, index).map_err(|error| error.at(value).in_index(index))?;
                if self.take(b',') {
                    continue;
                }
                if self.take(b']') {
                    break;
                }
                return Err(self.expected("',' or ']'"));
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// As [`Reader::runs`], but the path of an error begins at the item.
    pub(crate) fn items_of_array(
        &mut self,
        some: &mut dyn FnMut(&mut Self) -> Result<usize, Error>,
    ) -> Result<(), Error> {
        let mut failed = None;
        let outcome = self.runs(|reader, _| some(reader).map_err(|error| failed.insert(error).clone()));
        match failed {
            Some(error) => Err(error),
            None => outcome,
        }
    }

    /// Step over a value of any kind, checked.
    pub(crate) fn skip(&mut self) -> Result<(), Error> {
        match self.peek() {
            Some(b'{') => self.object(|reader, _| reader.skip()),
            Some(b'[') => self.array(|reader, _| reader.skip()),
            Some(b'"') => self.string().map(drop),
            Some(b't' | b'f') => self.boolean().map(drop),
            Some(b'n') => self.literal("null"),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            _ => Err(self.expected("a value")),
        }
    }

    /// Keep a member that has no meaning here.
    pub(crate) fn unknown(&mut self, name: &str, members: &mut Members) -> Result<(), Error> {
        let json = self.canonical()?;
        keep(name, json, members)
    }
}

/// Keep the canonical JSON of a member.
pub(super) fn keep(name: &str, json: String, members: &mut Members) -> Result<(), Error> {
    if members.insert(name, json) { Ok(()) } else { Err(Error::invalid(DUPLICATE)) }
}

/// The canonical form of a text that is JSON.
pub(crate) fn canonical(text: &str) -> Result<String, Error> {
    whole(text, Reader::canonical)
}

/// What is read of a text with nothing behind it.
pub(crate) fn whole<'a, T>(text: &'a str, read: impl FnOnce(&mut Reader<'a>) -> Result<T, Error>) -> Result<T, Error> {
    let mut reader = Reader::new(text);
    let value = read(&mut reader)?;
    if reader.peek().is_some() { Err(reader.expected("the end of the input")) } else { Ok(value) }
}

const NOT_UTF8: &str = "not UTF-8";
const DUPLICATE: &str = "a second member of this name";

/// Which known members an object has had.
#[derive(Default)]
pub(crate) struct Seen(u32);

impl Seen {
    /// Note member number `index` of an object.
    pub(crate) fn once(&mut self, index: u32) -> Result<(), Error> {
        let bit = 1 << index;
        if self.0 & bit != 0 {
            return Err(Error::invalid(DUPLICATE));
        }
        self.0 |= bit;
        Ok(())
    }
}

/// The text of a document. That it is protobuf is told by itself, as much of that is UTF-8, and what is not is no fault of it.
pub(crate) fn text_of(document: &[u8]) -> Result<&str, Error> {
    if is_protobuf(document) {
        return Err(Error::invalid("this is protobuf, and only JSON is read here").at(0));
    }
    // The fast check does not tell where the trouble is.
    simdutf8::basic::from_utf8(document)
        .or_else(|_| std::str::from_utf8(document))
        .map_err(|error| Error::invalid(NOT_UTF8).at(error.valid_up_to()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text_does_not_depend_on_spelling() {
        let read = |text: &str| Reader::new(text).canonical().unwrap();
        assert_eq!(read(r#" { "b" : [ 1.50 , null ] , "a" : "\u0041\/\n" } "#), r#"{"a":"A/\n","b":[1.50,null]}"#);
        assert_eq!(read(r#""\ud83d\ude00""#), "\"😀\"");
    }

    #[test]
    fn refuses_what_is_no_json() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "01",
            "1.",
            "-",
            "1e",
            "nul",
            "\"",
            "\"\n\"",
            r#""\x""#,
            r#""\ud800""#,
            r#""\u12""#,
            "{\"a\":1,\"a\":2}",
            "{a:1}",
            "[1 2]",
            "+1",
            "'a'",
            r#""\ud800\u0041""#,
            "\u{feff}1",
        ] {
            let mut reader = Reader::new(text);
            assert!(reader.canonical().is_err() || reader.peek().is_some(), "{text:?}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_overflow() {
        let deep = "[".repeat(1_000_000);
        let error = Reader::new(&deep).skip().unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Limit { limit: 128, actual: 129 });
    }
}
