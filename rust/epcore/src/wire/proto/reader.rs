//! A pull reader of protobuf: fields, their numbers and where they are.

use std::str::Utf8Error;

use crate::Error;

/// A position in one message of a document.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    /// The document up to the end of the message, so that places are those of the document.
    bytes: &'a [u8],
    position: usize,
}

/// One field as it is in the document.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    value: Value<'a>,
    /// Where the field and where its value begins.
    start: usize,
    at: usize,
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed,
}

impl<'a> Reader<'a> {
    /// A reader of the message that is the document from `position` on.
    pub(super) fn new(bytes: &'a [u8], position: usize) -> Self {
        Self { bytes, position }
    }

    /// Where the reader is.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Go to a place, which is the beginning or the end of a field of this message.
    pub(super) fn jump(&mut self, position: usize) {
        self.position = position;
    }

    /// What is left of the message.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.position..]
    }

    /// The next field, `None` at the end of the message.
    #[inline]
    pub(super) fn field(&mut self) -> Result<Option<Field<'a>>, Error> {
        let start = self.position;
        if start >= self.bytes.len() {
            return Ok(None);
        }
        let tag = self.number()?;
        let number = u32::try_from(tag >> 3).unwrap_or(0);
        if number == 0 || number >= 1 << 29 {
            return Err(Error::invalid(format!("{} is no number of a field", tag >> 3)).at(start));
        }
        let mut at = self.position;
        let value = match tag & 7 {
            0 => Value::Number(self.number()?),
            2 => {
                let length = self.number()?;
                at = self.position;
                Value::Bytes(self.take(length).map_err(|error| error.at(start))?)
            }
            1 | 5 => {
                self.take(if tag & 7 == 1 { 8 } else { 4 }).map_err(|error| error.at(start))?;
                Value::Fixed
            }
            other => return Err(Error::invalid(format!("wire type {other}, which Kubernetes does not use")).at(start)),
        };
        Ok(Some(Field { number, value, start, at }))
    }

    #[inline]
    fn take(&mut self, length: u64) -> Result<&'a [u8], Error> {
        let left = self.bytes.len() - self.position;
        let length = usize::try_from(length).ok().filter(|length| *length <= left).ok_or_else(|| {
            Error::invalid(format!("a field of {length} bytes, where only {left} are left")).at(self.position)
        })?;
        let from = self.position;
        self.position += length;
        Ok(&self.bytes[from..self.position])
    }

    #[inline]
    fn number(&mut self) -> Result<u64, Error> {
        match self.bytes.get(self.position) {
            Some(&byte) if byte < 0x80 => {
                self.position += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_number(),
        }
    }

    /// A number of more than seven bits, and those that are wrong.
    fn long_number(&mut self) -> Result<u64, Error> {
        let start = self.position;
        let mut number = 0;
        for (index, &byte) in self.bytes[start..].iter().take(10).enumerate() {
            if index == 9 && byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.position = start + index + 1;
                return Ok(number);
            }
        }
        let message =
            if self.bytes.len() - start < 10 { "a number has no end" } else { "a number of more than 64 bits" };
        Err(Error::invalid(message).at(start))
    }
}

impl<'a> Field<'a> {
    /// Where it begins in the document.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// Where its value is in the document.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The bytes of the whole field in its document.
    pub(super) fn raw<'d>(&self, document: &'d [u8]) -> &'d [u8] {
        let end = match self.value {
            Value::Bytes(bytes) => self.at + bytes.len(),
            Value::Number(_) | Value::Fixed => {
                let mut reader = Reader::new(document, self.start);
                let _ = reader.field();
                reader.position
            }
        };
        &document[self.start..end]
    }

    #[cold]
    fn expected(&self, what: &str) -> Error {
        let found = match self.value {
            Value::Number(_) => "a number",
            Value::Bytes(_) => "bytes",
            Value::Fixed => "a number of fixed size",
        };
        Error::invalid(format!("expected {what}, found {found}")).at(self.start)
    }

    pub(super) fn bytes(&self) -> Result<&'a [u8], Error> {
        if let Value::Bytes(bytes) = self.value { Ok(bytes) } else { Err(self.expected("bytes")) }
    }

    /// The bytes as text.
    #[inline]
    pub(super) fn text(&self) -> Result<&'a str, Error> {
        let Value::Bytes(bytes) = self.value else { return Err(self.expected("text")) };
        let not_text = |error: Utf8Error| Error::invalid("not UTF-8").at(self.at + error.valid_up_to());
        // The fast check does not tell where the trouble is.
        simdutf8::basic::from_utf8(bytes).or_else(|_| std::str::from_utf8(bytes)).map_err(not_text)
    }

    /// The same, taken out of the text of a whole message, which is checked only once.
    #[inline]
    pub(super) fn text_of(&self, message: Option<(&'a str, usize)>) -> Result<&'a str, Error> {
        if let (Value::Bytes(bytes), Some((text, start))) = (self.value, message)
            && let Some(text) = text.get(self.at - start..self.at - start + bytes.len())
        {
            return Ok(text);
        }
        self.text()
    }

    /// A whole number. Negative ones have 64 bits, whatever the size of the field.
    pub(super) fn number(&self) -> Result<i64, Error> {
        if let Value::Number(number) = self.value { Ok(number.cast_signed()) } else { Err(self.expected("a number")) }
    }

    pub(super) fn boolean(&self) -> Result<bool, Error> {
        self.number().map(|number| number != 0)
    }

    /// A reader of the message that the field has.
    #[inline]
    pub(super) fn message(&self, document: &'a [u8]) -> Result<Reader<'a>, Error> {
        let Value::Bytes(bytes) = self.value else { return Err(self.expected("a message")) };
        Ok(Reader { bytes: &document[..self.at + bytes.len()], position: self.at })
    }
}

impl<'a> Reader<'a> {
    /// The document, up to the end of this message.
    #[inline]
    pub(super) fn document(&self) -> &'a [u8] {
        self.bytes
    }

    /// One call of `visit` for each field. Errors in it are placed at the field.
    #[inline]
    pub(super) fn fields(mut self, mut visit: impl FnMut(Field<'a>) -> Result<(), Error>) -> Result<(), Error> {
        while let Some(field) = self.field()? {
            visit(field)?;
        }
        Ok(())
    }
}

/// Which fields a message has had. Protobuf lets the last of several count; Kubernetes never writes several, and what does is mistaken.
#[derive(Default)]
pub(super) struct Seen(u32);

impl Seen {
    /// Note a field that may be there once, of a number below 32.
    #[inline]
    pub(super) fn once(&mut self, field: &Field<'_>) -> Result<(), Error> {
        let bit = 1u32.checked_shl(field.number).unwrap_or(0);
        if self.0 & bit != 0 {
            return Err(second(field));
        }
        self.0 |= bit;
        Ok(())
    }
}

#[cold]
pub(super) fn second(field: &Field<'_>) -> Error {
    Error::invalid("a second field of this name").at(field.start)
}
