//! The byte that the path of an error names.

use hashbrown::HashMap;

use crate::wire::json::reader::Reader;
use crate::{Error, Segment};

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
pub(super) type Wanted<'p> = Vec<(usize, &'p [Segment])>;

pub(super) fn offsets_of(reader: &mut Reader<'_>, wanted: Wanted<'_>, offsets: &mut [Option<usize>]) {
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
