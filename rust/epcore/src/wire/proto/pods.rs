//! Pods in, straight into what is read of them.
//!
//! All that the schema of a Pod names is looked at, as the translation to JSON would. A document with anything that it would refuse, or that Kubernetes does not
//! write, is left to it, so that each rule of what is wrong is written once.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::Error;
use crate::engine::Object;
use crate::kube::{ContainerPort, Pod};
use crate::thread;
use crate::wire::json;
use crate::wire::proto::by_json::translated;
use crate::wire::proto::checked::{Checked, condition, rfc3339_of, rises};
use crate::wire::proto::envelope::{Envelope, each_usual};
use crate::wire::proto::likeness::{LONGEST, Likeness};
use crate::wire::proto::nodes::node;
use crate::wire::proto::parts::{Part, Parts, Seen};
use crate::wire::proto::pod_values::Values;
use crate::wire::proto::schema::OBJECT_META;

/// Read Pods: one or a list, as [`json::read_pods`] does.
///
/// # Errors
///
/// Those of [`json::read_pods`], with places in this document.
pub fn read_pods(document: &[u8]) -> Result<Vec<Pod>, Error> {
    read_usual(document).map_or_else(|| read_pods_plainly(document), Ok)
}

/// The same by way of JSON alone: slower, and there to be compared with.
///
/// # Errors
///
/// As [`read_pods`].
pub fn read_pods_plainly(document: &[u8]) -> Result<Vec<Pod>, Error> {
    translated(document, "pods", json::read_pods)
}

/// The Pods of a list, or a Pod by itself, if there is nothing to be told about them.
pub(super) fn read_usual(document: &[u8]) -> Option<Vec<Pod>> {
    let mut pods = Vec::new();
    KnownPods::kept(|known| {
        each_usual(document, "Pod", |message, left| {
            known.read(message, &mut pods)?;
            if pods.len() == 1 {
                // The others are likely to be as long.
                pods.reserve(left / message.len().max(size_of::<Pod>()));
            }
            Some(())
        })
    })?;
    Some(pods)
}

/// Most likenesses to remember.
const MOST_LIKENESSES: usize = 8;
/// Pods for each of which something may be learned, on average: where no two look alike, learning is lost work.
const PRICE: usize = 16;

thread_local! {
    /// What Pods looked like that were read on this thread.
    static KEPT: Cell<Option<Box<Likenesses>>> = const { Cell::new(None) };
}

/// How the messages of Pods have been, the last one first.
struct Likenesses {
    learned: Vec<Likeness>,
    credit: usize,
}

/// What Pods have had that others are likely to have too.
pub(super) struct KnownPods<'a> {
    likenesses: Box<Likenesses>,
    fields: Fields<'a>,
}

/// What their fields have said.
#[derive(Default)]
struct Fields<'a> {
    /// A Pod that says nothing, as making one takes memory.
    empty: Pod,
    labels: Same<'a, Arc<BTreeMap<String, String>>>,
    ports: Same<'a, Arc<[ContainerPort]>>,
    sidecars: Vec<&'a [u8]>,
    namespace: Arc<str>,
    phase: Arc<str>,
    ready_since: (&'a [u8], SmolStr),
    checked: Checked<'a>,
}

/// What was made of some messages, for as long as the next ones are the same.
#[derive(Default)]
struct Same<'a, T> {
    last: Vec<&'a [u8]>,
    next: Vec<&'a [u8]>,
    made: T,
}

impl<T: Clone> Same<'_, T> {
    /// What the messages say that were put into `next`.
    fn of(&mut self, make: impl FnOnce(&[&[u8]]) -> Option<T>) -> Option<T> {
        if self.last != self.next {
            self.made = make(&self.next)?;
            std::mem::swap(&mut self.last, &mut self.next);
        }
        Some(self.made.clone())
    }
}

