//! The next list, read by what is kept of the last: objects whose text did not change are not read again.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::Error;
use crate::model::EndpointSlice;
use crate::wire::json::carry::{Before, Places};
use crate::wire::json::documents::read_slices_by;
use crate::wire::json::reader::Reader;
use crate::wire::json::slice::read_valid_slice_after;
use crate::wire::json::template::Templates;

/// Slices, and the document that they were read from, to read the next one by.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use epcore::wire::json::Listing;
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
    /// The [`Places`] of all endpoints, each counted from the beginning of its slice.
    endpoints: Vec<usize>,
}

/// Where a slice is in its document, and how many arrays and objects around it.
#[derive(Clone, Debug)]
struct Place {
    text: Range<usize>,
    depth: usize,
    slice: Arc<EndpointSlice>,
    /// Which places of endpoints are its own.
    endpoints: Range<usize>,
}

impl<D: AsRef<[u8]>> Listing<D> {
    /// Read a document as [`read_slices`](crate::wire::json::read_slices) does, and keep it.
    ///
    /// # Errors
    ///
    /// Those of [`read_slices`](crate::wire::json::read_slices).
    pub fn read(document: Arc<D>) -> Result<Self, Error> {
        Self::by(document, Past::new(&[], &Contents::default()))
    }

    /// Read the next document. What comes of it, slices or error, is what [`Listing::read`] makes of it. An object with the same bytes
    /// as in this document costs their comparison, wherever the list has grown or shrunk, and its slice is the same one; so does an endpoint
    /// of a slice that changed, and a copy.
    ///
    /// # Errors
    ///
    /// As [`Listing::read`]; this listing stays what it was.
    pub fn next(&self, document: Arc<D>) -> Result<Self, Error> {
        Self::by(document, Past::new((*self.document).as_ref(), &self.contents))
    }

    fn by(document: Arc<D>, mut past: Past<'_>) -> Result<Self, Error> {
        let (slices, _) = Templates::kept(|templates| {
            templates.places = Places::noted();
            read_slices_by((*document).as_ref(), templates, Some(&mut past))
        })?;
        Ok(Self { contents: past.found, slices: Arc::new(slices), document })
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
        text: Range<usize>,
        depth: usize,
        slice: &Arc<EndpointSlice>,
        endpoints: impl Iterator<Item = usize>,
    ) {
        let start = self.endpoints.len();
        self.endpoints.extend(endpoints);
        self.slices.push(Place { text, depth, slice: slice.clone(), endpoints: start..self.endpoints.len() });
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

    /// Read the slice under the reader, as far as it is not as it was.
    pub(super) fn read(
        &mut self,
        reader: &mut Reader<'_>,
        templates: &mut Templates,
    ) -> Result<Arc<EndpointSlice>, Error> {
        if let Some(slice) = self.step_over(reader) {
            return Ok(slice);
        }
        let (start, depth) = (reader.position(), reader.depth());
        templates.places.clear();
        let slice = Arc::new(read_valid_slice_after(reader, templates, self.expected(depth))?);
        let endpoints = templates.places.get().iter().map(|place| place - start);
        self.found.push(start..reader.position(), depth, &slice, endpoints);
        self.next = self.after(&slice);
        Ok(slice)
    }

    /// The slice under the reader, if it is the one that is expected there, or the one behind it; the reader steps over it.
    fn step_over(&mut self, reader: &mut Reader<'_>) -> Option<Arc<EndpointSlice>> {
        let (start, depth) = (reader.position(), reader.depth());
        let rest = &reader.bytes()[start..];
        // An object ends itself: text that begins as this one does begins with it. Deeper, it might be nested too deep.
        let is_here = |place: &Place| depth == place.depth && rest.starts_with(&self.document[place.text.clone()]);
        let ahead = self.contents.slices.get(self.next..)?.iter().take(2).position(is_here)?;
        let place = &self.contents.slices[self.next + ahead];
        self.next += ahead + 1;
        reader.jump(start + place.text.len());
        let endpoints = self.contents.endpoints[place.endpoints.clone()].iter().copied();
        self.found.push(start..reader.position(), depth, &place.slice, endpoints);
        Some(place.slice.clone())
    }

    /// The endpoints of the slice that is expected next.
    fn expected(&self, depth: usize) -> Option<Before<'a>> {
        let place = self.contents.slices.get(self.next).filter(|place| place.depth == depth)?;
        let places = &self.contents.endpoints[place.endpoints.clone()];
        Before::new(&self.document[place.text.clone()], places, &place.slice)
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
