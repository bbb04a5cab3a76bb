//! Slices and endpoints as compact records: text is kept once for each slice, in one buffer.

mod address;
mod block;
mod conditions;
mod digest;
mod dotted;
mod endpoint;
mod endpoints;
mod identity;
mod known;
mod list;
mod members;
mod metadata;
mod names;
mod port;
mod print;
mod record;
mod shared;
mod short;
mod slice;
mod text;
mod time;
mod validate;

pub(crate) use address::may_be_special;
pub use address::{Address, AddressType};
pub(crate) use block::Block;
pub use conditions::Conditions;
pub(crate) use digest::Digest;
pub(crate) use dotted::{dotted, leading_v4, v4_size, write_v4};
pub use endpoint::{EndpointFields, EndpointRef, TargetRef};
pub use endpoints::Endpoints;
pub(crate) use identity::{ByIdentity, Identity, keeps, preferred};
pub use list::EndpointList;
pub use members::Members;
pub(crate) use metadata::{HEADLESS_LABEL, MOVING_ANNOTATION, ROLE_ANNOTATION, version_number};
pub use metadata::{MANAGED_BY_LABEL, ObjectMeta, SERVICE_NAME_LABEL, TRIGGER_TIME_ANNOTATION};
pub use names::{is_dns_label, is_dns_subdomain};
pub(crate) use names::{is_fqdn, is_label_value, is_subdomain, shorten};
pub use port::EndpointPort;
pub(crate) use port::{PORT_NUMBERS, same_ports};
pub(crate) use print::{NONE as NO_PRINT, Print};
pub(crate) use record::{Rare, Record, StoredAddress};
pub use shared::Shared;
pub(crate) use shared::SharedEndpoint;
pub use slice::{EndpointSlice, MAX_ADDRESSES, MAX_ENDPOINTS, MAX_PORTS};
pub(crate) use text::{Ascii, Text, TextBuffer, same_text};
pub(crate) use time::{rfc3339, timestamp};
pub(crate) use validate::{
    Valid, are_valid, are_valid_hints, check_each_port, check_endpoint, check_metadata, check_slice,
    check_submitted_metadata, validate_family, validate_slice_around_endpoints,
};
pub use validate::{validate_endpoint, validate_slice};
