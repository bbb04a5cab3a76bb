//! The stateful forms: what a program keeps between two events.
//!
//! [`View`] is the reader's side: slices or events of slices -> what changed for each endpoint, and what a proxy asks.

mod holders;
mod reachable;
mod versions;
mod view;

pub use reachable::{Reachable, TrafficPolicy};
pub use view::{Duplicate, PortEndpoint, View, WatchEvent};
