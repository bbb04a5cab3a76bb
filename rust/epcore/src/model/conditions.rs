//! `EndpointConditions`, three optional truths in one byte.

/// Ready, serving, terminating; each may be unset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Conditions(u8);

const READY: u8 = 0;
const SERVING: u8 = 2;
const TERMINATING: u8 = 4;

impl Conditions {
    /// Conditions from their three values.
    #[must_use]
    pub fn new(ready: Option<bool>, serving: Option<bool>, terminating: Option<bool>) -> Self {
        Self(encode(ready) << READY | encode(serving) << SERVING | encode(terminating) << TERMINATING)
    }

    /// `ready`, if set.
    #[must_use]
    pub fn ready(self) -> Option<bool> {
        decode(self.0 >> READY)
    }

    /// `serving`, if set.
    #[must_use]
    pub fn serving(self) -> Option<bool> {
        decode(self.0 >> SERVING)
    }

    /// `terminating`, if set.
    #[must_use]
    pub fn terminating(self) -> Option<bool> {
        decode(self.0 >> TERMINATING)
    }

    /// What a reader must take an unset `ready` for: true.
    #[must_use]
    pub fn is_ready(self) -> bool {
        self.ready().unwrap_or(true)
    }

    /// What a reader must take an unset `serving` for: true.
    #[must_use]
    pub fn is_serving(self) -> bool {
        self.serving().unwrap_or(true)
    }

    /// What a reader must take an unset `terminating` for: false.
    #[must_use]
    pub fn is_terminating(self) -> bool {
        self.terminating().unwrap_or(false)
    }

    /// The same conditions with every unset one given its meaning.
    #[must_use]
    pub fn with_defaults(self) -> Self {
        Self::new(Some(self.is_ready()), Some(self.is_serving()), Some(self.is_terminating()))
    }

    pub(crate) fn is_unset(self) -> bool {
        self.0 == 0
    }

    /// A number for each of the conditions that there can be.
    pub(crate) fn bits(self) -> u8 {
        self.0
    }
}

fn encode(value: Option<bool>) -> u8 {
    match value {
        None => 0,
        Some(false) => 1,
        Some(true) => 2,
    }
}

fn decode(bits: u8) -> Option<bool> {
    match bits & 3 {
        1 => Some(false),
        2 => Some(true),
        _ => None,
    }
}
