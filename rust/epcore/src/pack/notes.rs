//! What else is to be told about a plan.

use std::collections::BTreeMap;

use crate::model::AddressType;

/// What else is to be told about a plan that was made by Kubernetes' rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// What could not be published, and why; the rest of the plan is good, and the call is to be made again later.
    pub errors: Vec<String>,
    /// What the controller would tell people by Events on the Service.
    pub events: Vec<Event>,
    /// What to pass to the next call.
    pub hints: HintState,
}

/// An Event on the Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// It tells of trouble (`Warning`, else `Normal`).
    pub is_warning: bool,
    /// One word, as Kubernetes has it.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}

/// What the topology heuristic remembers of one Service between two calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HintState {
    /// The last call gave hints.
    pub is_populated: bool,
    /// Endpoints that serve each zone, for each address type.
    pub zones: BTreeMap<AddressType, BTreeMap<String, usize>>,
}

impl HintState {
    /// True if it is that before the first call.
    pub(crate) fn says_nothing(&self) -> bool {
        let Self { is_populated, zones } = self;
        !is_populated && zones.is_empty()
    }
}
