//! The kinds of objects that a packer follows.

use std::sync::Arc;

use crate::kube::{Node, Pod, Service};
use crate::model::EndpointSlice;

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice,
    /// `v1` Service.
    Service,
    /// `v1` Pod.
    Pod,
    /// `v1` Node.
    Node,
}

impl Kind {
    /// The kinds, with the word of the API.
    pub const WORDS: [(&'static str, Self); 4] =
        [("EndpointSlice", Self::EndpointSlice), ("Service", Self::Service), ("Pod", Self::Pod), ("Node", Self::Node)];

    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::WORDS[self as usize].0
    }

    /// The word for a list of them.
    #[must_use]
    pub fn list(self) -> &'static str {
        ["EndpointSliceList", "ServiceList", "PodList", "NodeList"][self as usize]
    }

    /// The kind that a word, or that of a list, names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.strip_suffix("List").unwrap_or(word);
        Self::WORDS.into_iter().find(|(known, _)| *known == word).map(|(_, kind)| kind)
    }
}

/// An object of one of the kinds.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// An EndpointSlice.
    EndpointSlice(Arc<EndpointSlice>),
    /// A Service.
    Service(Arc<Service>),
    /// A Pod.
    Pod(Arc<Pod>),
    /// A Node.
    Node(Arc<Node>),
}

impl Object {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::EndpointSlice(_) => Kind::EndpointSlice,
            Self::Service(_) => Kind::Service,
            Self::Pod(_) => Kind::Pod,
            Self::Node(_) => Kind::Node,
        }
    }

    /// The slice, if it is one.
    pub(super) fn as_slice(&self) -> Option<&Arc<EndpointSlice>> {
        if let Self::EndpointSlice(slice) = self { Some(slice) } else { None }
    }

    /// The Pod, if it is one.
    pub(super) fn as_pod(&self) -> Option<&Arc<Pod>> {
        if let Self::Pod(pod) = self { Some(pod) } else { None }
    }

    /// The Service, if it is one.
    pub(super) fn as_service(&self) -> Option<&Arc<Service>> {
        if let Self::Service(service) = self { Some(service) } else { None }
    }

    /// The Node, if it is one.
    pub(super) fn as_node(&self) -> Option<&Arc<Node>> {
        if let Self::Node(node) = self { Some(node) } else { None }
    }

    /// Namespace and name.
    #[must_use]
    pub fn name(&self) -> (String, String) {
        let (namespace, name) = match self {
            Self::EndpointSlice(slice) => (&*slice.metadata.namespace, &*slice.metadata.name),
            Self::Service(service) => (&*service.metadata.namespace, &*service.metadata.name),
            Self::Pod(pod) => (&*pod.namespace, &*pod.name),
            Self::Node(node) => ("", &*node.name),
        };
        (namespace.to_owned(), name.to_owned())
    }

    /// Its version, `""` if not set.
    #[must_use]
    pub fn resource_version(&self) -> &str {
        match self {
            Self::EndpointSlice(slice) => &slice.metadata.resource_version,
            Self::Service(service) => &service.metadata.resource_version,
            Self::Pod(pod) => &pod.resource_version,
            Self::Node(node) => &node.resource_version,
        }
    }
}

/// What a watch of one kind says.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectEvent {
    /// `ADDED` or `MODIFIED`.
    Present(Object),
    /// `DELETED`, with its last state.
    Deleted(Object),
    /// `BOOKMARK`: everything up to this version was sent.
    Bookmark(Kind, String),
    /// `ERROR`: the watch of this kind has ended, and only a list tells what is there.
    Expired(Kind),
}