impl<'a> KnownPods<'a> {
    /// Let `read` use what this thread has learned, and learn more. It makes reading faster and changes nothing of what is read.
    pub(super) fn kept<T>(read: impl FnOnce(&mut Self) -> T) -> T {
        let new = || Box::new(Likenesses { learned: Vec::new(), credit: MOST_LIKENESSES * PRICE });
        let mut known = Self { likenesses: thread::take(&KEPT).unwrap_or_else(new), fields: Fields::default() };
        let outcome = read(&mut known);
        thread::keep(&KEPT, Some(known.likenesses));
        outcome
    }

    /// Read a Pod onto the end of others, if there is nothing to be told about it.
    pub(super) fn read(&mut self, message: &'a [u8], pods: &mut Vec<Pod>) -> Option<()> {
        if self.likenesses.find(message, &mut self.fields.checked, pods).is_none() {
            let pod = self.fields.read(message)?;
            self.likenesses.learn(message, &pod);
            pods.push(pod);
        }
        Some(())
    }

    /// A Pod or a Node, if there is nothing to be told about it.
    pub(super) fn object(&mut self, envelope: &Envelope<'a>) -> Option<Object> {
        let message = envelope.object.rest();
        match envelope.kind {
            "Pod" => {
                let mut pods = Vec::with_capacity(1);
                self.read(message, &mut pods)?;
                pods.pop().map(|pod| Object::Pod(Arc::new(pod)))
            }
            "Node" => node(message, &mut self.fields.checked).map(|node| Object::Node(Arc::new(node))),
            _ => None,
        }
    }
}

impl Likenesses {
    /// Append a Pod, if it is like one that is known.
    #[inline]
    fn find<'a>(&mut self, message: &'a [u8], checked: &mut Checked<'a>, pods: &mut Vec<Pod>) -> Option<()> {
        let which = self.learned.iter_mut().position(|likeness| likeness.read(message, checked, pods).is_some())?;
        self.learned[..=which].rotate_right(1);
        self.credit = (self.credit + 1).min(MOST_LIKENESSES * PRICE);
        Some(())
    }

    /// Make holes in a likeness where this Pod differs in what says nothing, or remember it as a new one.
    #[cold]
    fn learn(&mut self, message: &[u8], pod: &Pod) {
        self.credit += 1;
        if self.credit <= PRICE || message.len() > LONGEST {
            return;
        }
        self.credit -= PRICE;
        let Some(values) = Values::of(message) else { return };
        let wider =
            self.learned.iter().enumerate().find_map(|(which, one)| Some((which, one.widened(message, &values)?)));
        if let Some((which, wider)) = wider {
            self.learned[which] = wider;
        } else if let Some(new) = Likeness::of(message, values, pod) {
            self.learned.truncate(MOST_LIKENESSES - 1);
            self.learned.insert(0, new);
        }
    }
}

impl<'a> Fields<'a> {
    /// Read a Pod field by field, if there is nothing to be told about it.
    fn read(&mut self, message: &'a [u8]) -> Option<Pod> {
        self.labels.next.clear();
        self.ports.next.clear();
        self.sidecars.clear();
        let (mut pod, mut seen, mut parts) = (self.empty.clone(), Seen::default(), Parts(message));
        while !parts.is_empty() {
            let part = parts.next()?;
            match part.number {
                1 => self.metadata(seen.once(&part)?.message()?, &mut pod)?,
                2 => self.spec(seen.once(&part)?.message()?, &mut pod)?,
                3 => self.status(seen.once(&part)?.message()?, &mut pod)?,
                _ => {}
            }
        }
        pod.labels = self.labels.of(labels)?;
        self.ports.next.append(&mut self.sidecars);
        pod.ports = self.ports.of(|messages| messages.iter().map(|message| port(Parts(message))).collect())?;
        (!pod.name.is_empty()).then_some(pod)
    }

