//! Endpoints of a slice that was in the last document too: those whose text is the same are taken from there.

use std::ops::Range;

use crate::Error;
use crate::model::{AddressType, EndpointList, EndpointSlice};
use crate::wire::json::reader::Reader;

/// Where the array of endpoints begins that is read, and where each of them ends, if somebody wants to know.
#[derive(Default)]
pub(super) struct Places(Option<Vec<usize>>);

impl Places {
    /// Those of a slice, none yet.
    pub(super) fn noted() -> Self {
        Self(Some(Vec::new()))
    }

    pub(super) fn get(&self) -> &[usize] {
        self.0.as_deref().unwrap_or_default()
    }

    pub(super) fn clear(&mut self) {
        if let Some(places) = &mut self.0 {
            places.clear();
        }
    }

    #[inline]
    pub(super) fn push(&mut self, place: usize) {
        if let Some(places) = &mut self.0 {
            places.push(place);
        }
    }

    /// Take back the last ones, of so many endpoints.
    pub(super) fn take_back(&mut self, count: usize) {
        if let Some(places) = &mut self.0 {
            places.truncate(places.len() - count);
        }
    }

    fn extend(&mut self, more: impl Iterator<Item = usize>) {
        if let Some(places) = &mut self.0 {
            places.extend(more);
        }
    }
}

/// The endpoints that a slice had, and their text.
#[derive(Clone, Copy)]
pub(super) struct Before<'a> {
    /// Of the slice.
    text: &'a [u8],
    /// As [`Places`] has them, counted from the beginning of the text.
    places: &'a [usize],
    slice: &'a EndpointSlice,
}

impl<'a> Before<'a> {
    /// The endpoints of a slice; `None` if there are none, or if their list has so much other text that reading them is better.
    pub(super) fn new(text: &'a [u8], places: &'a [usize], slice: &'a EndpointSlice) -> Option<Self> {
        (places.len() > 1 && !slice.endpoints.is_wasteful()).then_some(Self { text, places, slice })
    }

    /// Those under the reader: the first of some endpoints whose text is there, and the ones behind it, as far as they are the same. An object
    /// ends itself: text that begins as this one does begins with it.
    pub(super) fn run(&self, among: Range<usize>, reader: &Reader<'_>) -> Option<Range<usize>> {
        let rest = &reader.bytes()[reader.position()..];
        let among = among.start..among.end.min(self.places.len() - 1);
        among.map(|first| first..first + self.count(first, rest)).find(|run| !run.is_empty())
    }

    /// How many endpoints from this one on have the text that is here.
    fn count(&self, first: usize, mut rest: &[u8]) -> usize {
        let mut from = self.start(first);
        let is_here = |&&end: &&usize| {
            let after = rest.strip_prefix(&self.text[from..end]);
            (from, rest) = (end, after.unwrap_or_default());
            after.is_some()
        };
        self.places[first + 1..].iter().take_while(is_here).count()
    }

    /// Where an endpoint begins: behind the bracket or comma, and space.
    fn start(&self, index: usize) -> usize {
        let before = self.places[index];
        let is_between = |byte: &&u8| matches!(byte, b'[' | b',' | b' ' | b'\n' | b'\r' | b'\t');
        before + self.text[before..].iter().take_while(is_between).count()
    }

    /// Append these endpoints to a list of [`Before::list`], and step over them.
    pub(super) fn carry(
        &self,
        run: Range<usize>,
        reader: &mut Reader<'_>,
        list: &mut EndpointList,
        places: &mut Places,
    ) {
        let (from, start) = (self.start(run.start), reader.position());
        let place = |end: usize| start + (end - from);
        places.extend(self.places[run.start + 1..=run.end].iter().map(|&end| place(end)));
        reader.jump(place(self.places[run.end]));
        list.push_range_of(&self.slice.endpoints, run);
    }

    /// A list of the endpoints of another one, to which those that were there before can be carried.
    pub(super) fn list(&self, endpoints: &EndpointList) -> Result<EndpointList, Error> {
        endpoints.onto_text_of(&self.slice.endpoints)
    }

    /// True if no rule can refuse one of them in a slice of IPv4.
    pub(super) fn are_sound(&self) -> bool {
        self.slice.address_type == AddressType::IPv4
    }
}
