//! The choices a caller has.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::Error;
use crate::model::{EndpointSlice, MAX_ENDPOINTS, shorten, timestamp};
use crate::pack::Cohort;

/// Options of [`pack`](crate::pack::pack).
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// A slice without endpoints: namespace, name prefix, labels, owner references, ports and address type of the group. Left out, it is
    /// taken from the existing slices, which must then agree.
    pub template: Option<Arc<EndpointSlice>>,
    /// Annotations of the template are those of every slice, as its labels are, and slices that earlier owners of the same kind and name
    /// have left get the template's owners. Else both are for new slices only.
    pub whole_metadata: bool,
    /// Most endpoints in a slice, 1 to 1000.
    pub max_endpoints: usize,
    /// Largest JSON size of a slice in bytes.
    pub max_bytes: usize,
    /// How to choose among clean and new slices.
    pub policy: Policy,
    /// Which endpoints should share a slice where that costs no write.
    pub cohort: Cohort,
    /// Permission to move live endpoints.
    pub compaction: Option<Compaction>,
    /// What to do about an address that passes from one target to another.
    pub address_reuse: AddressReuse,
    /// What to do with slices that have other ports or another Service.
    pub replace: Replace,
    /// Names of new slices.
    pub naming: Naming,
    /// Names that no new slice may get, besides those of the slices given: of others beside them.
    pub names_taken: Arc<BTreeSet<String>>,
    /// Value of the trigger-time annotation of every slice written, RFC 3339. Without one it stays as it is, but of slices that are made by
    /// Kubernetes' rules ([`reconcile`](crate::kube::reconcile)), where it is taken away.
    pub trigger_time: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            template: None,
            whole_metadata: false,
            max_endpoints: 100,
            max_bytes: 1_500_000,
            policy: Policy::BALANCED,
            cohort: Cohort::Auto,
            compaction: None,
            address_reuse: AddressReuse::Ordered,
            replace: Replace::Safe,
            naming: Naming::Generate,
            names_taken: Arc::default(),
            trigger_time: None,
        }
    }
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), Error> {
        if !(1..=MAX_ENDPOINTS).contains(&self.max_endpoints) {
            let limit = if self.max_endpoints == 0 { 1 } else { MAX_ENDPOINTS };
            return Err(Error::limit("must be 1 to 1000", limit, self.max_endpoints).in_field("max_endpoints"));
        }
        self.policy.check().map_err(|error| error.in_field("policy"))?;
        self.compaction.map_or(Ok(()), Compaction::check).map_err(|error| error.in_field("compaction"))?;
        if let Some(time) = self.trigger_time.as_deref().filter(|time| timestamp(time).is_none()) {
            let message = format!("{:?} is no RFC 3339 time", shorten(time));
            return Err(Error::invalid(message).in_field("trigger_time"));
        }
        Ok(())
    }

    pub(crate) fn recycles(&self) -> bool {
        self.replace == Replace::Recycle || self.policy == Policy::Upstream
    }
}

/// How to choose among clean slices and new ones when the dirty ones are full.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Policy {
    /// Kubernetes' rule, count for count (upstream `reconcileByPortMapping`).
    Upstream,
    /// At the write floor: a clean slice is used rather than a new one unless it is fuller than this fraction of the maximum, 0.0 to 1.0.
    Threshold(f64),
    /// The cheapest plan by these prices, wherever that is.
    Prices(Prices),
    /// Endpoints that take no traffic may move to others that will change when they do.
    Lifecycle(Lifecycle),
}

impl Policy {
    /// Fewest slices, then fewest bytes.
    pub const DENSE: Self = Self::Threshold(1.0);
    /// The default: a quarter of room is worth a new slice.
    pub const BALANCED: Self = Self::Threshold(0.75);
    /// Fewest bytes: half of room is worth a new slice.
    pub const LEAN: Self = Self::Threshold(0.5);
    /// Fewest writes over a whole run, at about as many slices as Kubernetes keeps.
    pub const LIFECYCLE: Self = Self::Lifecycle(Lifecycle { spare: 0.0, moves: IdleMoves::NotReady });

    /// Check that plans can be made by its numbers, as all that plans does.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a threshold outside 0.0 to 1.0, and for a price or `spare` that is negative or not finite; with its name as path.
    ///
    /// # Examples
    ///
    /// ```
    /// use epcore::pack::Policy;
    ///
    /// assert!(Policy::Threshold(0.9).check().is_ok());
    /// assert_eq!(Policy::Threshold(90.0).check().unwrap_err().to_string(), "threshold: must be 0.0 to 1.0");
    /// ```
    pub fn check(self) -> Result<(), Error> {
        match self {
            Self::Threshold(threshold) if !(0.0..=1.0).contains(&threshold) => {
                Err(Error::invalid("must be 0.0 to 1.0").in_field("threshold"))
            }
            Self::Upstream | Self::Threshold(_) => Ok(()),
            Self::Prices(Prices { write, byte, watchers: _, slice }) => {
                [("write", write), ("byte", byte), ("slice", slice)].into_iter().try_for_each(check_amount)
            }
            Self::Lifecycle(Lifecycle { spare, moves: _ }) => check_amount(("spare", spare)),
        }
    }

