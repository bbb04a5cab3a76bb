//! The next list, read by what is kept of the last: objects whose bytes did not change are not read again.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::Error;
use crate::model::EndpointSlice;
use crate::wire::{json, proto};

/// Slices, and the document that they were read from, to read the next one by.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use epcore::wire::Listing;
///
/// let slice = |name: &str| format!(r#"{{"metadata": {{"name": "{name}"}}, "addressType": "IPv4", "endpoints": [], "ports": []}}"#);
/// let first = Listing::read(Arc::new(format!("[{},{}]", slice("a"), slice("b"))))?;
/// let next = first.next(Arc::new(format!("[{},{}]", slice("c"), slice("b"))))?;
/// assert!(Arc::ptr_eq(&first.slices()[1], &next.slices()[1]));
/// # Ok::<(), epcore::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Listing<D> {
    document: Arc<D>,
    contents: Contents,
    slices: Arc<Vec<Arc<EndpointSlice>>>,
}

/// What is where in a document.
#[derive(Clone, Debug, Default)]
struct Contents {
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

impl<D: AsRef<[u8]>> Listing<D> {
    /// Read a document as [`read_slices`](crate::wire::read_slices) does, and keep it.
    ///
    /// # Errors
    ///
    /// Those of [`read_slices`](crate::wire::read_slices).
    pub fn read(document: Arc<D>) -> Result<Self, Error> {
        Self::by(document, Past::new(&[], &Contents::default()))
    }

    /// Read the next document. What comes of it, slices or error, is what [`Listing::read`] makes of it. An object with the same bytes
    /// as in this document costs their comparison, wherever the list has grown or shrunk, and its slice is the same one; in JSON so does an
    /// endpoint of a slice that changed, and a copy.
    ///
    /// # Errors
    ///
    /// As [`Listing::read`]; this listing stays what it was.
    pub fn next(&self, document: Arc<D>) -> Result<Self, Error> {
        Self::by(document, Past::new((*self.document).as_ref(), &self.contents))
    }

    fn by(document: Arc<D>, mut past: Past<'_>) -> Result<Self, Error> {
        let bytes = (*document).as_ref();
        let read = if proto::is_protobuf(bytes) { proto::read_slices_after } else { json::read_slices_after };
        let slices = read(bytes, &mut past)?;
        Ok(Self { contents: past.found.shrunk(), slices: Arc::new(slices), document })
    }

    /// The slices of the document.
    #[must_use]
    pub fn slices(&self) -> &Arc<Vec<Arc<EndpointSlice>>> {
        &self.slices
    }
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

    /// The same without room for more.
    fn shrunk(mut self) -> Self {
        self.slices.shrink_to_fit();
        self.endpoints.shrink_to_fit();
        self
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
    fn new(document: &'a [u8], contents: &'a Contents) -> Self {
        let found = Contents {
            slices: Vec::with_capacity(contents.slices.len()),
            endpoints: Vec::with_capacity(contents.endpoints.len()),
        };
        Self { document, contents, next: 0, by_name: None, found }
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
