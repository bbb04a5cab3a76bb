//! Formats. Nothing outside this module knows one.
//!
//! The functions here read a document of either format, which tells by its first bytes what it is.

pub mod json;
mod line;
mod listing;
mod names;
mod past;
pub mod proto;

use std::sync::Arc;

use crate::Error;
use crate::engine::{Kind, Object, ObjectEvent, WatchEvent};
use crate::kube::{Node, Pod, Service, legacy};
use crate::model::{EndpointList, EndpointSlice};

pub use listing::Listing;

macro_rules! either {
    ($(#[doc = $what:literal] $name:ident($($option:ident: $type:ty)?) -> $result:ty $(, by way of JSON as $root:literal)?;)+) => {$(
        #[doc = $what]
        ///
        /// # Errors
        ///
        #[doc = concat!("Those of [`json::", stringify!($name), "`], with places in this document.")]
        pub fn $name(document: &[u8] $(, $option: $type)?) -> Result<$result, Error> {
            if proto::is_protobuf(document) {
                return either!(@proto $name document [$($option)?] $($root)?);
            }
            json::$name(document $(, $option)?)
        }
    )+};
    (@proto $name:ident $document:ident [$($option:ident)?]) => { proto::$name($document $(, $option)?) };
    (@proto $name:ident $document:ident [] $root:literal) => { proto::translated($document, $root, json::$name) };
}

either! {
    /// Read slices, as [`json::read_slices`] and [`proto::read_slices`] do.
    read_slices() -> Vec<Arc<EndpointSlice>>;
    /// Read slices and the version of their list, as [`json::read_slice_list`] and [`proto::read_slice_list`] do.
    read_slice_list() -> (Vec<Arc<EndpointSlice>>, String);
    /// Read endpoints, as [`json::read_endpoints`] and [`proto::read_endpoints`] do.
    read_endpoints() -> EndpointList;
    /// Read watch events, as [`json::read_events`] and [`proto::read_events`] do.
    read_events() -> Vec<WatchEvent>;
    /// Read what watches of several kinds say, as [`json::read_object_events`] and [`proto::read_object_events`] do.
    read_object_events(kind: Option<Kind>) -> Vec<ObjectEvent>;
    /// Read all objects of a kind, as [`json::read_objects`] and [`proto::read_objects`] do.
    read_objects(kind: Option<Kind>) -> (Kind, Vec<Object>);
    /// Read one Service, as [`json::read_service`] does.
    read_service() -> Service, by way of JSON as "service";
    /// Read Services: one or a list, as [`json::read_services`] does.
    read_services() -> Vec<Service>, by way of JSON as "services";
    /// Read Pods: one or a list, as [`json::read_pods`] and [`proto::read_pods`] do.
    read_pods() -> Vec<Pod>;
    /// Read Nodes: one or a list, as [`json::read_nodes`] and [`proto::read_nodes`] do.
    read_nodes() -> Vec<Node>;
    /// Read legacy Endpoints: one object, as [`json::read_legacy_endpoints`] does.
    read_legacy_endpoints() -> legacy::Endpoints, by way of JSON as "endpoints";
}

/// The version of a list, `""` if the document is none or does not say.
#[must_use]
pub fn read_list_version(document: &[u8]) -> String {
    if proto::is_protobuf(document) { proto::read_list_version(document) } else { json::read_list_version(document) }
}

/// Find the byte that the path of `error` names in a document of slices or endpoints, and put it into the error.
#[must_use]
pub fn locate(document: &[u8], error: Error) -> Error {
    if proto::is_protobuf(document) { proto::locate(document, error) } else { json::locate(document, error) }
}
