//! The values of a Pod that may differ from Pod to Pod, where they are in its message.

use std::ops::Range;

use crate::wire::proto::checked::condition;
use crate::wire::proto::parts::{Part, Parts};
use crate::wire::proto::schema::{Kind, Message, OBJECT_META};

/// What a value says.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Says {
    Name,
    Uid,
    Version,
    Deletion,
    NodeName,
    Hostname,
    ReadySince,
    Ip(usize),
    Label(Box<str>),
    /// Nothing that matters here, and it is a text, a time, JSON or a number.
    Text,
    Time,
    Json,
    Number,
    /// Nothing that anybody looks at.
    Bytes,
    /// What the values in it say, which follow.
    Message,
}

/// One of them.
#[derive(Clone)]
pub(super) struct Value {
    pub(super) says: Says,
    /// Where what says how long it is begins: after the tag. Of a number that is the number.
    pub(super) start: usize,
    pub(super) place: Range<usize>,
    pub(super) differs: bool,
}

/// Most values to look at in a Pod.
const MOST_VALUES: usize = 256;

/// Messages of a Pod.
#[derive(Clone, Copy)]
enum Level<'m> {
    Pod,
    Metadata,
    Label(&'m str),
    Annotation,
    Checked(&'static Message),
    Json,
    Spec,
    Container,
    Status,
    Condition { is_ready: bool },
    Address,
}

/// How a field is taken.
enum Taken<'m> {
    /// As it is.
    Whole,
    Value(Says),
    Within(Level<'m>),
}

#[derive(Default)]
pub(super) struct Values {
    all: Vec<Value>,
    addresses: usize,
    /// Which value is `status.podIP`.
    pod_ip: Option<usize>,
    is_ready_seen: bool,
}

impl Values {
    /// The values of a Pod that was read, in order.
    pub(super) fn of(pod: &[u8]) -> Option<Vec<Value>> {
        let mut values = Self::default();
        values.walk(pod, 0, Level::Pod)?;
        if let Some(value) = values.pod_ip.and_then(|which| values.all.get_mut(which))
            && values.addresses > 0
        {
            // The others count more.
            value.says = Says::Text;
        }
        Some(values.all)
    }

    fn walk(&mut self, message: &[u8], base: usize, level: Level<'_>) -> Option<()> {
        let mut parts = Parts(message);
        while !parts.is_empty() {
            let rest = parts.0;
            let part = parts.next()?;
            let tag = rest.iter().position(|byte| *byte < 0x80)? + 1;
            let start = base + message.len() - rest.len() + tag;
            let end = base + message.len() - parts.0.len();
            let length = part.bytes().map(<[u8]>::len);
            let place = length.map_or(start, |length| end - length)..end;
            let (says, inner) = match self.taken(level, &part)? {
                Taken::Value(says) => (says, None),
                Taken::Within(level) => (Says::Message, Some(level)),
                Taken::Whole => continue,
            };
            if self.all.len() < MOST_VALUES {
                let differs = says.is_of_one();
                self.all.push(Value { says, start, place: place.clone(), differs });
            }
            if let Some(level) = inner {
                self.walk(part.bytes()?, place.start, level)?;
            }
        }
        Some(())
    }

    fn taken<'m>(&mut self, level: Level<'m>, part: &Part<'m>) -> Option<Taken<'m>> {
        let says = match (level, part.number) {
            (Level::Pod, 1) => return Some(Taken::Within(Level::Metadata)),
            (Level::Pod, 2) => return Some(Taken::Within(Level::Spec)),
            (Level::Pod, 3) => return Some(Taken::Within(Level::Status)),
            (Level::Metadata, 1) => Says::Name,
            (Level::Metadata, 5) => Says::Uid,
            (Level::Metadata, 6) => Says::Version,
            (Level::Metadata, 9) => Says::Deletion,
            (Level::Metadata, 11) => {
                let [key] = part.message()?.each([1], Part::text)?;
                return Some(Taken::Within(Level::Label(key)));
            }
            (Level::Label(key), 2) => Says::Label(key.into()),
            (Level::Metadata, 12) => return Some(Taken::Within(Level::Annotation)),
            (Level::Annotation, 2) => Says::Text,
            (Level::Metadata, number) if number != 3 => return checked(&OBJECT_META, part),
            (Level::Checked(message), _) => return checked(message, part),
            (Level::Json, 1) => Says::Json,
            (Level::Spec, 10) => Says::NodeName,
            (Level::Spec, 16) => Says::Hostname,
            (Level::Spec, 2 | 20) => return Some(Taken::Within(Level::Container)),
            (Level::Status, 2) => {
                let is_ready = !self.is_ready_seen && condition(part.message()?)?.0 == b"Ready";
                self.is_ready_seen |= is_ready;
                return Some(Taken::Within(Level::Condition { is_ready }));
            }
            (Level::Condition { is_ready }, 4) => {
                if is_ready {
                    Says::ReadySince
                } else {
                    Says::Time
                }
            }
            (Level::Status, 12) => {
                self.addresses += 1;
                return Some(Taken::Within(Level::Address));
            }
            // An empty address is none, and has no place.
            (Level::Status, 6) if !part.bytes()?.is_empty() => {
                self.pod_ip = Some(self.all.len());
                Says::Ip(0)
            }
            (Level::Address, 1) if !part.bytes()?.is_empty() => Says::Ip(self.addresses - 1),
            (Level::Metadata, _)
            | (Level::Label(_) | Level::Annotation | Level::Address, 1)
            | (Level::Spec, 17)
            | (Level::Container, 6 | 24)
            | (Level::Status, 1 | 6)
            | (Level::Condition { .. }, 1 | 2) => return Some(Taken::Whole),
            _ => return Some(Taken::Value(ignored(part))),
        };
        Some(Taken::Value(says))
    }
}

/// A field that nobody looks at.
fn ignored(part: &Part<'_>) -> Says {
    if part.bytes().is_some() { Says::Bytes } else { Says::Number }
}

/// A field of a message that says nothing about endpoints.
fn checked<'m>(message: &Message, part: &Part<'_>) -> Option<Taken<'m>> {
    let which = message.numbered(part.number.try_into().ok()?);
    let Some(entry) = which.and_then(|which| message.0.get(which)) else {
        return Some(Taken::Value(ignored(part)));
    };
    Some(match entry.kind {
        Kind::Text => Taken::Value(Says::Text),
        Kind::Boolean | Kind::Number => Taken::Value(Says::Number),
        Kind::Time => Taken::Value(Says::Time),
        Kind::Json => Taken::Within(Level::Json),
        Kind::Message(inner) => Taken::Within(Level::Checked(inner)),
        Kind::NumberOrText | Kind::Quantity => return None,
    })
}

impl Says {
    /// True of what is another in each Pod.
    fn is_of_one(&self) -> bool {
        matches!(self, Self::Name | Self::Uid | Self::Version | Self::NodeName | Self::Ip(_))
    }
}
