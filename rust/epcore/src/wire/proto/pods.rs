//! Pods in, straight into what is read of them.
//!
//! All that the schema of a Pod names is looked at, as the translation to JSON would. A document with anything that it would refuse, or that Kubernetes does not
//! write, is left to it, so that each rule of what is wrong is written once.

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::Error;
use crate::interrupt::point;
use crate::kube::{ContainerPort, Pod};
use crate::model::rfc3339;
use crate::wire::json;
use crate::wire::proto::envelope::open;
use crate::wire::proto::objects::translated;
use crate::wire::proto::parts::{Part, Parts, Seen};
use crate::wire::proto::schema::{Kind, Message, OBJECT_META, Presence};

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
    let envelope = open(document, 0).ok()?;
    let (mut known, mut pods, mut list) = (KnownPods::default(), Vec::new(), Parts(envelope.object.rest()));
    if envelope.kind == "Pod" {
        pods.push(known.read(list.0)?);
        return Some(pods);
    }
    if envelope.kind != "PodList" {
        return None;
    }
    while !list.is_empty() {
        let item = list.next()?;
        if item.number != 2 {
            continue;
        }
        point();
        let bytes = item.bytes()?;
        pods.push(known.read(bytes)?);
        if pods.len() == 1 {
            // The others are likely to be as long.
            pods.reserve(list.0.len() / bytes.len().max(size_of::<Pod>()));
        }
    }
    Some(pods)
}

/// What Pods have had that others are likely to have too.
#[derive(Default)]
pub(super) struct KnownPods<'a> {
    /// A Pod that says nothing, as making one takes memory.
    empty: Pod,
    labels: Same<'a, Arc<BTreeMap<String, String>>>,
    ports: Same<'a, Arc<[ContainerPort]>>,
    sidecars: Vec<&'a [u8]>,
    namespace: Arc<str>,
    phase: Arc<str>,
    ready_since: (&'a [u8], SmolStr),
    /// Texts that are JSON, the last one first.
    json: Vec<&'a [u8]>,
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

/// Most texts to remember that are JSON: who manages which fields is the same in many Pods.
const MOST_JSON: usize = 8;
/// Objects and arrays within each other in such a text. Deeper ones are left to the translation, as it matters how deep the document is around them.
const LEVELS: usize = 64;

impl<'a> KnownPods<'a> {
    /// Read a Pod, if there is nothing to be told about it.
    pub(super) fn read(&mut self, message: &'a [u8]) -> Option<Pod> {
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
                _ => self.check(&OBJECT_META, &part, &mut seen)?,
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

    /// Look at a field that says nothing about endpoints.
    fn check(&mut self, message: &Message, part: &Part<'a>, seen: &mut Seen) -> Option<()> {
        let number = u32::try_from(part.number).ok()?;
        let Some(entry) = message.numbered(number).and_then(|which| message.0.get(which)) else { return Some(()) };
        match entry.presence {
            Presence::Map => return None,
            Presence::Repeated => {}
            _ => seen.once(part).map(drop)?,
        }
        match entry.kind {
            Kind::Text => part.word().map(drop),
            Kind::Boolean | Kind::Number => part.value().map(drop),
            Kind::Time => seconds(part.bytes()?).map(drop),
            Kind::Json => self.check_json(part.message()?),
            Kind::Message(inner) => self.check_message(inner, part.message()?),
            Kind::NumberOrText | Kind::Quantity => None,
        }
    }

    fn check_message(&mut self, message: &Message, mut parts: Parts<'a>) -> Option<()> {
        let mut seen = Seen::default();
        while !parts.is_empty() {
            self.check(message, &parts.next()?, &mut seen)?;
        }
        Some(())
    }

    fn check_json(&mut self, parts: Parts<'a>) -> Option<()> {
        let [bytes] = parts.each([1], Part::bytes)?;
        if bytes.is_empty() || self.json.contains(&bytes) {
            return Some(());
        }
        let text = std::str::from_utf8(bytes).ok()?;
        let mut inner = json::Reader::new(text).shallow(0, LEVELS);
        inner.canonical().ok()?;
        if inner.peek().is_some() {
            return None;
        }
        self.json.truncate(MOST_JSON - 1);
        self.json.insert(0, bytes);
        Some(())
    }
}

/// A text that is shared with who had it last.
fn same(last: &mut Arc<str>, text: &str) -> Arc<str> {
    if **last != *text {
        *last = text.into();
    }
    last.clone()
}

/// Kubernetes writes members in the order of their keys, so that none is there twice.
fn rises<'a>(last: &mut Option<&'a [u8]>, key: &'a [u8]) -> Option<()> {
    let before = last.replace(key);
    before.is_none_or(|before| before < key).then_some(())
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

/// Its type, whether it is true, and the time since when it is what it is.
#[inline]
fn condition(mut parts: Parts<'_>) -> Option<(&[u8], bool, &[u8])> {
    let (mut seen, mut kind, mut status, mut since) = (Seen::default(), &b""[..], &b""[..], &b""[..]);
    while !parts.is_empty() {
        let part = parts.next()?;
        match part.number {
            1 => kind = seen.once(&part)?.word()?,
            2 => status = seen.once(&part)?.word()?,
            4 => {
                since = seen.once(&part)?.bytes()?;
                seconds(since)?;
            }
            _ => {}
        }
    }
    Some((kind, status == b"True", since))
}

/// The seconds since 1970 of a time, which must be before the year 10,000.
#[inline]
fn seconds(time: &[u8]) -> Option<u64> {
    const END: u64 = 253_402_300_800;
    let [seconds] = Parts(time).each([1], Part::value)?;
    (seconds < END).then_some(seconds)
}

/// RFC 3339, `""` if it is not set.
fn rfc3339_of(time: &[u8]) -> Option<SmolStr> {
    if time.is_empty() { Some(SmolStr::default()) } else { rfc3339(seconds(time)?.try_into().ok()?).map(Into::into) }
}
