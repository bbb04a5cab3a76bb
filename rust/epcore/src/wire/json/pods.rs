//! Pods in, those that are spelled as others were by comparison.
//!
//! Pods of one owner are the same text but for a few values, and most of it says nothing about endpoints. A likeness is the text of a Pod
//! that the plain reader took, with holes where the values of Pods differ; a Pod with the same bytes around the holes, and in them values
//! of the same kind, is the same to the plain reader but for what the holes say. A text that says nothing becomes a hole once it differs.

use std::cell::Cell;

use crate::Error;
use crate::kube::Pod;
use crate::thread;
use crate::wire::json::likeness::{LEVELS, LONGEST, Likeness};
use crate::wire::json::objects::pod;
use crate::wire::json::reader::{MAX_DEPTH, Reader};
use crate::wire::json::stream::single_items;

/// Read Pods: one, a `PodList`, a `v1` `List`, an array or JSON lines.
///
/// # Errors
///
/// As [`read_service`](super::read_service), with paths such as `pods[7].status.podIPs`.
pub fn read_pods(document: &[u8]) -> Result<Vec<Pod>, Error> {
    Likenesses::kept(|likenesses| read_by(document, |reader, pods| likenesses.read(reader, pods)))
}

/// The same by the plain reader alone, which learns nothing from what it reads: slower, and there to be compared with.
///
/// # Errors
///
/// As [`read_pods`].
pub fn read_pods_plainly(document: &[u8]) -> Result<Vec<Pod>, Error> {
    read_by(document, |reader, pods| {
        pods.push(pod(reader)?);
        Ok(())
    })
}

fn read_by(
    document: &[u8],
    mut read: impl FnMut(&mut Reader<'_>, &mut Vec<Pod>) -> Result<(), Error>,
) -> Result<Vec<Pod>, Error> {
    let mut pods = Vec::new();
    single_items(document, "pods", "PodList", |reader| {
        let start = reader.position();
        read(reader, &mut pods)?;
        if pods.len() == 1 {
            // The others are likely to be as long.
            pods.reserve((document.len() - start) / (reader.position() - start).max(size_of::<Pod>()));
        }
        Ok(())
    })?;
    Ok(pods)
}

/// Most likenesses to remember.
const MOST_LIKENESSES: usize = 8;
/// Pods for each of which something may be learned, on average: where no two look alike, learning is lost work.
const PRICE: usize = 8;

thread_local! {
    /// What documents looked like that were read on this thread.
    static KEPT: Cell<Option<Box<Likenesses>>> = const { Cell::new(None) };
}

/// How Pods have been spelled, the last one first.
pub(super) struct Likenesses {
    learned: Vec<Likeness>,
    credit: usize,
}

impl Likenesses {
    /// Let `read` use what this thread has learned, and learn more. It makes reading faster and changes nothing of what is read.
    pub(super) fn kept<T>(read: impl FnOnce(&mut Self) -> T) -> T {
        let new = || Box::new(Self { learned: Vec::new(), credit: MOST_LIKENESSES * PRICE });
        let mut likenesses = thread::take(&KEPT).unwrap_or_else(new);
        let outcome = read(&mut likenesses);
        thread::keep(&KEPT, Some(likenesses));
        outcome
    }

    /// Read one Pod onto the end of others.
    pub(super) fn read(&mut self, reader: &mut Reader<'_>, pods: &mut Vec<Pod>) -> Result<(), Error> {
        reader.peek();
        let is_shallow = reader.depth() + LEVELS <= MAX_DEPTH;
        if is_shallow && self.find(reader, pods).is_some() {
            return Ok(());
        }
        let start = reader.clone();
        let read = pod(reader)?;
        if is_shallow && reader.position() - start.position() <= LONGEST && self.pay() {
            self.learn(&start, &read);
        }
        pods.push(read);
        Ok(())
    }

    /// Read one Pod that is alone.
    pub(super) fn read_one(&mut self, reader: &mut Reader<'_>) -> Result<Pod, Error> {
        let mut pods = Vec::with_capacity(1);
        self.read(reader, &mut pods)?;
        Ok(pods.pop().unwrap_or_default())
    }

    /// Append the Pod under the reader, if it is like one that is known; the reader steps over it.
    fn find(&mut self, reader: &mut Reader<'_>, pods: &mut Vec<Pod>) -> Option<()> {
        let fitting = |likeness: &mut Likeness| likeness.fit(reader);
        let (which, end) =
            self.learned.iter_mut().map(fitting).enumerate().find_map(|(which, end)| Some((which, end?)))?;
        self.learned[which].push(reader, pods)?;
        self.learned[..=which].rotate_right(1);
        self.credit = (self.credit + 1).min(MOST_LIKENESSES * PRICE);
        reader.jump(end);
        Some(())
    }

    fn pay(&mut self) -> bool {
        self.credit += 1;
        let can = self.credit > PRICE;
        if can {
            self.credit -= PRICE;
        }
        can
    }

    /// Make holes in a likeness where this Pod differs in what says nothing, or remember it as a new one.
    #[cold]
    fn learn(&mut self, start: &Reader<'_>, pod: &Pod) {
        let wider = self.learned.iter().enumerate().find_map(|(which, one)| Some((which, one.widened(start)?)));
        if let Some((which, wider)) = wider {
            self.learned[which] = wider;
        } else if let Some(new) = Likeness::of(start, pod) {
            self.learned.truncate(MOST_LIKENESSES - 1);
            self.learned.insert(0, new);
        }
    }
}
