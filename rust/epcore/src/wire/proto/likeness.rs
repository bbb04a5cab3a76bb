//! The message of a Pod with holes where the values of Pods differ.

use std::ops::Range;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::kube::Pod;
use crate::wire::proto::checked::{Checked, rfc3339_of, seconds};
use crate::wire::proto::parts::Parts;
use crate::wire::proto::pod_values::{Says, Value};

/// Longest Pod to remember, and most values in it that may differ.
pub(super) const LONGEST: usize = 24 << 10;
const MOST_HOLES: usize = 64;
/// Messages within each other.
const LEVELS: usize = 8;

/// The bytes before something that differs, and what it is.
#[derive(Clone)]
struct Step {
    same: Range<usize>,
    next: Next,
}

#[derive(Clone)]
enum Next {
    /// The length of a message in which something differs, of so many around it.
    Open(usize),
    /// Its end.
    Close(usize),
    Hole(Hole),
}

#[derive(Clone)]
struct Hole {
    says: Says,
    /// Where it is in the Pod that was compared last.
    place: Range<usize>,
}

#[derive(Clone)]
pub(super) struct Likeness {
    bytes: Arc<[u8]>,
    values: Vec<Value>,
    steps: Vec<Step>,
    /// Where what is behind the last step begins.
    rest: usize,
    /// The Pod without what the holes say, and the time that its `ready_since` was made of.
    pod: Pod,
    since: Option<Vec<u8>>,
}

impl Likeness {
    /// Learn from a Pod of which the reader made `pod`.
    pub(super) fn of(bytes: &[u8], values: Vec<Value>, pod: &Pod) -> Option<Self> {
        let (steps, rest) = steps_of(&values)?;
        let mut pod = pod.clone();
        if values.iter().any(|value| value.says == Says::Uid) {
            // The longest of what each Pod has of its own: no copy of this one is needed.
            pod.uid = SmolStr::default();
        }
        Some(Self { bytes: bytes.into(), values, steps, rest, pod, since: None })
    }

