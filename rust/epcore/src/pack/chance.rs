//! What chance leaves alone at best, however endpoints are put into slices: for bounds (`docs/simulate.md` has the proofs).

use crate::Error;
use crate::interrupt::point;
use crate::model::MAX_ENDPOINTS;

/// Endpoints of which nobody can tell which ones will change: any `changing` of the `members`, each choice as likely as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alike {
    /// How many there are.
    pub members: usize,
    /// How many of them change.
    pub changing: usize,
}

/// Most endpoints of one question.
const MOST: usize = 1_000_000;

/// The most endpoints that are expected to be in slices in which nothing changes, over all ways to put the endpoints into so many slices.
///
/// Never below what the best arrangement reaches; equal to it where the endpoints of at most one class are left to chance (of the others
/// all or none change). Cost: for each slice and endpoint as many steps as a slice may hold endpoints.
///
/// # Errors
///
/// `InvalidInput` where more change than there are; `Limit` for `max` outside 1 to 1000, for more endpoints than the slices hold, or for more
/// than a million.
///
/// # Examples
///
/// Of 200 endpoints one will change, nobody knows which. In two slices it takes one of them along:
///
/// ```
/// use epcore::pack::{Alike, most_untouched};
///
/// let untouched = most_untouched(&[Alike { members: 200, changing: 1 }], 2, 100)?;
/// assert!((untouched - 100.0).abs() < 1e-9);
/// # Ok::<(), epcore::Error>(())
/// ```
pub fn most_untouched(classes: &[Alike], slices: usize, max: usize) -> Result<f64, Error> {
    check(classes, slices, max)?;
    let largest = (0..classes.len()).filter(|&at| classes[at].is_open()).max_by_key(|&at| classes[at].members);
    let Some(largest) = largest else {
        return Ok(Line::foreseen(classes, None).most(slices, max));
    };
    let members: usize = classes.iter().map(|class| class.members).sum();
    let shared = members.div_ceil(slices.max(1)).min(max);
    let tangents = [0, shared, max].map(|at| Line::independent(classes, largest, at).most(slices, max));
    let foreseen = Line::foreseen(classes, Some(largest)).most(slices, max);
    Ok(tangents.into_iter().fold(foreseen, f64::min))
}

fn check(classes: &[Alike], slices: usize, max: usize) -> Result<(), Error> {
    if !(1..=MAX_ENDPOINTS).contains(&max) {
        return Err(Error::limit("must be from 1 to 1000", MAX_ENDPOINTS, max).in_field("max_endpoints"));
    }
    if let Some(at) = classes.iter().position(|class| class.changing > class.members) {
        return Err(Error::invalid("more change than there are").in_index(at).in_field("classes"));
    }
    let members = classes.iter().fold(0, |sum: usize, class| sum.saturating_add(class.members));
    let fit = slices.saturating_mul(max).min(MOST);
    if members > fit {
        return Err(Error::limit("more endpoints than there is room for", fit, members).in_field("classes"));
    }
    Ok(())
}

impl Alike {
    /// True where chance decides.
    fn is_open(self) -> bool {
        0 < self.changing && self.changing < self.members
    }

    /// Chance that the next one does not change, where `kept` did not.
    fn kept_after(self, kept: usize) -> f64 {
        let open = self.members.saturating_sub(kept);
        if self.changing >= open { 0.0 } else { (open - self.changing) as f64 / open as f64 }
    }
}

/// An endpoint, and what it does to the chance of its slice to be left alone.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// The chance is this times less.
    Factor(f64),
    /// The chance falls with each other one of its class beside it.
    Drawn,
}

/// Endpoints from the one that changes least to the one that changes most. Some best arrangement cuts this line into slices.
struct Line {
    places: Vec<Place>,
    /// Factors for the first, second ... drawn endpoint in a slice.
    drawn: Vec<f64>,
    /// What the value of every slice is multiplied by.
    scale: f64,
}

