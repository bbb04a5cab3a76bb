//! What is known of the last list while the next is read.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::model::EndpointSlice;

/// What is where in a document.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    slices: Vec<Place>,
    /// Places of the endpoints of all slices, each counted from the beginning of its slice.
    endpoints: Vec<usize>,
}

/// Where a slice is in its document.
#[derive(Clone, Debug)]
struct Place {
    bytes: Range<usize>,
    around: Around,
    slice: Arc<EndpointSlice>,
    /// Which places of endpoints are its own.
    endpoints: Range<usize>,
}

/// What is around a slice. The same bytes in another place may be no slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Around {
    /// So many arrays and objects.
    Json(usize),
    Protobuf,
}

impl Contents {
    fn push(
        &mut self,
        bytes: Range<usize>,
        around: Around,
        slice: &Arc<EndpointSlice>,
        endpoints: impl Iterator<Item = usize>,
    ) {
        let start = self.endpoints.len();
        self.endpoints.extend(endpoints);
        self.slices.push(Place { bytes, around, slice: slice.clone(), endpoints: start..self.endpoints.len() });
    }
}

/// What is known of the last document while the next is read.
pub(super) struct Past<'a> {
    document: &'a [u8],
    contents: &'a Contents,
    /// The slice that is likely to be next.
    next: usize,
    /// Number of the slice of this namespace and name; made when it is first asked for.
    by_name: Option<HashMap<(&'a str, &'a str), usize>>,
    /// In the document that is read.
    found: Contents,
}

impl<'a> Past<'a> {
    pub(super) fn new(document: &'a [u8], contents: &'a Contents) -> Self {
        let found = Contents {
            slices: Vec::with_capacity(contents.slices.len()),
            endpoints: Vec::with_capacity(contents.endpoints.len()),
        };
        Self { document, contents, next: 0, by_name: None, found }
    }

    /// What is where in the document that was read, with no room for more.
    pub(super) fn found(mut self) -> Contents {
        self.found.slices.shrink_to_fit();
        self.found.endpoints.shrink_to_fit();
        self.found
    }

    /// The slice that is at a place of the document, if it is the one that is expected there, or the one behind it, and how many bytes it has.
    /// `is_here` tells whether these are its bytes.
    pub(super) fn same(
        &mut self,
        start: usize,
        around: Around,
        is_here: impl Fn(&[u8]) -> bool,
    ) -> Option<(Arc<EndpointSlice>, usize)> {
        let is_same = |place: &Place| place.around == around && is_here(&self.document[place.bytes.clone()]);
        let ahead = self.contents.slices.get(self.next..)?.iter().take(2).position(is_same)?;
        let place = &self.contents.slices[self.next + ahead];
        self.next += ahead + 1;
        let length = place.bytes.len();
        let endpoints = self.contents.endpoints[place.endpoints.clone()].iter().copied();
        self.found.push(start..start + length, around, &place.slice, endpoints);
        Some((place.slice.clone(), length))
    }

    /// The bytes of the slice that is expected next, the places of its endpoints, and the slice.
    pub(super) fn expected(&self, around: Around) -> Option<(&'a [u8], &'a [usize], &'a EndpointSlice)> {
        let place = self.contents.slices.get(self.next).filter(|place| place.around == around)?;
        Some((&self.document[place.bytes.clone()], &self.contents.endpoints[place.endpoints.clone()], &place.slice))
    }

    /// Take note of a slice that was read, and of the places of its endpoints in the document; expect after it what was after the one of that name.
    pub(super) fn note(
        &mut self,
        bytes: Range<usize>,
        around: Around,
        slice: &Arc<EndpointSlice>,
        endpoints: &[usize],
    ) {
        let start = bytes.start;
        self.found.push(bytes, around, slice, endpoints.iter().map(|place| place - start));
        self.next = self.after(slice);
    }

    /// Which slice comes after the one of this name.
    fn after(&mut self, slice: &EndpointSlice) -> usize {
        let slices = &self.contents.slices;
        if slices.get(self.next).is_some_and(|place| name_of(&place.slice) == name_of(slice)) {
            return self.next + 1;
        }
        let by_name = self.by_name.get_or_insert_with(|| {
            slices.iter().enumerate().map(|(number, place)| (name_of(&place.slice), number)).collect()
        });
        match by_name.get(&name_of(slice)) {
            Some(number) => number + 1,
            // One without a name is the one that was there; another is new.
            None => self.next + usize::from(slice.metadata.name.is_empty()),
        }
    }
}

fn name_of(slice: &EndpointSlice) -> (&str, &str) {
    (&slice.metadata.namespace, &slice.metadata.name)
}
