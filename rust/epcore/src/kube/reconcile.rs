//! The slices of a Service with selector: what Kubernetes' library for its EndpointSlice controller does, as a plan.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::Error;
use crate::kube::desired::desired;
use crate::kube::hints::Source;
use crate::kube::run::{Group, Rules, Run};
use crate::kube::slices::Origin;
use crate::kube::{Node, Pod, Service};
use crate::pack::{self, Combination, Existing, HintState, Plan, Replace};

/// Value of the label `managed-by` on slices that Kubernetes' own controller writes.
pub const CONTROLLER: &str = "endpointslice-controller.k8s.io";

/// Options of [`reconcile`].
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Value of the label `endpointslice.kubernetes.io/managed-by`; slices with another one are left alone.
    pub controller: String,
    /// What the last call for this Service left in its [`Notes`](pack::Notes), for the annotation `Auto`.
    pub hints: HintState,
    /// How to pack. The template is made from the Service.
    pub pack: pack::Options,
}

impl Default for Options {
    fn default() -> Self {
        let pack = pack::Options { replace: Replace::Recycle, ..pack::Options::default() };
        Self { controller: CONTROLLER.to_owned(), hints: HintState::default(), pack }
    }
}

/// Plan the slices of a Service with selector from its Pods and their Nodes.
///
/// Pods of other namespaces and Pods that the selector does not match are left out; so are slices of other Services and other controllers,
/// and those that are being deleted. A Service without selector, or of type `ExternalName`, needs nothing. With [`Policy::Upstream`](pack::Policy::Upstream) the
/// counts of writes and the contents are those of the Go library; with any other the endpoints are the same, and without options
/// that ask for more the writes never more, but to mend overfull slices and duplicated endpoints, for single steps by prices, of
/// [`Policy::Lifecycle`](pack::Policy::Lifecycle), and with the annotation `Auto`, where hints may pass from one slice to another.
/// A Pod on a node that is not there, or without a usable address, is told in [`Plan::notes`] and left out.
///
/// # Errors
///
/// As [`pack`](crate::pack::pack).
///
/// # Examples
///
/// ```
/// use epcore::{kube, pack::{Existing, Verb}, wire::json};
///
/// let service = json::read_service(br#"{"metadata": {"name": "web", "namespace": "shop"},
///     "spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.7", "ports": [{"port": 80, "targetPort": 8080}]}}"#)?;
/// let pods = json::read_pods(br#"[{"metadata": {"name": "web-1", "namespace": "shop", "labels": {"app": "web"}},
///     "status": {"podIPs": [{"ip": "10.0.0.5"}], "conditions": [{"type": "Ready", "status": "True"}]}}]"#)?;
/// let nodes = json::read_nodes(b"[]")?;
/// let plan = kube::reconcile(&service, &pods, &nodes, &Existing::default(), &kube::Options::default())?;
/// for write in plan.writes() {
///     assert_eq!((write.verb, &*write.slice.metadata().generate_name), (Verb::Create, "web-"));
///     let body = json::write_slice(&write.slice);
///     assert!(body.starts_with(b"{"));
/// }
/// # Ok::<(), epcore::Error>(())
/// ```
pub fn reconcile<P: Borrow<Pod>, N: Borrow<Node>>(
    service: &Service,
    pods: &[P],
    nodes: &[N],
    existing: &Existing,
    options: &Options,
) -> Result<Plan, Error> {
    options.pack.check()?;
    if !service.selects_pods() {
        return Ok(Combination::default().finish());
    }
    let mut run = Run::new(Origin::of_service(service, &options.controller), &options.pack, Rules::Pods, existing);
    run.source = Source::of(service);
    let nodes: Vec<&Node> = nodes.iter().map(Borrow::borrow).collect();
    run.notes.hints = options.hints.clone();
    let namespace = &service.metadata.namespace;
    let in_namespace = pods.iter().map(Borrow::borrow).filter(|pod| *pod.namespace == **namespace);
    let mut pods = selected(in_namespace, &service.selector);
    if run.source == Source::Topology {
        // Those that come first keep the hints that not all can keep.
        pods.sort_by(|one, other| (&one.name, &one.uid).cmp(&(&other.name, &other.uid)));
    }
    let by_name: HashMap<&str, &Node> = nodes.iter().map(|node| (&*node.name, *node)).collect();
    run.nodes = nodes;
    let families = service.address_types();
    let unsupported: Vec<usize> =
        (0..run.plan.before.len()).filter(|&slot| !families.contains(&run.plan.before[slot].address_type)).collect();
    for &slot in &unsupported {
        run.forget_hints(run.plan.before[slot].address_type);
    }
    for &family in &families {
        let groups = desired(service, &pods, &by_name, family, &mut run.notes.errors)?;
        run.family(family, groups.into_iter().map(Group::from).collect())?;
    }
    // Each family meets the same Pods, in whatever order they were given.
    run.notes.errors.sort();
    run.notes.errors.dedup();
    for slot in unsupported {
        run.delete(slot);
    }
    Ok(run.finish())
}

/// The Pods that a selector matches. Pods of one owner share their labels.
fn selected<'a>(pods: impl Iterator<Item = &'a Pod>, selector: &BTreeMap<String, String>) -> Vec<&'a Pod> {
    let mut last: Option<(&Pod, bool)> = None;
    let is_selected = |pod: &&'a Pod| {
        let same = last.filter(|(last, _)| Arc::ptr_eq(&last.labels, &pod.labels));
        last.insert(same.unwrap_or_else(|| (*pod, pod.matches(selector)))).1
    };
    pods.filter(is_selected).collect()
}
