//! Fields that most slices of a list have alike: labels and ports.

use crate::Error;
use crate::model::Shared;
use crate::wire::proto::reader::{Field, Reader};

/// The fields of one number that were read last, one behind the other, and what they say. Others with the same bytes say the same.
#[derive(Default)]
pub(super) struct Again<'a, T> {
    bytes: &'a [u8],
    value: Shared<T>,
    /// True if none are remembered.
    is_plain: bool,
}

impl<'a, T: Clone + Default> Again<'a, T> {
    pub(super) fn new(is_plain: bool) -> Self {
        Self { is_plain, ..Self::default() }
    }

    /// Add to a value what a field says that was just read; if it is the first one, also those of its number that are right behind it.
    pub(super) fn read(
        &mut self,
        reader: &mut Reader<'a>,
        first: &Field<'a>,
        value: &mut Option<Shared<T>>,
        mut add: impl FnMut(&mut T, &Field<'a>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if let Some(value) = value {
            return add(value, first);
        }
        let fields = &reader.document()[first.start()..];
        if !self.bytes.is_empty() && fields.starts_with(self.bytes) {
            let mut after = *reader;
            after.jump(first.start() + self.bytes.len());
            if next(after, first.number).is_none() {
                *reader = after;
                *value = Some(self.value.clone());
                return Ok(());
            }
        }
        let mut made = T::default();
        add(&mut made, first)?;
        while let Some((field, after)) = next(*reader, first.number) {
            *reader = after;
            add(&mut made, &field)?;
        }
        let made = value.insert(made.into());
        if !self.is_plain {
            (self.bytes, self.value) = (&fields[..reader.position() - first.start()], made.clone());
        }
        Ok(())
    }
}

/// The next field, if it is one of this number, and the reader behind it.
fn next(mut reader: Reader<'_>, number: u32) -> Option<(Field<'_>, Reader<'_>)> {
    let field = reader.field().ok().flatten()?;
    (field.number == number).then_some((field, reader))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What fields of number 3 say; true if they were read.
    fn read<'a>(again: &mut Again<'a, Vec<i64>>, message: &'a [u8]) -> (Result<Shared<Vec<i64>>, Error>, bool) {
        let (mut reader, mut value, mut was_read) = (Reader::new(message, 0), None, false);
        let mut each = || {
            while let Some(field) = reader.field()? {
                if field.number == 3 {
                    again.read(&mut reader, &field, &mut value, |numbers, field| {
                        was_read = true;
                        numbers.push(field.number()?);
                        Ok(())
                    })?;
                }
            }
            Ok(())
        };
        let outcome = each();
        (outcome.map(|()| value.unwrap_or_default()), was_read)
    }

    const ONE_AND_TWO: &[u8] = &[24, 1, 24, 2];

    #[test]
    fn the_same_fields_are_the_same_value() {
        let mut again = Again::new(false);
        let (first, was_read) = read(&mut again, ONE_AND_TWO);
        assert!(was_read);
        for same in [ONE_AND_TWO, &[8, 7, 24, 1, 24, 2, 8, 7]] {
            let (value, was_read) = read(&mut again, same);
            assert!(!was_read && value.unwrap().is_copy_of(first.as_ref().unwrap()));
        }
    }

    #[test]
    fn more_fields_fewer_or_others_are_read() {
        let others: [(&[u8], &[i64]); 6] = [
            (&[24, 1, 24, 2, 24, 3], &[1, 2, 3]),
            (&[24, 1, 24, 2, 8, 7, 24, 3], &[1, 2, 3]),
            (&[24, 1, 8, 7, 24, 2], &[1, 2]),
            (&[24, 1], &[1]),
            (&[24, 1, 24, 3], &[1, 3]),
            (&[152, 0, 1, 24, 2], &[1, 2]),
        ];
        for (other, numbers) in others {
            let mut again = Again::new(false);
            assert_eq!(**read(&mut again, ONE_AND_TWO).0.as_ref().unwrap(), [1, 2]);
            let (value, was_read) = read(&mut again, other);
            assert!(was_read, "{other:?}");
            assert_eq!(*value.unwrap(), numbers, "{other:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_not_remembered_nor_what_is_read_plainly() {
        let mut again = Again::new(false);
        assert!(read(&mut again, &[26, 0]).0.is_err());
        assert!(read(&mut again, &[26, 0]).0.is_err());
        assert!(read(&mut again, &[24, 1, 24]).0.is_err());
        let mut again = Again::new(true);
        assert!(read(&mut again, ONE_AND_TWO).1);
        assert!(read(&mut again, ONE_AND_TWO).1);
    }
}
