//! One write of a plan, and why it is made.

use crate::pack::LateSlice;

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Make a slice.
    Create,
    /// Replace a slice (PUT).
    Update,
    /// Delete a slice.
    Delete,
}

impl Verb {
    /// `create`, `update` or `delete`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// One reason for a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WriteReason {
    /// Endpoints come in.
    EndpointsAdded,
    /// The content of endpoints changed.
    EndpointsUpdated,
    /// Endpoints are no longer wanted.
    EndpointsRemoved,
    /// Endpoints come from or go to another slice.
    EndpointsMoved,
    /// Endpoints were held more than once.
    Duplicates,
    /// The slice held more than it may.
    Overfull,
    /// Labels are not those of the template.
    Metadata,
    /// Ports or Service are not those of the group; the slice is rewritten in place.
    Ports,
    /// Nothing is left in the slice.
    Emptied,
    /// The slice has other ports, another address type or another Service and gives way to new ones.
    Replaced,
    /// A further write for readers that keep one flat set.
    Touch,
    /// A further write, so that an address leaves its old target before it comes back.
    AddressReuse,
    /// Hints changed, and nothing else.
    Hints,
    /// A slice that only says that there are no endpoints.
    Placeholder,
}

impl WriteReason {
    const ALL: [(Self, &'static str); 14] = [
        (Self::EndpointsAdded, "endpoints-added"),
        (Self::EndpointsUpdated, "endpoints-updated"),
        (Self::EndpointsRemoved, "endpoints-removed"),
        (Self::EndpointsMoved, "endpoints-moved"),
        (Self::Duplicates, "duplicates"),
        (Self::Overfull, "overfull"),
        (Self::Metadata, "metadata"),
        (Self::Ports, "ports"),
        (Self::Emptied, "emptied"),
        (Self::Replaced, "replaced"),
        (Self::Touch, "touch"),
        (Self::AddressReuse, "address-reuse"),
        (Self::Hints, "hints"),
        (Self::Placeholder, "placeholder"),
    ];
}

/// A set of reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct WriteReasons(u16);

impl WriteReasons {
    pub(crate) fn with(mut self, reason: WriteReason, holds: bool) -> Self {
        self.0 |= u16::from(holds) << reason as u16;
        self
    }

    /// True if the reason is one of the set.
    #[must_use]
    pub fn contains(self, reason: WriteReason) -> bool {
        self.0 >> reason as u16 & 1 == 1
    }

    /// True if no other reason is one of the set.
    pub(crate) fn is_only(self, reasons: &[WriteReason]) -> bool {
        reasons.iter().fold(self.0, |left, &reason| left & !(1 << reason as u16)) == 0
    }

    /// The words for the reasons, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        WriteReason::ALL.into_iter().filter(move |(reason, _)| self.contains(*reason)).map(|(_, name)| name)
    }
}

/// One API call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// What to do.
    pub verb: Verb,
    /// The object to send, by [`write_slice`](crate::wire::json::write_slice) of either format; for a delete its last known state.
    pub slice: LateSlice,
    /// Why.
    pub reasons: WriteReasons,
    /// Which of the slices it is: those before the plan come first, created ones after them.
    pub(crate) slot: usize,
}

impl std::fmt::Display for Write {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let metadata = self.slice.metadata();
        let name = if metadata.name.is_empty() { &metadata.generate_name } else { &metadata.name };
        let open = if metadata.name.is_empty() { "*" } else { "" };
        let reasons: Vec<&str> = self.reasons.names().collect();
        let count = self.slice.endpoint_count();
        let plural = if count == 1 { "" } else { "s" };
        write!(formatter, "{} {name}{open} ({count} endpoint{plural}: {})", self.verb.as_str(), reasons.join(", "))
    }
}
