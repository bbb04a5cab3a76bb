//! Two sets of slices -> what changed for each endpoint.
//!
//! `pairs` finds what is the same on both sides, `settled` tells what changed in place, `suspects` finds what must be looked for, `fold` the one
//! entry that counts for each key, `mask` says which fields are a change, `tally` counts for each service port, `delta` is the result.

mod delta;
mod filter;
mod fold;
mod groups;
mod held;
mod key;
#[cfg(test)]
mod laws;
mod mask;
mod pairs;
mod settled;
mod suspects;
mod tally;
mod transition;

pub use delta::{Change, Delta, Outcome, TriggerTime};
pub(crate) use fold::Fold;
pub(crate) use held::Held;
pub use key::Key;
pub(crate) use key::{Place, Port, port_of, precedence, side};
pub use mask::{Fields, Reason, Reasons};
pub use transition::Transition;
pub(crate) use transition::{Counts, ServicePort};

use std::sync::Arc;

use crate::model::EndpointSlice;

/// Options of [`diff`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What makes two endpoints the same.
    pub key: Key,
    /// Which fields are a change.
    pub fields: Fields,
}

/// Tell what changed for each endpoint from one set of slices to another, of one Service or of many.
///
/// An endpoint is one entry (for each port of its slice, with [`Key::AddressPort`]), whichever slice holds it and however often. It is
/// `removed` only if no slice holds it any more, and `moved` if nothing changed but the slice. The order of slices and of endpoints does not
/// count. Cost: O(n). Of slices that keep their names, a comparison of what stands at the same places, and a hash look-up for each endpoint that
/// came, went or is held twice; of others a look-up for each endpoint. Slices that are the same object are not compared, and Services of
/// which nothing changed cost no more than that.
///
/// # Examples
///
/// ```
/// use epcore::{diff::{Options, diff}, wire::json};
///
/// let before = json::read_slices(br#"{"addressType": "IPv4", "ports": [{"port": 80}],
///     "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}]}"#)?;
/// let after = json::read_slices(br#"{"addressType": "IPv4", "ports": [{"port": 80}],
///     "endpoints": [{"addresses": ["10.0.0.2"], "conditions": {"ready": true}}]}"#)?;
/// let delta = diff(&before, &after, Options::default());
/// assert_eq!(delta.removed().len(), 1);
/// assert!(delta.updated().is_empty(), "an unset ready is true");
/// # Ok::<(), epcore::Error>(())
/// ```
#[must_use]
pub fn diff(before: &[Arc<EndpointSlice>], after: &[Arc<EndpointSlice>], options: Options) -> Delta {
    Delta::between(before, after, options)
}
