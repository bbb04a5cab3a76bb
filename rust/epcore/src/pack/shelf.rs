//! Slices of a Service that change, of which plans keep what they were.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::EndpointSlice;

/// Slices by name. What they are [`now`](Self::now) can be asked for at any later time: that costs a word about each change for as long as somebody
/// may ask, however many slices there are.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    now: Arc<Moment>,
    size: usize,
}

/// What the slices of a shelf were when somebody took it.
#[derive(Debug, Default)]
pub(crate) struct Moment {
    /// How many changes were noted before.
    number: usize,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    slices: BTreeMap<String, Arc<EndpointSlice>>,
    /// What takes the last changes back, oldest first: all since the first moment that may be asked for and is not copied.
    undo: VecDeque<Undo>,
    /// How many changes were noted, all those of `undo` the last of them.
    noted: usize,
    /// Moments that may be asked for, but for the last, oldest first.
    past: VecDeque<Past>,
}

#[derive(Debug)]
enum Undo {
    Put(Arc<EndpointSlice>),
    Take(String),
}

#[derive(Debug)]
struct Past {
    number: usize,
    /// Once that takes less room than the changes since.
    copy: Option<Vec<Arc<EndpointSlice>>>,
}

/// So many more changes than slices are noted before what was is copied.
const FEW: usize = 32;

impl Shelf {
    pub(crate) fn len(&self) -> usize {
        self.size
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<EndpointSlice>> {
        self.now.lock().slices.get(name).cloned()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.now.lock().slices.contains_key(name)
    }

    /// What is there, to be asked for later.
    pub(crate) fn now(&self) -> Arc<Moment> {
        self.now.clone()
    }

    /// Make the slice of a name so, `None` if it is not there; tells what was there.
    pub(crate) fn set(&mut self, name: &str, slice: Option<&Arc<EndpointSlice>>) -> Option<Arc<EndpointSlice>> {
        let is_taken = Arc::get_mut(&mut self.now).is_none();
        let mut kept = self.now.lock();
        if slice.is_none() && !kept.slices.contains_key(name) {
            return None;
        }
        if is_taken {
            kept.past.push_back(Past { number: self.now.number, copy: None });
        }
        let before = kept.set(name, slice);
        let (number, size) = (kept.noted, kept.slices.len());
        drop(kept);
        self.size = size;
        // Where nobody has the old one any more, it goes here, and looks at what is kept.
        match Arc::get_mut(&mut self.now).filter(|_| !is_taken) {
            Some(now) => now.number = number,
            None => self.now = Arc::new(Moment { number, kept: self.now.kept.clone() }),
        }
        before
    }
}

/// A copy changes by itself.
impl Clone for Shelf {
    fn clone(&self) -> Self {
        let slices = self.now.lock().slices.clone();
        let kept = Kept { slices, ..Kept::default() };
        Self { now: Arc::new(Moment { number: 0, kept: Arc::new(Mutex::new(kept)) }), size: self.size }
    }
}

impl Moment {
    /// The slices, by name.
    pub(crate) fn slices(&self) -> Vec<Arc<EndpointSlice>> {
        self.lock().at(self.number)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        self.lock().forget(self.number);
    }
}

impl Kept {
    fn set(&mut self, name: &str, slice: Option<&Arc<EndpointSlice>>) -> Option<Arc<EndpointSlice>> {
        let before = match (self.slices.get_mut(name), slice) {
            (Some(place), Some(slice)) => Some(std::mem::replace(place, slice.clone())),
            (Some(_), None) => self.slices.remove(name),
            (None, Some(slice)) => self.slices.insert(name.to_owned(), slice.clone()),
            (None, None) => None,
        };
        if !self.past.is_empty() {
            self.undo.push_back(before.clone().map_or_else(|| Undo::Take(name.to_owned()), Undo::Put));
            self.noted += 1;
            self.copy_oldest();
        }
        before
    }

    /// Let the changes be no more than the slices are: nobody who asks late makes them grow for ever.
    fn copy_oldest(&mut self) {
        while self.undo.len() > self.slices.len() + FEW {
            let at = self.past.partition_point(|past| past.copy.is_some());
            let Some(number) = self.past.get(at).map(|past| past.number) else { return };
            let slices = self.at(number);
            self.past[at].copy = Some(slices);
            self.trim();
        }
    }

