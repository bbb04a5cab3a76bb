//! Fields of a message that are asked for in the order of their numbers.

use crate::model::Conditions;

/// The number of the field of a slice that has endpoints.
pub(super) const ENDPOINTS: u8 = 2;

/// What is left of a message.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    #[inline]
    pub(super) fn begin_with(&self, number: u8) -> bool {
        const BYTES: u8 = 2;
        self.0.first() == Some(&(number << 3 | BYTES))
    }

    /// The bytes of a field, none if the next field is another one; `None` if it has no end, or a length of three bytes.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "the number is known where it is called, and the call is half of the work"
    )]
    pub(super) fn bytes(&mut self, number: u8) -> Option<&'a [u8]> {
        if !self.begin_with(number) {
            return Some(&[]);
        }
        let (length, rest) = match self.0 {
            [_, length @ 0..0x80, rest @ ..] => (usize::from(*length), rest),
            [_, low, high @ 0..0x80, rest @ ..] => (usize::from(low & 0x7f) | usize::from(*high) << 7, rest),
            _ => return None,
        };
        let bytes;
        (bytes, self.0) = rest.split_at_checked(length)?;
        Some(bytes)
    }
}

/// Conditions of a message that has each at most once, in order, and nothing else.
pub(super) fn conditions(mut message: &[u8]) -> Option<Conditions> {
    let mut condition = |number: u8| match message {
        [tag, value @ 0..=1, rest @ ..] if *tag == number << 3 => {
            message = rest;
            Some(*value == 1)
        }
        _ => None,
    };
    let conditions = Conditions::new(condition(1), condition(2), condition(3));
    message.is_empty().then_some(conditions)
}
