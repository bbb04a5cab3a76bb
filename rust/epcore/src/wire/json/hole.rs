//! The values of a Pod: what each says, and where it is.

use std::ops::Range;
use std::sync::Arc;

use crate::kube::Pod;
use crate::wire::json::reader::{Reader, is_plain, plain_length};

/// Bytes of a text whose end it takes no more to find than to look for where it was.
const SHORT: usize = 16;

/// What a value says.
#[derive(Clone)]
pub(super) enum Field {
    Name,
    Uid,
    Version,
    Deletion,
    NodeName,
    Hostname,
    ReadySince,
    Ip(usize),
    Label(Box<str>),
    /// Nothing that matters here, and it is a text.
    Text,
    /// The same of a text with escapes, which may be the name of a member.
    Spelled,
    /// The same of a whole number or a truth.
    Word,
}

/// A value that differs from Pod to Pod.
#[derive(Clone)]
pub(super) struct Hole {
    pub(super) field: Field,
    /// Where it is in the likeness.
    pub(super) place: Range<usize>,
    /// Where it is in the Pod that was compared last.
    pub(super) at: usize,
    pub(super) length: usize,
}

impl Hole {
    pub(super) fn new(field: Field, place: Range<usize>) -> Self {
        Self { field, length: place.len(), place, at: 0 }
    }

    pub(super) fn start(&self) -> usize {
        self.place.start
    }

    /// Take the value that begins at `at`; the answer is where it ends. What is behind it is for the next literal to look at.
    #[inline]
    pub(super) fn fill(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        self.at = at;
        if matches!(self.field, Field::Word) {
            self.length = word_length(&bytes[at..])?;
        } else if matches!(self.field, Field::Spelled) {
            self.length = Reader::spelled_length(bytes, at)?;
        } else if self.length < SHORT || !is_plain(bytes, at, self.length) {
            self.length = plain_length(&bytes[at..]);
        }
        Some(at + self.length)
    }
}

/// How long a truth or a whole number is.
pub(super) fn word_length(bytes: &[u8]) -> Option<usize> {
    for word in [&b"true"[..], b"false"] {
        if bytes.starts_with(word) {
            return Some(word.len());
        }
    }
    digits_length(bytes)
}

/// How many digits a whole number has.
pub(super) fn digits_length(bytes: &[u8]) -> Option<usize> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits == 1 || digits > 1 && bytes[0] != b'0').then_some(digits)
}

impl Field {
    pub(super) fn set(&self, pod: &mut Pod, value: &str) {
        let target = match self {
            Self::Name => &mut pod.name,
            Self::Uid => &mut pod.uid,
            Self::Version => &mut pod.resource_version,
            Self::Deletion => &mut pod.deletion_timestamp,
            Self::NodeName => &mut pod.node_name,
            Self::Hostname => &mut pod.hostname,
            Self::ReadySince => &mut pod.ready_since,
            Self::Ip(number) => match pod.ips.get_mut(*number) {
                Some(ip) => ip,
                None => return,
            },
            Self::Label(key) => {
                Arc::make_mut(&mut pod.labels).insert((**key).to_owned(), value.to_owned());
                return;
            }
            Self::Text | Self::Spelled | Self::Word => return,
        };
        *target = value.into();
    }
}

/// The place after a text, if it is at `at`.
#[inline]
pub(super) fn after(text: &[u8], bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..)?.starts_with(text).then_some(at + text.len())
}
