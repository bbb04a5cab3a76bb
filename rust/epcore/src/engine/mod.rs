//! The stateful forms: what a program keeps between two events.
//!
//! [`View`] is the reader's side: slices or events of slices -> what changed for each endpoint, and what a proxy asks.
//! [`Slots`] follows it for a proxy that has a fixed number of servers.

mod holders;
mod reachable;
mod slots;
mod versions;
mod view;

pub use reachable::{Reachable, TrafficPolicy};
pub use slots::{Backend, Server, SlotChange, SlotState, Slots, Target};
pub use view::{Duplicate, PortEndpoint, View, WatchEvent};
