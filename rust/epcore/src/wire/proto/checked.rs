//! Fields of objects that say nothing about endpoints, and are looked at all the same, as the translation to JSON would.

use smol_str::SmolStr;

use crate::model::rfc3339;
use crate::wire::json;
use crate::wire::proto::parts::{Part, Parts, Seen};
use crate::wire::proto::schema::{Kind, Message, Presence};

/// What of it is known to be right.
#[derive(Default)]
pub(super) struct Checked<'a> {
    /// Texts that are JSON, the last one first.
    known: Vec<&'a [u8]>,
}

/// Most texts to remember that are JSON: who manages which fields is the same in many Pods.
const MOST_JSON: usize = 8;
/// Objects and arrays within each other in such a text. Deeper ones are left to the translation, as it matters how deep the document is around them.
const LEVELS: usize = 64;

impl<'a> Checked<'a> {
    /// Look at a field that says nothing about endpoints.
    pub(super) fn field(&mut self, message: &Message, part: &Part<'a>, seen: &mut Seen) -> Option<()> {
        let number = u32::try_from(part.number).ok()?;
        let Some(entry) = message.numbered(number).and_then(|which| message.0.get(which)) else { return Some(()) };
        match entry.presence {
            Presence::Map => return None,
            Presence::Repeated => {}
            _ => seen.once(part).map(drop)?,
        }
        match entry.kind {
            Kind::Text => part.word().map(drop),
            Kind::Boolean | Kind::Number => part.value().map(drop),
            Kind::Time => seconds(part.bytes()?).map(drop),
            Kind::Json => self.json(part.message()?.each([1], Part::bytes)?[0]),
            Kind::Message(inner) => self.message(inner, part.message()?),
            Kind::NumberOrText | Kind::Quantity => None,
        }
    }

    fn message(&mut self, message: &Message, mut parts: Parts<'a>) -> Option<()> {
        let mut seen = Seen::default();
        while !parts.is_empty() {
            self.field(message, &parts.next()?, &mut seen)?;
        }
        Some(())
    }

    /// Look at bytes that are JSON, or none.
    pub(super) fn json(&mut self, bytes: &'a [u8]) -> Option<()> {
        if bytes.is_empty() || self.known.contains(&bytes) {
            return Some(());
        }
        let text = std::str::from_utf8(bytes).ok()?;
        let mut inner = json::Reader::new(text).shallow(0, LEVELS);
        inner.canonical().ok()?;
        if inner.peek().is_some() {
            return None;
        }
        self.known.truncate(MOST_JSON - 1);
        self.known.insert(0, bytes);
        Some(())
    }
}

/// Kubernetes writes members in the order of their keys, so that none is there twice.
pub(super) fn rises<'a>(last: &mut Option<&'a [u8]>, key: &'a [u8]) -> Option<()> {
    let before = last.replace(key);
    before.is_none_or(|before| before < key).then_some(())
}

/// Its type, whether it is true, and the time since when it is what it is.
#[inline]
pub(super) fn condition(mut parts: Parts<'_>) -> Option<(&[u8], bool, &[u8])> {
    let (mut seen, mut kind, mut status, mut since) = (Seen::default(), &b""[..], &b""[..], &b""[..]);
    while !parts.is_empty() {
        let part = parts.next()?;
        match part.number {
            1 => kind = seen.once(&part)?.word()?,
            2 => status = seen.once(&part)?.word()?,
            4 => {
                since = seen.once(&part)?.bytes()?;
                seconds(since)?;
            }
            _ => {}
        }
    }
    Some((kind, status == b"True", since))
}

/// The seconds since 1970 of a time, which must be before the year 10,000.
#[inline]
pub(super) fn seconds(time: &[u8]) -> Option<u64> {
    const END: u64 = 253_402_300_800;
    let [seconds] = Parts(time).each([1], Part::value)?;
    (seconds < END).then_some(seconds)
}

/// RFC 3339, `""` if it is not set.
pub(super) fn rfc3339_of(time: &[u8]) -> Option<SmolStr> {
    if time.is_empty() { Some(SmolStr::default()) } else { rfc3339(seconds(time)?.try_into().ok()?).map(Into::into) }
}
