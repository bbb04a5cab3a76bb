//! The JSON of messages that come again: who owns an object, and which of its fields somebody manages.

use crate::Error;
use crate::wire::proto::reader::Field;
use crate::wire::proto::schema::Message;

/// What was written of the last such messages.
#[derive(Default)]
pub(super) struct KnownJson<'a> {
    known: Vec<Written<'a>>,
    oldest: usize,
    /// True if none are remembered.
    is_plain: bool,
}

/// A message of the kind, or JSON within bytes where there is none.
struct Written<'a> {
    message: Option<&'static Message>,
    bytes: &'a [u8],
    json: Box<[u8]>,
}

/// Most of them to remember.
const MOST: usize = 8;

impl<'a> KnownJson<'a> {
    pub(super) fn new(is_plain: bool) -> Self {
        Self { is_plain, ..Self::default() }
    }

    /// True if none are remembered.
    pub(super) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Write what a field says: by `write`, if it is not known.
    pub(super) fn write(
        &mut self,
        out: &mut Vec<u8>,
        field: &Field<'a>,
        message: Option<&'static Message>,
        write: impl FnOnce(&mut Vec<u8>, &mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let bytes = field.bytes()?;
        if let Some(known) = self.known.iter().find(|known| known.is(message, bytes)) {
            out.extend_from_slice(&known.json);
            return Ok(());
        }
        let start = out.len();
        write(out, self)?;
        if self.is_plain {
            return Ok(());
        }
        let written = Written { message, bytes, json: out[start..].into() };
        if self.known.len() < MOST {
            self.known.push(written);
        } else {
            self.known[self.oldest] = written;
            self.oldest = (self.oldest + 1) % MOST;
        }
        Ok(())
    }
}

impl Written<'_> {
    fn is(&self, message: Option<&'static Message>, bytes: &[u8]) -> bool {
        let is_same = match (self.message, message) {
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        is_same && self.bytes == bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::proto::reader::Reader;
    use crate::wire::proto::schema::message_of;

    /// What is written of a field; true if it was not known.
    fn write<'a>(known: &mut KnownJson<'a>, bytes: &'a [u8], message: Option<&'static Message>) -> (Vec<u8>, bool) {
        let field = Reader::new(bytes, 0).field().unwrap().unwrap();
        let (mut out, mut was_written) = (b"before".to_vec(), false);
        let kind = if message.is_some() { b'm' } else { b'j' };
        let written = known.write(&mut out, &field, message, |out, _| {
            was_written = true;
            let bytes = field.bytes()?;
            if bytes.contains(&b'!') {
                return Err(Error::invalid("wrong"));
            }
            out.push(kind);
            out.extend_from_slice(bytes);
            Ok(())
        });
        assert_eq!(written.is_err(), bytes.contains(&b'!'));
        (out, was_written)
    }

    #[test]
    fn what_was_written_is_written_again_without_a_look() {
        let mut known = KnownJson::default();
        let messages = [None, message_of("Pod"), message_of("Node")];
        for (is_first, message) in [true, false].into_iter().flat_map(|first| messages.map(|message| (first, message)))
        {
            let kind = if message.is_some() { "m" } else { "j" };
            for text in ["ab", "cd"] {
                let bytes: &'static [u8] = if text == "ab" { b"\x0a\x02ab" } else { b"\x12\x02cd" };
                let (out, was_written) = write(&mut known, bytes, message);
                assert_eq!((out, was_written), (format!("before{kind}{text}").into_bytes(), is_first));
            }
        }
    }

    #[test]
    fn the_oldest_goes_and_what_is_wrong_is_not_remembered() {
        let texts: Vec<Vec<u8>> = (0..=MOST).map(|number| vec![0x0a, 1, u8::try_from(number).unwrap()]).collect();
        let mut known = KnownJson::default();
        assert!(write(&mut known, b"\x0a\x01!", None).1 && write(&mut known, b"\x0a\x01!", None).1);
        let written: Vec<bool> =
            texts.iter().chain(&texts[1..]).chain(&texts).map(|text| write(&mut known, text, None).1).collect();
        let expected = [vec![true; MOST + 1], vec![false; MOST], vec![true; MOST + 1]].concat();
        assert_eq!(written, expected);
        let mut plain = KnownJson::new(true);
        assert!(write(&mut plain, &texts[0], None).1 && write(&mut plain, &texts[0], None).1);
    }
}
