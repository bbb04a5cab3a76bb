//! Kubernetes' protobuf, `application/vnd.kubernetes.protobuf`: objects and lists in their envelope, and frames of a watch.
//!
//! Slices are read straight into the model, and Pods and Nodes that are as Kubernetes writes them, of which there are many. Services, legacy Endpoints and other Pods and Nodes,
//! of which few fields are read, go by way of the JSON that Kubernetes would write of these fields, so that the rules of reading them are written once.
//!
//! Fields of a slice that nobody here knows are kept as they are and written back to protobuf; JSON has no names for them, so that it is without
//! them, as Kubernetes' own would be. Within metadata's owners and managed fields and within the zones and nodes of hints they are left out.

mod again;
mod alike;
mod by_json;
mod checked;
mod documents;
mod encoding;
mod endpoint;
mod envelope;
mod events;
mod hints;
mod known_json;
mod likeness;
mod metadata;
mod nodes;
mod objects;
mod parts;
mod place;
mod pod_values;
mod pods;
mod reader;
mod schema;
mod shape;
mod slice;
mod translation;
mod usual;
mod ways;

pub use by_json::locate;
pub(crate) use by_json::translated;
pub(super) use documents::read_slices_after;
pub use documents::{
    read_endpoints, read_endpoints_plainly, read_list_version, read_slice_list, read_slices, read_slices_plainly,
    write_slice, write_slices,
};
pub use envelope::is_protobuf;
pub use events::{read_events, read_object_events};
pub use nodes::{read_nodes, read_nodes_plainly};
pub use objects::read_objects;
pub use pods::{read_pods, read_pods_plainly};
