//! Pack endpoints into Kubernetes `EndpointSlice`s with the least churn, and tell readers what changed.
//!
//! The layers, each knowing only those above it (but `wire`, which reads and writes what all have):
//!
//! | module | what it is |
//! | --- | --- |
//! | [`model`] | slices, endpoints, ports, addresses, conditions as compact records |
//! | [`wire`] | the only code that knows a format: read into the model, write from it |
//! | [`pack`] | what should be there + what is there -> ordered writes |
//! | [`kube`] | what Kubernetes wants the slices of a Service to be |
//! | [`diff`] | two sets of slices -> what changed for each endpoint |
//! | [`engine`] | the stateful forms: a view that follows events, a packer that plans what changed |
//!
//! Beside them stands [`interrupt`]: long calls that can be told to stop.
//!
//! # One endpoint from bytes to a write
//!
//! ```
//! use epcore::{pack, wire::json};
//!
//! let wanted = json::read_endpoints(br#"[{"addresses": ["10.0.0.5"]}]"#)?;
//! let template = json::read_slices(
//!     br#"{"metadata": {"generateName": "db-", "namespace": "shop"}, "addressType": "IPv4",
//!          "endpoints": [], "ports": [{"name": "sql", "port": 5432}]}"#,
//! )?;
//! let options = pack::Options { template: template.first().cloned(), ..pack::Options::default() };
//! let plan = pack::pack(&wanted, &[], &options)?;
//! assert_eq!(plan.stats().creates, 1);
//! assert_eq!(plan.stats().writes(), plan.stats().write_floor);
//! # Ok::<(), epcore::Error>(())
//! ```

pub mod diff;
pub mod engine;
mod error;
pub mod interrupt;
pub mod kube;
pub mod model;
pub mod pack;
mod thread;
pub mod wire;

pub use error::{Error, ErrorKind, Segment};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
