//! Values that most slices of a list have alike, such as labels and ports.

use crate::Error;
use crate::model::Shared;
use crate::wire::json::reader::Reader;

/// The value that was read last, and its text. A value with the same text is the same, and needs no reading.
pub(super) struct Again<T> {
    text: Vec<u8>,
    /// How many objects and arrays were around it: in more of them it could be too deep.
    depth: usize,
    value: Shared<T>,
}

/// Longest text to remember.
const LONGEST: usize = 2048;

impl<T: Clone + Default> Again<T> {
    pub(super) fn new() -> Self {
        Self { text: Vec::new(), depth: 0, value: Shared::default() }
    }

    /// Read an object or an array, or find that it is the one before.
    pub(super) fn read(
        &mut self,
        reader: &mut Reader<'_>,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, Error>,
    ) -> Result<Shared<T>, Error> {
        // Only what has an end of its own is not the beginning of a longer one.
        if !matches!(reader.peek(), Some(b'{' | b'[')) {
            return read(reader).map(Shared::from);
        }
        let (bytes, start, depth) = (reader.bytes(), reader.position(), reader.depth());
        if !self.text.is_empty() && depth <= self.depth && bytes[start..].starts_with(&self.text) {
            reader.jump(start + self.text.len());
            return Ok(self.value.clone());
        }
        let value = Shared::from(read(reader)?);
        let text = &bytes[start..reader.position()];
        if text.len() <= LONGEST {
            self.text.clear();
            self.text.extend_from_slice(text);
            (self.depth, self.value) = (depth, value.clone());
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(again: &mut Again<String>, text: &str) -> (Result<Shared<String>, Error>, bool) {
        read_from(again, &mut Reader::new(text))
    }

    /// The value, and true if it was read.
    fn read_from(again: &mut Again<String>, reader: &mut Reader<'_>) -> (Result<Shared<String>, Error>, bool) {
        let mut was_read = false;
        let value = again.read(reader, |reader| {
            was_read = true;
            reader.canonical()
        });
        (value, was_read)
    }

    #[test]
    fn the_same_text_is_the_same_value() {
        let mut again = Again::new();
        let (first, was_read) = read(&mut again, r#" {"a": 1}"#);
        assert!(was_read);
        let (second, was_read) = read(&mut again, r#"{"a": 1},"#);
        assert!(!was_read && second.unwrap().is_copy_of(&first.unwrap()));
        for other in [r#"{"a":1}"#, r#"{"a": 2}"#, r#"{"a": 1, "b": 2}"#, "null", "[]"] {
            let (value, was_read) = read(&mut again, other);
            assert!(was_read);
            assert_eq!(*value.unwrap(), crate::wire::json::canonical(other).unwrap());
        }
    }

    #[test]
    fn what_is_wrong_or_long_is_not_remembered() {
        let mut again = Again::new();
        assert!(read(&mut again, r#"{"a": 1"#).0.is_err());
        assert!(read(&mut again, r#"{"a": 1}"#).1);
        let long = format!("[{:LONGEST$}]", 1);
        assert!(read(&mut again, &long).1);
        assert!(read(&mut again, &long).1);
        assert!(!read(&mut again, r#"{"a": 1}"#).1);
    }

    #[test]
    fn what_may_be_too_deep_is_read() {
        let mut again = Again::new();
        assert!(read(&mut again, "[1]").1);
        let mut value = None;
        Reader::new("[[1]]")
            .array(|reader, _| {
                value = Some(read_from(&mut again, reader).0?);
                assert_eq!(reader.peek(), Some(b']'));
                Ok(())
            })
            .unwrap();
        assert!(read(&mut again, "[1]").0.unwrap().is_copy_of(&value.unwrap()));
    }
}