    /// Append the Pod of these bytes to others, if it fits.
    #[inline]
    pub(super) fn read<'a>(&mut self, bytes: &'a [u8], checked: &mut Checked<'a>, pods: &mut Vec<Pod>) -> Option<()> {
        self.fit(bytes)?;
        // It is made where it stays.
        pods.push(self.pod.clone());
        let filled = pods.last_mut().and_then(|pod| self.fill(bytes, checked, pod));
        if filled.is_none() {
            pods.pop();
        }
        filled
    }

    /// Find the holes in a Pod, if it is the same around them.
    fn fit(&mut self, bytes: &[u8]) -> Option<()> {
        // Ends are told by what is left behind them.
        let (mut rest, mut ends) = (Parts(bytes), [0; LEVELS]);
        for step in &mut self.steps {
            rest.0 = rest.0.strip_prefix(self.bytes.get(step.same.clone())?)?;
            match &mut step.next {
                Next::Open(level) => {
                    let length = usize::try_from(rest.number()?).ok()?;
                    ends[*level] = rest.0.len().checked_sub(length)?;
                }
                Next::Close(level) => (ends[*level] == rest.0.len()).then_some(())?,
                Next::Hole(hole) => {
                    let start = bytes.len() - rest.0.len();
                    let number = rest.number()?;
                    hole.place = start..bytes.len() - rest.0.len();
                    if hole.says != Says::Number {
                        let length = usize::try_from(number).ok()?;
                        rest.0 = rest.0.get(length..)?;
                        hole.place = hole.place.end..hole.place.end + length;
                    }
                }
            }
        }
        (rest.0 == &self.bytes[self.rest..]).then_some(())
    }

    /// Take what the holes say. Where there is something to be told about it, another reader knows what that means.
    fn fill<'a>(&mut self, bytes: &'a [u8], checked: &mut Checked<'a>, pod: &mut Pod) -> Option<()> {
        for step in &self.steps {
            let Next::Hole(hole) = &step.next else { continue };
            let bytes = bytes.get(hole.place.clone())?;
            let text = || std::str::from_utf8(bytes).ok();
            match &hole.says {
                Says::Name => pod.name = text().filter(|name| !name.is_empty())?.into(),
                Says::Ip(number) => *pod.ips.get_mut(*number)? = text().filter(|ip| !ip.is_empty())?.into(),
                Says::Uid => pod.uid = text()?.into(),
                Says::Version => pod.resource_version = text()?.into(),
                Says::NodeName => pod.node_name = text()?.into(),
                Says::Hostname => pod.hostname = text()?.into(),
                Says::Deletion => pod.deletion_timestamp = rfc3339_of(bytes)?,
                Says::ReadySince => {
                    if self.since.as_deref() != Some(bytes) {
                        self.pod.ready_since = rfc3339_of(bytes)?;
                        self.since = Some(bytes.to_vec());
                    }
                    pod.ready_since = self.pod.ready_since.clone();
                }
                Says::Label(key) => {
                    let value = text()?;
                    if self.pod.labels.get(&**key).is_none_or(|last| last != value) {
                        Arc::make_mut(&mut self.pod.labels).insert((**key).to_owned(), value.to_owned());
                        pod.labels = self.pod.labels.clone();
                    }
                }
                Says::Text => (bytes.is_ascii() || text().is_some()).then_some(())?,
                Says::Time => drop(seconds(bytes)?),
                Says::Json => checked.json(bytes)?,
                Says::Number | Says::Bytes | Says::Message => {}
            }
        }
        Some(())
    }

    /// The same with holes for the values that another Pod has in another way.
    pub(super) fn widened(&self, bytes: &[u8], others: &[Value]) -> Option<Self> {
        fn says(values: &[Value]) -> impl Iterator<Item = &Says> {
            values.iter().map(|value| &value.says)
        }
        if self.values.len() != others.len() || says(&self.values).ne(says(others)) {
            return None;
        }
        let mut wider = self.clone();
        for (value, other) in wider.values.iter_mut().zip(others) {
            value.differs |=
                value.says != Says::Message && self.bytes[value.place.clone()] != bytes[other.place.clone()];
        }
        (wider.steps, wider.rest) = steps_of(&wider.values)?;
        wider.since = None;
        wider.fit(bytes)?;
        Some(wider)
    }
}

/// What to compare and to take, and where the rest begins.
fn steps_of(values: &[Value]) -> Option<(Vec<Step>, usize)> {
    let (mut steps, mut from, mut open) = (Vec::new(), 0, Vec::new());
    let mut step = |to: usize, after: usize, next: Next| {
        steps.push(Step { same: from..to, next });
        from = after;
    };
    for (which, value) in values.iter().enumerate() {
        close(&mut open, value.start, &mut step);
        if value.says != Says::Message {
            if value.differs {
                let hole = Hole { says: value.says.clone(), place: 0..0 };
                step(value.start, value.place.end, Next::Hole(hole));
            }
            continue;
        }
        let mut within = values[which + 1..].iter().take_while(|inner| inner.start < value.place.end);
        if within.any(|inner| inner.differs) {
            step(value.start, value.place.start, Next::Open(open.len()));
            open.push(value.place.end);
        }
    }
    close(&mut open, usize::MAX, &mut step);
    let holes = steps.iter().filter(|step| matches!(step.next, Next::Hole(_))).count();
    let is_deep = steps.iter().any(|step| matches!(step.next, Next::Open(LEVELS..)));
    (holes <= MOST_HOLES && !is_deep).then_some((steps, from))
}

/// Close the messages that end before a place.
fn close(open: &mut Vec<usize>, place: usize, step: &mut impl FnMut(usize, usize, Next)) {
    while let Some(end) = open.pop_if(|end| *end <= place) {
        step(end, end, Next::Close(open.len()));
    }
}
