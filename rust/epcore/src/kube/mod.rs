//! Kubernetes' rules: from Services, Pods and Nodes to what their slices should be.
//!
//! Pure functions over objects that were read: [`reconcile`] stands where the EndpointSlice controller's library stands
//! (`k8s.io/endpointslice`), [`publish`] makes slices for a Service without selector. Read in this order: `desired` (which endpoints), `hints` and `topology` (which zones they serve), `groups` (which
//! slices they are in), `run` (all groups and families of a Service), `reconcile` and `publish` (who calls it). [`legacy`] knows Endpoints, the API
//! before slices; [`lint`](lint::lint) tells what is wrong with slices.

mod desired;
mod groups;
mod hints;
pub mod legacy;
pub mod lint;
mod node;
mod pod;
mod publish;
mod reconcile;
mod run;
mod service;
mod slices;
mod topology;
mod trackers;

pub(crate) use desired::desired;
pub(crate) use hints::distributed;
pub use node::Node;
pub(crate) use node::parse_quantity;
pub use pod::{ContainerPort, Pod};
pub(crate) use publish::{
    Ports, PortsOfEach, check_managed_by, check_port, check_published, published_ports, split_port,
};
pub use publish::{Published, publish};
pub use reconcile::{CONTROLLER, Options, reconcile};
pub use service::{Service, ServicePort, TargetPort};
pub use trackers::{Batch, ServiceIndex, ServiceKey, SliceTracker, TriggerTimes};