impl Line {
    /// All classes as if each endpoint changed for itself, with chances that are at least as good as the true ones: those of the class
    /// `largest` are nearest to them where `at` of it are in a slice.
    fn independent(classes: &[Alike], largest: usize, at: usize) -> Self {
        let mut factors: Vec<(f64, usize)> = classes.iter().map(|class| (class.kept_after(0), class.members)).collect();
        let class = classes[largest];
        // Beyond that the chance is nothing, and no line goes through it.
        let at = at.min(class.members - class.changing - 1);
        let tangent = class.kept_after(at);
        let scale = (0..at).map(|kept| class.kept_after(kept) / tangent).product();
        factors[largest].0 = tangent;
        factors.sort_by(|left, right| right.0.total_cmp(&left.0));
        let repeated = |&(factor, members): &(f64, usize)| std::iter::repeat_n(Place::Factor(factor), members);
        Self { places: factors.iter().flat_map(repeated).collect(), drawn: Vec::new(), scale }
    }

    /// One class as it is; of all others it is known which endpoints change.
    fn foreseen(classes: &[Alike], open: Option<usize>) -> Self {
        let others = || classes.iter().enumerate().filter(|(at, _)| Some(*at) != open).map(|(_, class)| class);
        let quiet: usize = others().map(|class| class.members - class.changing).sum();
        let changing: usize = others().map(|class| class.changing).sum();
        let class = open.map_or(Alike { members: 0, changing: 0 }, |at| classes[at]);
        let mut places = vec![Place::Factor(1.0); quiet];
        places.resize(quiet + class.members, Place::Drawn);
        places.resize(quiet + class.members + changing, Place::Factor(0.0));
        Self { places, drawn: (0..class.members).map(|kept| class.kept_after(kept)).collect(), scale: 1.0 }
    }

    /// The most that is expected to be left alone.
    fn most(&self, slices: usize, max: usize) -> f64 {
        // Those that surely stay fill slices of their own, and so do those that surely change.
        let calm = self.places.iter().take_while(|place| matches!(place, Place::Factor(factor) if *factor >= 1.0));
        let restless =
            self.places.iter().rev().take_while(|place| matches!(place, Place::Factor(factor) if *factor <= 0.0));
        let (full, lost) = (calm.count() / max, restless.count() / max);
        let places = &self.places[full * max..];
        let places = &places[..places.len().saturating_sub(lost * max)];
        let slices = slices.saturating_sub(full + lost).min(places.len());
        self.scale * ((full * max) as f64 + self.cut(places, slices, max))
    }

    /// The best cut of places into slices: for each end of one, and each number of slices up to there that leaves no more than fits the rest.
    fn cut(&self, places: &[Place], slices: usize, max: usize) -> f64 {
        // For each number of slices the best up to each of the last ends: this one, and those at which a slice up to here may begin. They are
        // there twice, so that these are in a row.
        let (mut best, ends): (Vec<Vec<f64>>, _) = (vec![Vec::new(); slices + 1], max + 1);
        let least_end = |slices_left: usize| places.len().saturating_sub(slices_left.saturating_mul(max));
        let (mut worth, mut found) = (Vec::with_capacity(max), f64::NEG_INFINITY);
        for end in 0..=places.len() {
            point();
            self.worth(&places[..end], max, &mut worth);
            let first = end - worth.len();
            let (least, most) = (end.div_ceil(max), slices.saturating_sub((places.len() - end).div_ceil(max)));
            found = if end == 0 { 0.0 } else { f64::NEG_INFINITY };
            for slice in least..=most {
                if let Some(before) = slice.checked_sub(1) {
                    let from = first.max(least_end(slices - before));
                    let to = end.min(before * max + 1);
                    if from < to {
                        let bests = &best[before][from % ends..][..to - from];
                        found = found.max(most_of(bests, &worth[from - first..to - first]));
                    }
                }
                let bests = &mut best[slice];
                bests.resize(2 * ends, 0.0);
                (bests[end % ends], bests[end % ends + ends]) = (found, found);
            }
            if let Some(done) = least.checked_sub(2) {
                best[done] = Vec::new();
            }
        }
        found
    }

    /// What a slice that ends where these places do is worth, by what it holds: the largest first.
    fn worth(&self, places: &[Place], max: usize, worth: &mut Vec<f64>) {
        let (mut chance, mut drawn) = (1.0, self.drawn.iter());
        worth.clear();
        worth.extend((1..=max).zip(places.iter().rev()).map(|(held, place)| {
            chance *= match place {
                Place::Factor(factor) => *factor,
                Place::Drawn => drawn.next().copied().unwrap_or(0.0),
            };
            held as f64 * chance
        }));
        worth.reverse();
    }
}