    pub(crate) fn lifecycle(self) -> Option<Lifecycle> {
        if let Self::Lifecycle(lifecycle) = self { Some(lifecycle) } else { None }
    }
}

fn check_amount((name, amount): (&'static str, f64)) -> Result<(), Error> {
    if amount.is_finite() && amount >= 0.0 {
        return Ok(());
    }
    Err(Error::invalid("must be finite and not negative").in_field(name))
}

/// How [`Policy::Lifecycle`] weighs slices against bytes, and whom it may move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lifecycle {
    /// Density against bytes, 0 or more and finite: up to `(1 + spare) * ceil(staying / max)` slices a new one costs no more than its write, where those
    /// that leave or are not ready yet do not stay; above `(1 + spare) * ceil(endpoints / max) + 1` none is opened that could be done without,
    /// but one for what is leaving where nothing is new.
    pub spare: f64,
    /// Which endpoints may move.
    pub moves: IdleMoves,
}

/// Endpoints that no reader sends traffic to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdleMoves {
    /// Those that are not ready.
    NotReady,
    /// Those that do not serve either.
    NotServing,
}

/// Prices in any one currency. All are finite and not negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    /// One API write.
    pub write: f64,
    /// One byte sent to one watcher.
    pub byte: f64,
    /// Watchers of the slices.
    pub watchers: u32,
    /// One more slice kept.
    pub slice: f64,
}

/// Permission to move live endpoints so that `slices <= (1 + epsilon) * endpoints / max + 2` holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compaction {
    /// Slack, 0 or more, and finite.
    pub epsilon: f64,
    /// Most endpoints moved in one call.
    pub max_moves: Option<usize>,
    /// Which write of a move comes first.
    pub order: CompactionOrder,
}

impl Compaction {
    /// Check that plans can be made by its numbers, as all that plans does.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an `epsilon` that is negative or not finite.
    pub fn check(self) -> Result<(), Error> {
        check_amount(("epsilon", self.epsilon))
    }
}

impl Default for Compaction {
    fn default() -> Self {
        Self { epsilon: 0.25, max_moves: None, order: CompactionOrder::MakeBeforeBreak }
    }
}

/// Order of the writes of a move. None is safe for every reader; see `DESIGN.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompactionOrder {
    /// The new place first: right for readers that keep one set for each slice (kube-proxy, Istio).
    MakeBeforeBreak,
    /// The old place first: a gap for everyone, a lasting loss for nobody.
    BreakBeforeMake,
    /// New, old, and the new once more, which heals readers with one flat set (Linkerd, Cilium).
    MakeBreakTouch,
}

/// What to do about an address that passes from one target to another in one plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressReuse {
    /// It leaves by an earlier write than it comes back by, where that costs no further write.
    Ordered,
    /// Always, with a further write if it must.
    Strict,
}

/// What to do with slices that have other ports or another Service than the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Replace {
    /// New slices are written first, then the old ones deleted.
    Safe,
    /// Old slices are rewritten in place, as Kubernetes does.
    Recycle,
}

/// Names of new slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Naming {
    /// The API server makes them from `generateName`.
    Generate,
    /// From the content, so that a repeated create conflicts instead of making a second slice.
    Deterministic,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::{Item, assign};

    #[test]
    fn no_plan_is_made_by_numbers_that_are_none() {
        let prices = Prices { write: 1.0, byte: 0.0, watchers: 1, slice: 1.0 };
        let lifecycle = |spare| Policy::Lifecycle(Lifecycle { spare, moves: IdleMoves::NotReady });
        for (policy, path) in [
            (Policy::Threshold(1.5), "policy.threshold"),
            (Policy::Threshold(f64::NAN), "policy.threshold"),
            (Policy::Prices(Prices { write: -1.0, ..prices }), "policy.write"),
            (Policy::Prices(Prices { byte: f64::NAN, ..prices }), "policy.byte"),
            (Policy::Prices(Prices { slice: f64::INFINITY, ..prices }), "policy.slice"),
            (lifecycle(-0.1), "policy.spare"),
        ] {
            let error = Options { policy, ..Options::default() }.check().unwrap_err();
            assert_eq!(error.path(), path);
            let nothing: [Item; 0] = [];
            assert_eq!(assign(&nothing, &[], 1, None, policy, None).unwrap_err().path(), path);
        }
        let compaction = Some(Compaction { epsilon: f64::NAN, ..Compaction::default() });
        let error = Options { compaction, ..Options::default() }.check().unwrap_err();
        assert_eq!(error.path(), "compaction.epsilon");
        assert!(
            Options { policy: lifecycle(0.0), compaction: Some(Compaction::default()), ..Options::default() }
                .check()
                .is_ok()
        );
    }
}
