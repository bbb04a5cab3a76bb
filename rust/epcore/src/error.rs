//! The one error type: what is wrong, where in the input, and at which byte.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// One step of a path into the input.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// A member of an object.
    Field(Cow<'static, str>),
    /// An item of an array, or a document of a stream.
    Index(usize),
}

/// What kind of trouble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The input is not what the API allows.
    InvalidInput,
    /// A limit is passed; both numbers are in the unit that the message names.
    Limit {
        /// The largest value allowed.
        limit: u64,
        /// The value found.
        actual: u64,
    },
}

/// An error of this crate.
///
/// # Examples
///
/// ```
/// let error = epcore::wire::json::read_slices(br#"[{"addressType": "IPv4", "endpoints": 7}]"#).unwrap_err();
/// assert_eq!(error.path(), "slices[0].endpoints");
/// assert_eq!(error.offset(), Some(38));
/// assert_eq!(error.message(), "expected an array, found a number");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    kind: ErrorKind,
    message: String,
    /// From the innermost step outwards, as the stack unwinds.
    steps: Vec<Segment>,
    offset: Option<usize>,
}

impl Error {
    /// An error about input that the API would not allow.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message.into())
    }

    /// An error about a limit that is passed; the message names the unit.
    pub fn limit(message: impl Into<String>, limit: usize, actual: usize) -> Self {
        Self::new(ErrorKind::Limit { limit: limit as u64, actual: actual as u64 }, message.into())
    }

    fn new(kind: ErrorKind, message: String) -> Self {
        Self(Box::new(Inner { kind, message, steps: Vec::new(), offset: None }))
    }

    /// Put the place of the error inside `field`.
    #[must_use]
    pub fn in_field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.0.steps.push(Segment::Field(field.into()));
        self
    }

    /// Put the place of the error inside item `index`.
    #[must_use]
    pub fn in_index(mut self, index: usize) -> Self {
        self.0.steps.push(Segment::Index(index));
        self
    }

    /// Set the byte at which the error was found, unless it is known already.
    #[must_use]
    pub fn at(mut self, offset: usize) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// The same error without a byte offset, for input that was not bytes.
    #[must_use]
    pub fn without_offset(mut self) -> Self {
        self.0.offset = None;
        self
    }

    /// The same error in a document that is called `root`, for example `before` instead of `slices`. What is no item of the document is below it:
    /// `before.kind`.
    #[must_use]
    pub fn with_root(mut self, root: &'static str) -> Self {
        const ITEMS: [&str; 4] = ["slices", "objects", "events", "endpoints"];
        match self.0.steps.last_mut() {
            Some(Segment::Field(field)) if ITEMS.contains(&&**field) => *field = Cow::Borrowed(root),
            _ => self = self.in_field(root),
        }
        self
    }

    /// The same error without the two outermost steps of its path, the list that it is in and its number there.
    #[must_use]
    pub(crate) fn without_root(mut self) -> Self {
        let left = self.0.steps.len().saturating_sub(2);
        self.0.steps.truncate(left);
        self
    }

    /// The same error without the number of the item in a list of one.
    #[must_use]
    pub(crate) fn without_index(mut self) -> Self {
        let steps = &mut self.0.steps;
        if let [.., Segment::Index(_), Segment::Field(_)] = &**steps {
            steps.remove(steps.len() - 2);
        }
        self
    }

    /// What kind of trouble it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What is wrong, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What is wrong, without the place but with the numbers of a limit.
    #[must_use]
    pub fn told(&self) -> String {
        match self.0.kind {
            ErrorKind::InvalidInput => self.0.message.clone(),
            ErrorKind::Limit { limit, actual } => format!("{} (limit {limit}, actual {actual})", self.0.message),
        }
    }

    /// The byte of the input at which the error was found.
    #[must_use]
    pub fn offset(&self) -> Option<usize> {
        self.0.offset
    }

    /// The steps of the path, outermost first.
    #[must_use]
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.0.steps.iter().rev()
    }

    /// The place in the input, for example `slices[3].endpoints[0].addresses[0]`.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = String::new();
        for segment in self.segments() {
            match segment {
                Segment::Field(field) if is_plain(field) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(field);
                }
                Segment::Field(field) => drop(write!(path, "[{field:?}]")),
                Segment::Index(index) => drop(write!(path, "[{index}]")),
            }
        }
        path
    }
}

/// A field that needs no quotes in a path; label keys such as `kubernetes.io/service-name` do.
fn is_plain(field: &str) -> bool {
    !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        formatter.write_str(if path.is_empty() { "input" } else { &path })?;
        if let Some(offset) = self.0.offset {
            write!(formatter, " (byte {offset})")?;
        }
        write!(formatter, ": {}", self.told())
    }
}

impl std::error::Error for Error {}