    fn at(&self, number: usize) -> Vec<Arc<EndpointSlice>> {
        if let Ok(at) = self.past.binary_search_by_key(&number, |past| past.number)
            && let Some(copy) = &self.past[at].copy
        {
            return copy.clone();
        }
        let mut slices: BTreeMap<&str, &Arc<EndpointSlice>> =
            self.slices.iter().map(|(name, slice)| (&**name, slice)).collect();
        for undo in self.undo.iter().rev().take(self.noted - number) {
            match undo {
                Undo::Put(slice) => slices.insert(&slice.metadata.name, slice),
                Undo::Take(name) => slices.remove(&**name),
            };
        }
        slices.into_values().cloned().collect()
    }

    fn forget(&mut self, number: usize) {
        if let Ok(at) = self.past.binary_search_by_key(&number, |past| past.number) {
            self.past.remove(at);
            self.trim();
        }
    }

    fn trim(&mut self) {
        let oldest = self.past.get(self.past.partition_point(|past| past.copy.is_some()));
        let needed = oldest.map_or(0, |past| self.noted - past.number);
        self.undo.drain(..self.undo.len() - needed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(name: &str, version: usize) -> Arc<EndpointSlice> {
        let mut slice = EndpointSlice::empty();
        slice.metadata.name = name.to_owned();
        slice.metadata.resource_version = version.to_string();
        Arc::new(slice)
    }

    fn noted(shelf: &Shelf) -> (usize, usize) {
        let kept = shelf.now.lock();
        (kept.undo.len(), kept.past.len())
    }

    /// A change of some slice, another one for each number: it comes, changes or goes.
    fn change(shelf: &mut Shelf, model: &mut BTreeMap<String, Arc<EndpointSlice>>, number: usize) {
        let name = format!("s{}", number * 7 % 11);
        let slice = (!number.is_multiple_of(5)).then(|| slice(&name, number));
        let before = shelf.set(&name, slice.as_ref());
        let expected = match slice {
            Some(slice) => model.insert(name, slice),
            None => model.remove(&name),
        };
        assert_eq!(before, expected);
        assert_eq!((shelf.len(), shelf.now().slices()), (model.len(), model.values().cloned().collect()));
    }

    #[test]
    fn a_moment_is_what_was_there_however_much_changed_since() {
        let (mut shelf, mut model, mut had) = (Shelf::default(), BTreeMap::new(), Vec::new());
        for number in 0..1_000 {
            if number % 3 == 0 || number % 10 > 6 {
                had.push((shelf.now(), model.values().cloned().collect::<Vec<_>>()));
            }
            change(&mut shelf, &mut model, number);
            if number % 4 == 0 && had.len() > 30 {
                had.remove(number % had.len());
            }
            assert!(noted(&shelf).0 <= 11 + FEW);
        }
        assert!(had.len() > 100);
        for (moment, slices) in had {
            assert_eq!(moment.slices(), slices);
        }
        assert_eq!(noted(&shelf), (0, 0));
    }

    #[test]
    fn nothing_is_noted_that_nobody_may_ask_for() {
        let (mut shelf, mut model) = (Shelf::default(), BTreeMap::new());
        for number in 0..100 {
            change(&mut shelf, &mut model, number);
            assert_eq!(noted(&shelf), (0, 0));
        }
        let moment = shelf.now();
        for number in 100..110 {
            change(&mut shelf, &mut model, number);
        }
        assert_eq!(noted(&shelf), (10, 1));
        drop(moment);
        assert_eq!(noted(&shelf), (0, 0));
    }

    #[test]
    fn a_copy_of_a_shelf_changes_by_itself() {
        let (mut shelf, mut model) = (Shelf::default(), BTreeMap::new());
        (1..5).for_each(|number| change(&mut shelf, &mut model, number));
        let moment = shelf.now();
        let mut copy = shelf.clone();
        copy.set("s7", None);
        copy.set("other", Some(&slice("other", 1)));
        assert_eq!(moment.slices(), shelf.now().slices());
        assert_eq!((shelf.len(), copy.len(), copy.has("other"), shelf.has("other")), (4, 4, true, false));
    }
}
