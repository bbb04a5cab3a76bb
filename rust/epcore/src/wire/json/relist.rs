//! The next list, read by what is kept of the last: objects whose text did not change are not read again.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::Error;
use crate::model::EndpointSlice;
use crate::wire::json::documents::read_slices_by;
use crate::wire::json::reader::Reader;
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
    places: Vec<Place>,
    slices: Arc<Vec<Arc<EndpointSlice>>>,
}

/// Where a slice is in its document, and how many arrays and objects around it.
#[derive(Clone, Debug)]
struct Place {
    text: Range<usize>,
    depth: usize,
    slice: Arc<EndpointSlice>,
}

impl<D: AsRef<[u8]>> Listing<D> {
    /// Read a document as [`read_slices`](crate::wire::json::read_slices) does, and keep it.
    ///
    /// # Errors
    ///
    /// Those of [`read_slices`](crate::wire::json::read_slices).
    pub fn read(document: Arc<D>) -> Result<Self, Error> {
        Self::by(document, Past::default())
    }

    /// Read the next document. What comes of it, slices or error, is what [`Listing::read`] makes of it; an object with the same bytes
    /// as in this document costs their comparison, wherever the list has grown or shrunk, and its slice is the same one.
    ///
    /// # Errors
    ///
    /// As [`Listing::read`]; this listing stays what it was.
    pub fn next(&self, document: Arc<D>) -> Result<Self, Error> {
        Self::by(document, Past { document: (*self.document).as_ref(), places: &self.places, ..Past::default() })
    }

    fn by(document: Arc<D>, mut past: Past<'_>) -> Result<Self, Error> {
        let (slices, _) =
            Templates::kept(|templates| read_slices_by((*document).as_ref(), templates, Some(&mut past)))?;
        Ok(Self { places: past.found, slices: Arc::new(slices), document })
    }

    /// The slices of the document.
    #[must_use]
    pub fn slices(&self) -> &Arc<Vec<Arc<EndpointSlice>>> {
        &self.slices
    }
}

/// What is known of the last document while the next is read.
#[derive(Default)]
pub(super) struct Past<'a> {
    document: &'a [u8],
    places: &'a [Place],
    /// The place whose text is likely to be next.
    next: usize,
    /// Number of the place that has a slice of this namespace and name; made when it is first asked for.
    by_name: Option<HashMap<(&'a str, &'a str), usize>>,
    /// The places in the document that is read.
    found: Vec<Place>,
}

impl Past<'_> {
    /// The slice under the reader, if it is the one that is expected there, or the one behind it; the reader steps over it.
    pub(super) fn step_over(&mut self, reader: &mut Reader<'_>) -> Option<Arc<EndpointSlice>> {
        let start = reader.position();
        let rest = &reader.bytes()[start..];
        // An object ends itself: text that begins as this one does begins with it. Deeper, it might be nested too deep.
        let is_here =
            |place: &Place| reader.depth() == place.depth && rest.starts_with(&self.document[place.text.clone()]);
        let ahead = self.places.get(self.next..)?.iter().take(2).position(is_here)?;
        let place = &self.places[self.next + ahead];
        let end = start + place.text.len();
        self.found.push(Place { text: start..end, ..place.clone() });
        self.next += ahead + 1;
        reader.jump(end);
        Some(place.slice.clone())
    }

    /// Take note of a slice that was read, and expect after it what was after the one of that name.
    pub(super) fn note(&mut self, text: Range<usize>, depth: usize, slice: &Arc<EndpointSlice>) {
        self.found.push(Place { text, depth, slice: slice.clone() });
        let places = self.places;
        let by_name = self.by_name.get_or_insert_with(|| {
            places.iter().enumerate().map(|(number, place)| (name_of(&place.slice), number)).collect()
        });
        self.next = match by_name.get(&name_of(slice)) {
            Some(number) => number + 1,
            // One without a name is the one that was there; another is new.
            None => self.next + usize::from(slice.metadata.name.is_empty()),
        };
    }
}

fn name_of(slice: &EndpointSlice) -> (&str, &str) {
    (&slice.metadata.namespace, &slice.metadata.name)
}
