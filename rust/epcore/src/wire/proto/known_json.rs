//! The JSON of messages that come again: who owns an object.

use crate::Error;
use crate::wire::proto::reader::Field;

/// What was written of the last such messages, which are all of one kind.
#[derive(Default)]
pub(super) struct KnownJson<'a> {
    /// Each with its JSON.
    known: Vec<(&'a [u8], Box<[u8]>)>,
    oldest: usize,
    /// True if none are remembered.
    is_plain: bool,
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

    /// Write what a message says: by `write`, if it is not known.
    pub(super) fn write(
        &mut self,
        out: &mut Vec<u8>,
        field: &Field<'a>,
        write: impl FnOnce(&mut Vec<u8>, &mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let bytes = field.bytes()?;
        if let Some((_, json)) = self.known.iter().find(|(known, _)| *known == bytes) {
            out.extend_from_slice(json);
            return Ok(());
        }
        let start = out.len();
        write(out, self)?;
        if self.is_plain {
            return Ok(());
        }
        let written = (bytes, out[start..].into());
        if self.known.len() < MOST {
            self.known.push(written);
        } else {
            self.known[self.oldest] = written;
            self.oldest = (self.oldest + 1) % MOST;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::proto::reader::Reader;

    /// What is written of a field; true if it was not known.
    fn write<'a>(known: &mut KnownJson<'a>, bytes: &'a [u8]) -> (Vec<u8>, bool) {
        let field = Reader::new(bytes, 0).field().unwrap().unwrap();
        let (mut out, mut was_written) = (b"before".to_vec(), false);
        let written = known.write(&mut out, &field, |out, _| {
            was_written = true;
            let bytes = field.bytes()?;
            if bytes.contains(&b'!') {
                return Err(Error::invalid("wrong"));
            }
            out.extend_from_slice(bytes);
            Ok(())
        });
        assert_eq!(written.is_err(), bytes.contains(&b'!'));
        (out, was_written)
    }

    #[test]
    fn what_was_written_is_written_again_without_a_look() {
        let mut known = KnownJson::default();
        for is_first in [true, false] {
            for (bytes, text) in [(b"\x0a\x02ab", "beforeab"), (b"\x12\x02cd", "beforecd")] {
                assert_eq!(write(&mut known, bytes), (text.as_bytes().to_vec(), is_first));
            }
        }
    }

    #[test]
    fn the_oldest_goes_and_what_is_wrong_is_not_remembered() {
        let texts: Vec<Vec<u8>> = (0..=MOST).map(|number| vec![0x0a, 1, u8::try_from(number).unwrap()]).collect();
        let mut known = KnownJson::default();
        assert!(write(&mut known, b"\x0a\x01!").1 && write(&mut known, b"\x0a\x01!").1);
        let written: Vec<bool> =
            texts.iter().chain(&texts[1..]).chain(&texts).map(|text| write(&mut known, text).1).collect();
        let expected = [vec![true; MOST + 1], vec![false; MOST], vec![true; MOST + 1]].concat();
        assert_eq!(written, expected);
        let mut plain = KnownJson::new(true);
        assert!(write(&mut plain, &texts[0]).1 && write(&mut plain, &texts[0]).1);
    }
}
