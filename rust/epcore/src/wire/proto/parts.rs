//! The fields of messages as Kubernetes spells them: one after the other, or asked for in the order of their numbers. Whatever is spelled in another way, or is wrong, is `None`: a reader that tells errors reads it then.

/// What is left of a message.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a>(pub(super) &'a [u8]);

/// One field: bytes or a number, as its type says.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) number: u64,
    kind: u64,
    bytes: &'a [u8],
    value: u64,
}

/// Which fields a message has had.
#[derive(Default)]
pub(super) struct Seen(u32);

impl<'a> Parts<'a> {
    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next field; there must be one.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the call is half of the work")]
    pub(super) fn next(&mut self) -> Option<Part<'a>> {
        let (tag, first) = (self.number()?, self.number()?);
        let (number, kind, mut bytes) = (tag >> 3, tag & 7, &[][..]);
        if kind == 2 {
            (bytes, self.0) = self.0.split_at_checked(usize::try_from(first).ok()?)?;
        }
        let is_usual = matches!(kind, 0 | 2) && (1..1 << 29).contains(&number);
        is_usual.then_some(Part { number, kind, bytes, value: first })
    }

    /// True if the next field is bytes of this number.
    #[inline]
    pub(super) fn begin_with(&self, number: u8) -> bool {
        const BYTES: u8 = 2;
        self.0.first() == Some(&(number << 3 | BYTES))
    }

    /// The bytes of the field of this number, none if the next field is another one.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "the number is known where it is called, and the call is half of the work"
    )]
    pub(super) fn bytes(&mut self, number: u8) -> Option<&'a [u8]> {
        if !self.begin_with(number) {
            return Some(&[]);
        }
        self.0 = self.0.get(1..)?;
        let length = self.number()?;
        let bytes;
        (bytes, self.0) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        Some(bytes)
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the call is half of the work")]
    pub(super) fn number(&mut self) -> Option<u64> {
        let (number, rest) = match *self.0 {
            [one @ ..0x80, ref rest @ ..] => (u64::from(one), rest),
            [one, two @ ..0x80, ref rest @ ..] => (u64::from(one & 0x7f) | u64::from(two) << 7, rest),
            _ => self.long_number()?,
        };
        self.0 = rest;
        Some(number)
    }

    /// A number of more than 14 bits, and no more than 56.
    #[inline(never)]
    fn long_number(self) -> Option<(u64, &'a [u8])> {
        let length = self.0.iter().take(8).position(|byte| *byte < 0x80)? + 1;
        let (bytes, rest) = self.0.split_at(length);
        Some((bytes.iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f)), rest))
    }

    /// What `get` makes of some fields, of numbers below 32, each of which may be there once.
    #[inline]
    pub(super) fn each<const COUNT: usize, T: Copy + Default>(
        mut self,
        numbers: [u64; COUNT],
        get: impl Fn(&Part<'a>) -> Option<T>,
    ) -> Option<[T; COUNT]> {
        let (mut seen, mut found) = (Seen::default(), [T::default(); COUNT]);
        while !self.is_empty() {
            let part = self.next()?;
            if let Some(which) = numbers.iter().position(|number| *number == part.number) {
                found[which] = get(seen.once(&part)?)?;
            }
        }
        Some(found)
    }
}

impl<'a> Part<'a> {
    #[inline]
    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        (self.kind == 2).then_some(self.bytes)
    }

    #[inline]
    pub(super) fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// The bytes of a text of which nothing is kept: it costs less to see that it is one.
    #[inline]
    pub(super) fn word(&self) -> Option<&'a [u8]> {
        let bytes = self.bytes()?;
        (bytes.is_ascii() || std::str::from_utf8(bytes).is_ok()).then_some(bytes)
    }

    #[inline]
    pub(super) fn message(&self) -> Option<Parts<'a>> {
        self.bytes().map(Parts)
    }

    #[inline]
    pub(super) fn value(&self) -> Option<u64> {
        (self.kind == 0).then_some(self.value)
    }
}

impl Seen {
    /// The same field, of a number below 32, if it was not there before.
    #[inline]
    pub(super) fn once<'p, 'a>(&mut self, part: &'p Part<'a>) -> Option<&'p Part<'a>> {
        let bit = 1u32.checked_shl(u32::try_from(part.number).ok()?)?;
        let is_new = self.0 & bit == 0;
        self.0 |= bit;
        is_new.then_some(part)
    }
}
