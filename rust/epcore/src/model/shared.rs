//! What copies share until one of them is changed.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::model::{EndpointList, EndpointRef};

/// A value that a copy shares: a slice that is written again is like the one before but for an endpoint or two. To change it copies the value,
/// if it is shared.
///
/// # Examples
///
/// ```
/// use epcore::model::{ObjectMeta, Shared};
///
/// let metadata = Shared::from(ObjectMeta { name: "web-1".to_owned(), ..ObjectMeta::default() });
/// let mut other = metadata.clone();
/// other.name = "web-2".to_owned();
/// assert_eq!((&*metadata.name, &*other.name), ("web-1", "web-2"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shared<T>(Arc<T>);

impl<T> From<Arc<T>> for Shared<T> {
    fn from(value: Arc<T>) -> Self {
        Self(value)
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Shared<T> {
    /// True if both are one value in memory.
    pub(crate) fn is_copy_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<'a, T> IntoIterator for &'a Shared<Vec<T>> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One endpoint of a list that others may share.
#[derive(Clone)]
pub(crate) struct SharedEndpoint {
    list: Shared<EndpointList>,
    place: u32,
}

impl SharedEndpoint {
    /// Each endpoint of a list, in order.
    pub(crate) fn each(list: Shared<EndpointList>) -> impl Iterator<Item = Self> {
        (0..).take(list.len()).map(move |place| Self { list: list.clone(), place })
    }

    /// The endpoint.
    pub(crate) fn get(&self) -> EndpointRef<'_> {
        self.list.get(self.place as usize).unwrap_or_else(|| unreachable!("a list does not change while it is shared"))
    }

    /// How many endpoints it keeps, with itself.
    #[cfg(test)]
    pub(crate) fn list_len(&self) -> usize {
        self.list.len()
    }
}

impl std::fmt::Debug for SharedEndpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.get().fmt(formatter)
    }
}
