//! JSON of `discovery.k8s.io/v1`.
//!
//! Reading takes any key order, `null` for any optional field, any spelling of an address, and fields that it does not know. Writing is
//! canonical: the same objects are the same bytes, known fields in the API's order, then the others by name.

mod again;
mod alike;
mod carry;
mod delta;
mod documents;
mod endpoint;
mod events;
mod forms;
mod hole;
mod kept;
mod legacy;
mod likeness;
mod literal;
mod locate;
mod metadata;
mod objects;
mod parts;
mod plan;
mod pod_values;
mod pods;
mod port;
mod published;
mod reader;
mod run;
mod shape;
mod slice;
mod stream;
mod submitted;
mod template;
mod view;
mod writer;

pub use delta::{write_change, write_delta, write_transition};
pub(crate) use documents::locate_all;
pub(super) use documents::read_slices_after;
pub use documents::{
    locate, read_endpoints, read_endpoints_plainly, read_slice_list, read_slices, read_slices_plainly, slices_size,
    write_endpoints, write_slices, write_slices_by,
};
pub use endpoint::write_endpoint;
pub(crate) use endpoint::{canonical_hints, endpoint_size, read_hints, write_hints};
pub use events::{read_events, read_list_version, read_object_events, read_objects};
pub(crate) use forms::canonical_like_others;
pub use legacy::{read_legacy_endpoints, write_legacy_endpoints};
pub(crate) use literal::Literal;
pub(crate) use metadata::{Owner, owner_reference, owners, read_owners, read_texts, write_metadata};
pub use objects::{read_nodes, read_service, read_services};
pub use parts::{read_endpoint_onto, read_plain_hints, read_slice_around};
pub use plan::{write_plan, write_stats};
pub use pods::{read_pods, read_pods_plainly};
pub use published::{read_published, read_published_plainly};
pub(crate) use reader::{Reader, canonical, whole};
pub use slice::write_slice;
pub(crate) use slice::{API_VERSION, KIND, slice_size};
pub(super) use stream::{Event, Fold};
pub(crate) use submitted::{Submitted, read_submitted};
pub use view::{read_view, write_view};
pub(crate) use writer::Object;
pub use writer::write_string;
