//! The text of a Pod with holes where the values of Pods differ.

use std::sync::Arc;

use crate::kube::Pod;
use crate::wire::json::hole::{Field, Hole, after};
use crate::wire::json::pod_values::Walk;
use crate::wire::json::reader::Reader;

/// Longest Pod to remember, most holes in it, and most values that may become some.
pub(super) const LONGEST: usize = 32 << 10;
const MOST_HOLES: usize = 64;
const MOST_SPARE: usize = 256;
/// Objects and arrays within each other in what is remembered: it is right wherever there is room for so many.
pub(super) const LEVELS: usize = 64;

#[derive(Clone)]
pub(super) struct Likeness {
    text: Arc<str>,
    holes: Vec<Hole>,
    /// Values that would be holes if they differed.
    spare: Vec<Hole>,
    /// The Pod without what the holes say.
    pod: Pod,
}

impl Likeness {
    /// Learn from the Pod under the reader, of which the plain reader made `pod`.
    pub(super) fn of(start: &Reader<'_>, pod: &Pod) -> Option<Self> {
        let mut reader = start.shallow(start.position(), LEVELS);
        let (holes, mut spare) = Walk::of(&mut reader)?;
        spare.truncate(MOST_SPARE);
        let mut pod = pod.clone();
        for hole in &holes {
            // An empty address is none, and has no place.
            if matches!(hole.field, Field::Ip(number) if number >= pod.ips.len()) {
                return None;
            }
            hole.field.set(&mut pod, "");
        }
        let text = reader.text(start.position(), reader.position()).ok()?.into();
        (holes.len() <= MOST_HOLES).then_some(Self { text, holes, spare, pod })
    }

    /// Where the Pod under the reader ends, if it fits.
    pub(super) fn fit(&mut self, reader: &Reader<'_>) -> Option<usize> {
        let bytes = reader.bytes();
        let (mut at, mut from) = (reader.position(), 0);
        for hole in &mut self.holes {
            at = after(&self.text.as_bytes()[from..hole.place.start], bytes, at)?;
            at = hole.fill(bytes, at)?;
            from = hole.place.end;
        }
        after(&self.text.as_bytes()[from..], bytes, at)
    }

    /// Append the Pod that fits. Where a text is missing that Pods have, the plain reader knows what that means.
    pub(super) fn push(&mut self, reader: &Reader<'_>, pods: &mut Vec<Pod>) -> Option<()> {
        // It is made where it stays.
        pods.push(self.pod.clone());
        let filled = pods.last_mut().and_then(|pod| self.fill(reader, pod));
        if filled.is_none() {
            pods.pop();
        }
        filled
    }

    fn fill(&mut self, reader: &Reader<'_>, pod: &mut Pod) -> Option<()> {
        let mut reader = reader.clone();
        for hole in &self.holes {
            if matches!(hole.field, Field::Text | Field::Spelled | Field::Word) {
                continue;
            }
            let value = reader.text(hole.at, hole.at + hole.length).ok()?;
            match &hole.field {
                Field::Name | Field::Ip(_) if value.is_empty() => return None,
                Field::Label(key) if self.pod.labels.get(&**key).is_none_or(|last| last != value) => {
                    hole.field.set(&mut self.pod, value);
                    pod.labels = self.pod.labels.clone();
                }
                Field::Label(_) => {}
                field => field.set(pod, value),
            }
        }
        Some(())
    }

    /// The same with holes for the values that the Pod under the reader has in another way.
    pub(super) fn widened(&self, reader: &Reader<'_>) -> Option<Self> {
        let bytes = reader.bytes();
        let mut wider = self.clone();
        let (mut at, mut from, mut number) = (reader.position(), 0, 0);
        loop {
            let end = wider.holes.get(number).map_or(wider.text.len(), |hole| hole.place.start);
            let Some(next) = after(&wider.text.as_bytes()[from..end], bytes, at) else {
                wider.open(from, bytes.get(at..)?, number)?;
                continue;
            };
            let Some(hole) = wider.holes.get_mut(number) else { return Some(wider) };
            at = hole.fill(bytes, next)?;
            from = hole.place.end;
            number += 1;
        }
    }

    /// Make a hole, hole number `number`, of the spare value in which the text differs from what is there.
    fn open(&mut self, from: usize, there: &[u8], number: usize) -> Option<()> {
        let same = self.text.as_bytes()[from..].iter().zip(there).take_while(|(one, other)| one == other).count();
        // Where one value is the beginning of another, they differ in what is behind it.
        let differs =
            |hole: &Hole| hole.place.start <= from + same && from + same <= hole.place.end && hole.place.start >= from;
        let which = self.spare.iter().position(differs)?;
        (self.holes.len() < MOST_HOLES).then_some(())?;
        self.holes.insert(number, self.spare.remove(which));
        Some(())
    }
}
