//! The byte of a document that the path of an error names.

use hashbrown::HashMap;

use crate::wire::json::reader::Reader;
use crate::wire::json::stream::{ENDPOINTS, Event, each_endpoint, each_slice};
use crate::{Error, Segment};

/// Find the byte that the path of `error` names in a document of slices or endpoints, and put it into the error.
#[must_use]
pub fn locate(document: &[u8], error: Error) -> Error {
    let unknown = error.clone();
    locate_all(document, vec![error]).pop().unwrap_or(unknown)
}

/// The same for many errors, in one pass. All paths begin as the first does.
pub(crate) fn locate_all(document: &[u8], errors: Vec<Error>) -> Vec<Error> {
    let paths: Vec<Vec<Segment>> = errors.iter().map(|error| error.segments().cloned().collect()).collect();
    let mut in_item: HashMap<usize, Wanted<'_>> = HashMap::new();
    for (which, path) in paths.iter().enumerate() {
        if let [Segment::Field(_), Segment::Index(item), rest @ ..] = &**path {
            in_item.entry(*item).or_default().push((which, rest));
        }
    }
    let mut offsets = vec![None; errors.len()];
    let mut item = 0;
    let mut visit = |reader: &mut Reader<'_>, event: Option<Event>| {
        if event.is_some() || in_item.is_empty() {
            // Slices that events leave are not numbered as the events are.
            return Err(Error::invalid("enough seen"));
        }
        if let Some(wanted) = in_item.remove(&item) {
            offsets_of(&mut reader.clone(), wanted, &mut offsets);
        }
        item += 1;
        reader.skip().map(|()| 1)
    };
    // The document was read before, so that it can be read again; an error here could only repeat the first.
    let _ = match paths.first().and_then(|path| path.first()) {
        Some(Segment::Field(root)) if root == ENDPOINTS => each_endpoint(document, |reader| visit(reader, None)),
        _ => each_slice(document, visit).map(drop),
    };
    let place =
        |(error, offset): (Error, Option<usize>)| if let Some(offset) = offset { error.at(offset) } else { error };
    errors.into_iter().zip(offsets).map(place).collect()
}

/// Put into `error` the byte that its path names, seen from `reader`.
pub(crate) fn locate_in(mut reader: Reader<'_>, error: Error) -> Error {
    let steps: Vec<Segment> = error.segments().cloned().collect();
    let offset = offset_of(&mut reader, &steps);
    error.at(offset)
}

/// The byte at which the value under a path begins; where a member is missing, that of the object that should have it.
fn offset_of(reader: &mut Reader<'_>, steps: &[Segment]) -> usize {
    let mut offset = [None];
    offsets_of(reader, vec![(0, steps)], &mut offset);
    offset[0].unwrap_or_default()
}

/// Numbers of places that are looked for, each with the path that leads there.
type Wanted<'p> = Vec<(usize, &'p [Segment])>;

fn offsets_of(reader: &mut Reader<'_>, wanted: Wanted<'_>, offsets: &mut [Option<usize>]) {
    let first = reader.peek();
    let here = reader.position();
    let mut deeper: HashMap<&Segment, Wanted<'_>> = HashMap::new();
    for (which, steps) in wanted {
        offsets[which] = Some(here);
        if let Some((step, rest)) = steps.split_first() {
            deeper.entry(step).or_default().push((which, rest));
        }
    }
    let mut visit = |reader: &mut Reader<'_>, step: &Segment| {
        if let Some(wanted) = deeper.remove(step) {
            offsets_of(&mut reader.clone(), wanted, offsets);
        }
        if deeper.is_empty() { Err(Error::invalid("enough seen")) } else { reader.skip() }
    };
    let _ = match first {
        Some(b'{') => reader.object(|reader, name| visit(reader, &Segment::Field(name.to_owned().into()))),
        _ => reader.array(|reader, index| visit(reader, &Segment::Index(index))),
    };
}
