//! The stateful forms: what a program keeps between two events.
//!
//! [`View`] is the reader's side: slices or events of slices -> what changed for each endpoint, and what a proxy asks.
//! [`Packer`] is the writer's side: objects as watches send them -> the plans of the Services that changed.
//! [`Slots`] follows a view for a proxy that has a fixed number of servers.

mod duplicate;
mod holders;
mod numbered;
mod packer;
mod port_endpoint;
mod reachable;
mod slots;
mod versions;
mod view;

pub use duplicate::Duplicate;
pub use packer::{Answer, Kind, Object, ObjectEvent, Packer, PackerOptions};
pub use port_endpoint::PortEndpoint;
pub use reachable::{Reachable, TrafficPolicy};
pub use slots::{Backend, Server, SlotChange, SlotState, Slots, Target};
pub use view::{View, WatchEvent};
