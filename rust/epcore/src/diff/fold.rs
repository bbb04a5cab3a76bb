//! From endpoints to one entry for each key.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::sync::Arc;

use hashbrown::HashTable;

use crate::diff::groups::Groups;
use crate::diff::key::{Hasher, Key, Place, Sides, Who, precedence, side, who};
use crate::diff::mask::Side;
use crate::diff::suspects::{Spot, Suspects};
use crate::interrupt::points;
use crate::model::EndpointSlice;

/// Entries that take as long as an object of other work does.
const FEW: usize = 64;

/// What counts for one key, on each side.
pub(crate) struct Entry {
    hash: u64,
    pub(super) group: u32,
    pub(crate) places: [Option<Place>; 2],
}

/// The entries of both sides, in no order.
pub(crate) struct Fold<'a> {
    sides: Sides<'a>,
    key: Key,
    pub(super) groups: Groups<'a>,
    pub(crate) entries: Vec<Entry>,
    /// Entries by hash.
    table: HashTable<u32>,
}

impl<'a> Fold<'a> {
    /// The entries of one side, which is the side after.
    pub(crate) fn of_all(slices: &'a [Arc<EndpointSlice>], key: Key) -> Self {
        let sides = [&[], slices];
        Self::new(sides, Groups::new(sides, key), Suspects::all(sides, &Hasher::new(key)).spots)
    }

    pub(super) fn new(sides: Sides<'a>, groups: Groups<'a>, spots: [Vec<Spot>; 2]) -> Self {
        let count = spots[0].len().max(spots[1].len());
        let (entries, table) = (Vec::with_capacity(count), HashTable::with_capacity(count));
        let mut fold = Self { sides, key: groups.key, groups, entries, table };
        // An endpoint has an entry for each of its ports, which may be thousands.
        let mut passed = 0;
        for (side, spots) in spots.into_iter().enumerate() {
            for spot in spots {
                passed += fold.add(side, spot);
                if passed >= FEW {
                    points(passed / FEW);
                    passed %= FEW;
                }
            }
        }
        fold
    }

    /// Add the entries of an endpoint, and tell how many it has.
    fn add(&mut self, side: usize, spot: Spot) -> usize {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let Self { sides, key, groups, entries, table } = self;
        let slices = sides[side];
        let subject = OnceCell::new();
        let of_slice = groups.of(side, spot.slice);
        for &(port, group) in of_slice {
            let place = Place { slice: spot.slice, endpoint: spot.endpoint, port };
            let hash = spot.hash ^ u64::from(group).wrapping_mul(ODD);
            let is_same = |&at: &u32| {
                let entry = &entries[at as usize];
                entry.hash == hash && entry.group == group && {
                    self::subject(sides, entry.places, *key)
                        == Some(*subject.get_or_init(|| who(self::side(slices, place).endpoint, *key)))
                }
            };
            if let Some(&at) = table.find(hash, is_same) {
                let held = &mut entries[at as usize].places[side];
                if held.is_none_or(|held| {
                    precedence(self::side(slices, place), place, self::side(slices, held), held) == Ordering::Less
                }) {
                    *held = Some(place);
                }
                continue;
            }
            let next = u32::try_from(entries.len()).unwrap_or(u32::MAX);
            table.insert_unique(hash, next, |&at| entries[at as usize].hash);
            let mut places = [None; 2];
            places[side] = Some(place);
            entries.push(Entry { hash, group, places });
        }
        of_slice.len()
    }

    pub(super) fn side(&self, side: usize, place: Place) -> Side<'a> {
        self::side(self.sides[side], place)
    }

    /// Whom an entry is about that has these places.
    pub(super) fn who(&self, places: [Option<Place>; 2]) -> Option<Who<'a>> {
        subject(&self.sides, places, self.key)
    }
}

fn subject<'a>(sides: &Sides<'a>, places: [Option<Place>; 2], key: Key) -> Option<Who<'a>> {
    let (slices, place) = sides.iter().zip(places).find_map(|(slices, place)| Some((slices, place?)))?;
    Some(who(side(slices, place).endpoint, key))
}