    fn metadata(&mut self, mut parts: Parts<'a>, pod: &mut Pod) -> Option<()> {
        let (mut seen, mut last) = (Seen::default(), None);
        while !parts.is_empty() {
            let part = parts.next()?;
            match part.number {
                1 => pod.name = seen.once(&part)?.text()?.into(),
                3 => pod.namespace = same(&mut self.namespace, seen.once(&part)?.text()?),
                5 => pod.uid = seen.once(&part)?.text()?.into(),
                6 => pod.resource_version = seen.once(&part)?.text()?.into(),
                9 => pod.deletion_timestamp = rfc3339_of(seen.once(&part)?.bytes()?)?,
                11 => self.labels.next.push(part.bytes()?),
                12 => rises(&mut last, part.message()?.each([1, 2], Part::word)?[0])?,
                _ => self.checked.field(&OBJECT_META, &part, &mut seen)?,
            }
        }
        Some(())
    }

    fn spec(&mut self, mut parts: Parts<'a>, pod: &mut Pod) -> Option<()> {
        let mut seen = Seen::default();
        while !parts.is_empty() {
            let part = parts.next()?;
            match part.number {
                10 => pod.node_name = seen.once(&part)?.text()?.into(),
                16 => pod.hostname = seen.once(&part)?.text()?.into(),
                17 => pod.subdomain = seen.once(&part)?.text()?.into(),
                2 => drop(container(part.message()?, &mut self.ports.next)?),
                20 => {
                    let count = self.sidecars.len();
                    if !container(part.message()?, &mut self.sidecars)? {
                        self.sidecars.drain(count..).try_for_each(|message| port(Parts(message)).map(drop))?;
                    }
                }
                _ => {}
            }
        }
        Some(())
    }

    fn status(&mut self, mut parts: Parts<'a>, pod: &mut Pod) -> Option<()> {
        let (mut seen, mut ip, mut is_told) = (Seen::default(), "", false);
        while !parts.is_empty() {
            let part = parts.next()?;
            match part.number {
                1 => pod.phase = same(&mut self.phase, seen.once(&part)?.text()?),
                6 => ip = seen.once(&part)?.text()?,
                12 => pod.ips.push(part.message()?.each([1], Part::text)?[0].into()),
                2 => {
                    let (kind, is_true, since) = condition(part.message()?)?;
                    // The first one counts.
                    if kind == b"Ready" && !is_told {
                        is_told = true;
                        (pod.is_ready, pod.ready_since) = (is_true, self.ready_since(since)?);
                    }
                }
                _ => {}
            }
        }
        // The API server fills each from the other.
        if pod.ips.is_empty() && !ip.is_empty() {
            pod.ips.push(ip.into());
        }
        Some(())
    }

    fn ready_since(&mut self, since: &'a [u8]) -> Option<SmolStr> {
        if self.ready_since.0 != since {
            self.ready_since = (since, rfc3339_of(since)?);
        }
        Some(self.ready_since.1.clone())
    }
}

/// A text that is shared with who had it last.
fn same(last: &mut Arc<str>, text: &str) -> Arc<str> {
    if **last != *text {
        *last = text.into();
    }
    last.clone()
}

fn labels(members: &[&[u8]]) -> Option<Arc<BTreeMap<String, String>>> {
    let mut labels = BTreeMap::new();
    for message in members {
        let [key, value] = Parts(message).each([1, 2], Part::text)?;
        let before = labels.insert(key.to_owned(), value.to_owned());
        before.is_none().then_some(())?;
    }
    Some(labels.into())
}

/// Take the ports of a container; the answer is whether it runs as long as the Pod though it is an init container.
fn container<'a>(mut fields: Parts<'a>, ports: &mut Vec<&'a [u8]>) -> Option<bool> {
    let (mut seen, mut policy) = (Seen::default(), &b""[..]);
    while !fields.is_empty() {
        let part = fields.next()?;
        match part.number {
            6 => ports.push(part.bytes()?),
            24 => policy = seen.once(&part)?.word()?,
            _ => {}
        }
    }
    Some(policy == b"Always")
}

fn port(parts: Parts<'_>) -> Option<ContainerPort> {
    let [name, protocol] = parts.each([1, 4], Part::text)?;
    let [port] = parts.each([3], Part::value)?;
    let protocol = if protocol.is_empty() { "TCP" } else { protocol };
    Some(ContainerPort { name: name.to_owned(), protocol: protocol.to_owned(), port: port.try_into().ok()? })
}
