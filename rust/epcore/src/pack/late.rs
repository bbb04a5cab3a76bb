//! Slices that are made when somebody looks at them.

use std::ops::{Deref, DerefMut, Range};
use std::sync::{Arc, OnceLock};

use crate::model::{EndpointSlice, ObjectMeta, Shared, SharedEndpoint};

/// The slice of a write. One in which few endpoints changed is the one before and these, until somebody looks at it: then it is made, once for
/// all copies. To change it makes it too, and copies it if it is shared.
#[derive(Clone)]
pub struct LateSlice(Form);

#[derive(Clone)]
enum Form {
    Made(Arc<EndpointSlice>),
    Late(Arc<Late>),
}

/// A slice with other endpoints at some places.
struct Late {
    before: Arc<EndpointSlice>,
    metadata: Shared<ObjectMeta>,
    /// Those of all slices of a plan, and which of them are of this one.
    replaced: Arc<[Replaced]>,
    ours: Range<usize>,
    made: OnceLock<Arc<EndpointSlice>>,
}

/// A place, and the endpoint that is there now.
pub(crate) type Replaced = (usize, SharedEndpoint);

impl LateSlice {
    /// A slice with this metadata, and with other endpoints at some places, which rise: a range of those that a plan has. `None` if there is no
    /// room for their text.
    pub(crate) fn replacing(
        before: &Arc<EndpointSlice>,
        metadata: Shared<ObjectMeta>,
        replaced: &Arc<[Replaced]>,
        ours: Range<usize>,
    ) -> Option<Self> {
        let late = Late { before: before.clone(), metadata, replaced: replaced.clone(), ours, made: OnceLock::new() };
        let has_room = before.endpoints.has_room_for(late.replaced().iter().map(|(_, endpoint)| endpoint.get()));
        has_room.then(|| Self(Form::Late(Arc::new(late))))
    }

    /// The slice itself.
    #[must_use]
    pub fn whole(&self) -> &Arc<EndpointSlice> {
        match &self.0 {
            Form::Made(slice) => slice,
            Form::Late(late) => late.made.get_or_init(|| Arc::new(late.make())),
        }
    }

    /// Its metadata.
    #[must_use]
    pub fn metadata(&self) -> &ObjectMeta {
        match &self.0 {
            Form::Made(slice) => &slice.metadata,
            Form::Late(late) => &late.metadata,
        }
    }

    /// The number of its endpoints.
    pub(crate) fn endpoint_count(&self) -> usize {
        match &self.0 {
            Form::Made(slice) => slice.endpoints.len(),
            Form::Late(late) => late.before.endpoints.len(),
        }
    }

    /// True if one is a copy of the other.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Form::Made(one), Form::Made(other)) => Arc::ptr_eq(one, other),
            (Form::Late(one), Form::Late(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Late {
    fn replaced(&self) -> &[Replaced] {
        &self.replaced[self.ours.clone()]
    }

    fn make(&self) -> EndpointSlice {
        let replaced: Vec<_> = self.replaced().iter().map(|(place, endpoint)| (*place, Some(endpoint.get()))).collect();
        let endpoints = self.before.endpoints.with_replaced(&replaced);
        let endpoints = endpoints.unwrap_or_else(|_| unreachable!("room was looked for"));
        EndpointSlice { metadata: self.metadata.clone(), ..self.before.with_endpoints(endpoints) }
    }
}

impl From<Arc<EndpointSlice>> for LateSlice {
    fn from(slice: Arc<EndpointSlice>) -> Self {
        Self(Form::Made(slice))
    }
}

impl Deref for LateSlice {
    type Target = EndpointSlice;

    fn deref(&self) -> &EndpointSlice {
        self.whole()
    }
}

impl DerefMut for LateSlice {
    fn deref_mut(&mut self) -> &mut EndpointSlice {
        if matches!(self.0, Form::Late(_)) {
            self.0 = Form::Made(self.whole().clone());
        }
        match &mut self.0 {
            Form::Made(slice) => Arc::make_mut(slice),
            Form::Late(_) => unreachable!("it was made"),
        }
    }
}

impl PartialEq for LateSlice {
    fn eq(&self, other: &Self) -> bool {
        self.is(other) || **self == **other
    }
}

impl Eq for LateSlice {}

impl std::fmt::Debug for LateSlice {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EndpointList;
    use crate::wire::json;

    fn list(zones: &[&str]) -> EndpointList {
        let one = |(number, zone): (usize, &&str)| format!(r#"{{"addresses":["10.0.0.{number}"],"zone":"{zone}"}}"#);
        let all: Vec<String> = zones.iter().enumerate().map(one).collect();
        json::read_endpoints(format!("[{}]", all.join(",")).as_bytes()).expect("endpoints")
    }

    fn slice(endpoints: EndpointList) -> EndpointSlice {
        EndpointSlice { metadata: ObjectMeta::default().into(), ..EndpointSlice::empty() }.with_endpoints(endpoints)
    }

    fn late() -> LateSlice {
        let before = Arc::new(slice(list(&["a", "b", "c"])));
        let other = SharedEndpoint::each(list(&["", "z"]).into()).nth(1).expect("an endpoint");
        let metadata = ObjectMeta { name: "web-1".to_owned(), ..ObjectMeta::default() };
        LateSlice::replacing(&before, metadata.into(), &[(1, other)].into(), 0..1).expect("room")
    }

    #[test]
    fn a_late_slice_is_what_it_would_be_if_it_had_been_made_at_once() {
        let late = late();
        assert_eq!((late.endpoint_count(), &*late.metadata().name), (3, "web-1"));
        let mut made = slice(list(&["a", "z", "c"]));
        made.metadata.name = "web-1".to_owned();
        assert_eq!(*late, made);
        assert_eq!(late, Arc::new(made).into());
    }

    #[test]
    fn slices_of_one_plan_have_their_own_endpoints() {
        let other: Vec<_> = SharedEndpoint::each(list(&["x", "y", "z"]).into()).collect();
        let replaced: Arc<[Replaced]> = [0, 2, 1].into_iter().zip(other).collect();
        let of = |zones: [&str; 3], ours: Range<usize>| {
            let before = Arc::new(slice(list(&zones)));
            let late = LateSlice::replacing(&before, before.metadata.clone(), &replaced, ours).expect("room");
            late.endpoints.iter().map(|endpoint| endpoint.zone().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(of(["a", "b", "c"], 0..2), ["x", "b", "y"]);
        assert_eq!(of(["d", "e", "f"], 2..3), ["d", "z", "f"]);
    }

    #[test]
    fn a_slice_is_made_once_for_all_copies_and_changed_in_one() {
        let late = late();
        let mut copy = late.clone();
        assert!(Arc::ptr_eq(copy.whole(), late.whole()));
        assert!(copy.is(&late));
        copy.metadata.name = "web-2".to_owned();
        assert_eq!((&*late.metadata().name, &*copy.metadata().name), ("web-1", "web-2"));
        assert!(!copy.is(&late));
    }
}
