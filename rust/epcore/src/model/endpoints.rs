//! The endpoints of a list, one after the other.

use std::slice;

use crate::model::{EndpointList, EndpointRef, Record};

/// What `for endpoint in &list` goes through. It is [`EndpointList::iter`] with a name, for which the standard library has no faster ways.
#[derive(Clone)]
pub struct Endpoints<'a> {
    list: &'a EndpointList,
    records: slice::Iter<'a, Record>,
}

impl<'a> Endpoints<'a> {
    fn at(&self, record: &'a Record) -> EndpointRef<'a> {
        EndpointRef { list: self.list, record }
    }
}

impl<'a> Iterator for Endpoints<'a> {
    type Item = EndpointRef<'a>;

    fn next(&mut self) -> Option<EndpointRef<'a>> {
        self.records.next().map(|record| self.at(record))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }
}

impl DoubleEndedIterator for Endpoints<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.records.next_back().map(|record| self.at(record))
    }
}

impl ExactSizeIterator for Endpoints<'_> {}

impl<'a> IntoIterator for &'a EndpointList {
    type Item = EndpointRef<'a>;
    type IntoIter = Endpoints<'a>;

    fn into_iter(self) -> Endpoints<'a> {
        Endpoints { list: self, records: self.records.iter() }
    }
}

#[cfg(test)]
mod tests {
    use crate::wire::json;

    #[test]
    fn a_loop_goes_through_the_endpoints_that_iter_gives() {
        let list = json::read_endpoints(br#"[{"addresses":["10.0.0.1"]},{"addresses":["10.0.0.2"]}]"#).expect("a list");
        let mut passed = Vec::new();
        for endpoint in &list {
            passed.push(endpoint);
        }
        assert_eq!(passed, list.iter().collect::<Vec<_>>());
        assert_eq!((list.into_iter().len(), list.into_iter().next_back()), (2, list.get(1)));
    }
}
