//! The next list, read by what is kept of the last: objects whose bytes did not change are not read again.

use std::sync::Arc;

use crate::Error;
use crate::model::EndpointSlice;
use crate::wire::past::{Contents, Past};
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
        Ok(Self { contents: past.found(), slices: Arc::new(slices), document })
    }

    /// The slices of the document.
    #[must_use]
    pub fn slices(&self) -> &Arc<Vec<Arc<EndpointSlice>>> {
        &self.slices
    }
}
