//! Truths, texts, maps of them, and numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use crate::Error;
use crate::wire::json::reader::Reader;
use crate::wire::json::reader::plain::plain_length;

impl<'a> Reader<'a> {
    /// Step over `null` if it is next.
    pub(crate) fn null(&mut self) -> Result<bool, Error> {
        if self.peek() != Some(b'n') {
            return Ok(false);
        }
        self.literal("null")?;
        Ok(true)
    }

    pub(super) fn literal(&mut self, word: &'static str) -> Result<(), Error> {
        if !self.bytes[self.position..].starts_with(word.as_bytes()) {
            return Err(self.error(format!("expected {word}")));
        }
        self.position += word.len();
        Ok(())
    }

    pub(crate) fn boolean(&mut self) -> Result<bool, Error> {
        match self.peek() {
            Some(b't') => self.literal("true").map(|()| true),
            Some(b'f') => self.literal("false").map(|()| false),
            _ => Err(self.expected("a boolean")),
        }
    }

    /// A string; `null` is the empty one, which means "not set" everywhere in the API.
    pub(crate) fn optional_string(&mut self) -> Result<Cow<'a, str>, Error> {
        if self.null()? { Ok(Cow::Borrowed("")) } else { self.string() }
    }

    #[inline]
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        if !self.take(b'"') {
            return Err(self.expected("a string"));
        }
        let start = self.position;
        self.position += plain_length(&self.bytes[start..]);
        if self.bytes.get(self.position) == Some(&b'"') {
            self.position += 1;
            return self.text(start, self.position - 1).map(Cow::Borrowed);
        }
        self.rest_of_string(start).map(Cow::Owned)
    }

    /// The part of a string from its first escape on; rare.
    #[cold]
    fn rest_of_string(&mut self, start: usize) -> Result<String, Error> {
        let mut decoded = self.text(start, self.position)?.to_owned();
        loop {
            match self.bytes.get(self.position) {
                None => return Err(self.error("the string has no end")),
                Some(b'"') => {
                    self.position += 1;
                    return Ok(decoded);
                }
                Some(b'\\') => decoded.push(self.escape()?),
                Some(byte @ 0..0x20) => {
                    return Err(self.error(format!("control character {byte:#04x} in a string must be escaped")));
                }
                Some(_) => {
                    let from = self.position;
                    self.position += plain_length(&self.bytes[from..]);
                    decoded.push_str(self.text(from, self.position)?);
                }
            }
        }
    }

    /// How long the rest of a string is as it is spelled, from a place in it to its quote. Nothing where it is none.
    pub(crate) fn spelled_length(bytes: &[u8], from: usize) -> Option<usize> {
        let mut reader = Reader { position: from, ..Reader::of_bytes(bytes) };
        loop {
            reader.position += plain_length(bytes.get(reader.position..)?);
            match bytes.get(reader.position)? {
                b'"' => return Some(reader.position - from),
                b'\\' => drop(reader.escape().ok()?),
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        let start = self.position;
        let escaped = self.bytes.get(start + 1).copied();
        self.position += 2;
        Ok(match escaped {
            Some(plain @ (b'"' | b'\\' | b'/')) => char::from(plain),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.hex(start)?;
                let code = if (0xd800..0xdc00).contains(&first) && self.bytes[self.position..].starts_with(b"\\u") {
                    self.position += 2;
                    let second = self.hex(start)?;
                    if !(0xdc00..0xe000).contains(&second) {
                        return Err(Error::invalid("half of a surrogate pair").at(start));
                    }
                    0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                } else {
                    first
                };
                char::from_u32(code).ok_or_else(|| Error::invalid("half of a surrogate pair").at(start))?
            }
            _ => return Err(Error::invalid("unknown escape in a string").at(start)),
        })
    }

    fn hex(&mut self, start: usize) -> Result<u32, Error> {
        let digits = self.bytes.get(self.position..self.position + 4);
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        self.position += 4;
        digits
            .and_then(|digits| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())
            .ok_or_else(|| Error::invalid("\\u needs four hexadecimal digits").at(start))
    }

    /// The text of a number.
    pub(super) fn number(&mut self) -> Result<&'a str, Error> {
        self.peek();
        let start = self.position;
        let bytes = self.bytes;
        let digits = |position: &mut usize| {
            let from = *position;
            while bytes.get(*position).is_some_and(u8::is_ascii_digit) {
                *position += 1;
            }
            *position > from
        };
        let mut position = start;
        position += usize::from(bytes.get(position) == Some(&b'-'));
        let leading_zero = bytes.get(position) == Some(&b'0');
        let whole = position;
        let mut valid = digits(&mut position) && (!leading_zero || position == whole + 1);
        if bytes.get(position) == Some(&b'.') {
            position += 1;
            valid &= digits(&mut position);
        }
        if matches!(bytes.get(position), Some(b'e' | b'E')) {
            position += 1;
            position += usize::from(matches!(bytes.get(position), Some(b'+' | b'-')));
            valid &= digits(&mut position);
        }
        if !valid {
            return Err(self.error("not a number of JSON"));
        }
        self.position = position;
        self.text(start, position)
    }

    /// A whole number of 32 bits.
    pub(crate) fn int32(&mut self) -> Result<i32, Error> {
        self.whole_number(32)
    }

    /// A whole number of 64 bits.
    pub(crate) fn int64(&mut self) -> Result<i64, Error> {
        self.whole_number(64)
    }

    fn whole_number<T: FromStr>(&mut self, bits: u8) -> Result<T, Error> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return Err(self.expected("a whole number"));
        }
        let start = self.position;
        let text = self.number()?;
        text.parse().map_err(|_| {
            let shown = crate::model::shorten(text);
            Error::invalid(format!("{shown} is not a whole number of {bits} bits")).at(start)
        })
    }
}

/// Read texts by name; `null` is none of them.
pub(crate) fn read_text_map(reader: &mut Reader<'_>) -> Result<BTreeMap<String, String>, Error> {
    let mut map = BTreeMap::new();
    if reader.null()? {
        return Ok(map);
    }
    reader.object(|reader, name| {
        if map.insert(name.to_owned(), reader.optional_string()?.into_owned()).is_some() {
            return Err(Error::invalid("a second member of this name"));
        }
        Ok(())
    })?;
    Ok(map)
}
