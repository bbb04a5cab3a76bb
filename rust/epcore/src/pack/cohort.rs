//! Which endpoints are likely to change together.

use crate::Error;
use crate::model::EndpointRef;

/// What makes two endpoints likely to change together. It never costs a write.
///
/// # Examples
///
/// ```
/// use epcore::pack::{Cohort, Field};
/// use epcore::wire::json;
///
/// let endpoints = json::read_endpoints(br#"[{"addresses": ["10.0.0.5"], "targetRef": {"namespace": "shop", "name": "web-1"}}]"#)?;
/// let cohorts = endpoints.iter().map(|endpoint| Cohort::Field(Field::TargetNamespace).of(endpoint).0);
/// assert!(cohorts.eq([Some("shop")]));
/// assert_eq!(Cohort::parse("targetRef.namespace")?, Cohort::Field(Field::TargetNamespace));
/// # Ok::<(), epcore::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cohort {
    /// The revision, within it the node of what is ready; nothing new joins endpoints that are leaving.
    #[default]
    Auto,
    /// The node.
    Node,
    /// The zone.
    Zone,
    /// The revision: the target's name without its last part, which is the name of the `ReplicaSet` for Pods of a Deployment.
    Revision,
    /// A field of the endpoint.
    Field(Field),
    /// None: endpoints are placed in order.
    Off,
}

/// A field of an endpoint, as a cohort. The name of the node and the zone have words of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// `hostname`
    Hostname,
    /// `targetRef.kind`
    TargetKind,
    /// `targetRef.namespace`
    TargetNamespace,
    /// `targetRef.name`
    TargetName,
    /// A member of the endpoint that the API does not know, or does not know yet; its whole JSON value counts.
    Unknown(String),
}

impl Cohort {
    /// The cohort that a word or a field path names: `auto`, `node`, `zone`, `revision`, `nodeName`, `hostname`, `targetRef.name` ...
    ///
    /// Any other word is the name of a further field, of which endpoints that do not have it are in no cohort.
    ///
    /// # Errors
    ///
    /// A path into a part of the endpoint that has no such text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Ok(match text {
            "auto" => Self::Auto,
            "node" | "nodeName" => Self::Node,
            "zone" => Self::Zone,
            "revision" => Self::Revision,
            "hostname" => Self::Field(Field::Hostname),
            "targetRef.kind" => Self::Field(Field::TargetKind),
            "targetRef.namespace" => Self::Field(Field::TargetNamespace),
            "targetRef.name" => Self::Field(Field::TargetName),
            "" | "addresses" | "conditions" | "hints" | "targetRef" => return Err(Self::bad(text)),
            _ if text.contains('.') => return Err(Self::bad(text)),
            _ => Self::Field(Field::Unknown(text.to_owned())),
        })
    }

    fn bad(text: &str) -> Error {
        let shown = crate::model::shorten(text);
        Error::invalid(format!(
            "{shown:?} is no cohort: give auto, node, zone, revision, hostname, targetRef.kind, targetRef.namespace, \
             targetRef.name or the name of a further field of the endpoint"
        ))
        .in_field("cohort")
    }

    /// The cohort of an endpoint and the finer one within it, `None` where the field is not set.
    #[must_use]
    pub fn of<'a>(&self, endpoint: EndpointRef<'a>) -> (Option<&'a str>, Option<&'a str>) {
        let (namespace, name) = endpoint.target_name();
        let set = |text: &'a str| (!text.is_empty()).then_some(text);
        let whole = match self {
            // What is not ready yet will be ready together with its batch, which is worth more than its node.
            Self::Auto => {
                let node = endpoint.node_name().filter(|_| endpoint.conditions().is_ready());
                return (revision(endpoint), node);
            }
            Self::Revision => revision(endpoint),
            Self::Node => endpoint.node_name(),
            Self::Zone => endpoint.zone(),
            Self::Field(Field::Hostname) => endpoint.hostname(),
            Self::Field(Field::TargetKind) => endpoint.target_ref().and_then(|target| set(target.kind)),
            Self::Field(Field::TargetNamespace) => set(namespace),
            Self::Field(Field::TargetName) => set(name),
            Self::Field(Field::Unknown(name)) => endpoint.unknown().and_then(|members| members.get(name)),
            Self::Off => None,
        };
        (whole, None)
    }
}

/// `checkout-7d9c5f6b8d` of the Pod `checkout-7d9c5f6b8d-tctch`; Pods of a `StatefulSet` share one that way, too.
fn revision(endpoint: EndpointRef<'_>) -> Option<&str> {
    let name = endpoint.target_name().1;
    name.bytes().rposition(|byte| byte == b'-').map(|dash| &name[..dash])
}