/// The largest sum of two numbers at one place.
fn most_of(numbers: &[f64], others: &[f64]) -> f64 {
    let larger = |most: f64, sum: f64| if sum > most { sum } else { most };
    let ((eights, rest), (other_eights, other_rest)) = (numbers.as_chunks::<8>(), others.as_chunks::<8>());
    // Eight are looked at at once.
    let mut most = [f64::NEG_INFINITY; 8];
    for (eight, other) in eights.iter().zip(other_eights) {
        most = std::array::from_fn(|at| larger(most[at], eight[at] + other[at]));
    }
    let rest = rest.iter().zip(other_rest).map(|(number, other)| number + other);
    most.into_iter().chain(rest).fold(f64::NEG_INFINITY, larger)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every way to put so many of each class into slices, as what each slice holds of each class.
    fn arrangements(members: &[usize], slices: usize, max: usize) -> Vec<Vec<Vec<usize>>> {
        let Some((&first, rest)) = members.split_first() else {
            return vec![vec![Vec::new(); slices]];
        };
        let mut found = Vec::new();
        for arrangement in arrangements(rest, slices, max) {
            for parts in parts(first, slices) {
                let joined: Vec<Vec<usize>> = arrangement
                    .iter()
                    .zip(&parts)
                    .map(|(others, part)| std::iter::once(*part).chain(others.iter().copied()).collect())
                    .collect();
                if joined.iter().all(|slice| slice.iter().sum::<usize>() <= max) {
                    found.push(joined);
                }
            }
        }
        found
    }

    fn parts(whole: usize, slices: usize) -> Vec<Vec<usize>> {
        if slices == 1 {
            return vec![vec![whole]];
        }
        let tail = |first: usize| parts(whole - first, slices - 1).into_iter().map(move |rest| (first, rest));
        (0..=whole).flat_map(tail).map(|(first, rest)| std::iter::once(first).chain(rest).collect()).collect()
    }

    /// Chance that none of `held` is among those that change, by counting.
    fn spared(class: Alike, held: usize) -> f64 {
        let choose = |all: usize, some: usize| -> f64 {
            (0..some).map(|at| all.saturating_sub(at) as f64 / (some - at) as f64).product()
        };
        choose(class.members - held, class.changing) / choose(class.members, class.changing)
    }

    fn best(classes: &[Alike], slices: usize, max: usize) -> f64 {
        let members: Vec<usize> = classes.iter().map(|class| class.members).collect();
        let value = |slice: &Vec<usize>| {
            let chance: f64 = classes.iter().zip(slice).map(|(class, held)| spared(*class, *held)).product();
            chance * slice.iter().sum::<usize>() as f64
        };
        arrangements(&members, slices, max)
            .iter()
            .map(|arrangement| arrangement.iter().map(value).sum())
            .fold(0.0, f64::max)
    }

    fn questions() -> impl Strategy<Value = (Vec<Alike>, usize, usize)> {
        let class =
            (0usize..6, 0usize..6).prop_map(|(one, other)| Alike { members: one.max(other), changing: one.min(other) });
        (prop::collection::vec(class, 0..4), 1usize..4, 1usize..7).prop_filter("they fit", |(classes, slices, max)| {
            classes.iter().map(|class| class.members).sum::<usize>() <= slices * max
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, max_global_rejects: 100_000, ..ProptestConfig::default() })]

        #[test]
        fn no_arrangement_is_better((classes, slices, max) in questions()) {
            let found = most_untouched(&classes, slices, max).unwrap_or(-1.0);
            let best = best(&classes, slices, max);
            prop_assert!(found >= best - 1e-9, "{found} is below {best}");
            if classes.iter().filter(|class| class.is_open()).count() <= 1 {
                prop_assert!(found <= best + 1e-9, "{found} is above {best}");
            }
            let members: usize = classes.iter().map(|class| class.members).sum();
            prop_assert!(found <= members as f64);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let class = |members, changing| [Alike { members, changing }];
        for (classes, slices, max, words) in [
            (class(1, 2), 1, 10, "classes[0]"),
            (class(11, 2), 1, 10, "classes"),
            (class(1, 0), 1, 0, "max_endpoints"),
            (class(1, 0), 1, 1001, "max_endpoints"),
            (class(usize::MAX, 0), usize::MAX, 1000, "classes"),
        ] {
            let error = most_untouched(&classes, slices, max).map_err(|error| error.to_string());
            assert!(error.as_ref().is_err_and(|text| text.contains(words)), "{error:?}");
        }
    }
}
