//! Which write comes first.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// That one write comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Before {
    pub(crate) need: Need,
    pub(crate) first: usize,
    pub(crate) second: usize,
}

/// What depends on an order: where writes form a ring, the last of these gives way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Need {
    /// A survivor is there, or an order that was found stays: it never gives way.
    Must,
    /// A survivor takes traffic.
    Traffic,
    /// An address leaves before it comes back, a survivor is as it should be.
    Rest,
}

/// Order writes `0..phases.len()` by phase and number, but for what must come before what.
///
/// Edges that must hold form no ring: a container either gives items away or takes some.
pub(crate) fn order(phases: &[u8], edges: &[Before]) -> Vec<usize> {
    let count = phases.len();
    let mut followers: Vec<Vec<Before>> = vec![Vec::new(); count];
    let mut leaders: Vec<Vec<usize>> = vec![Vec::new(); count];
    // By what they are needed for.
    let mut waits = vec![[0usize; 3]; count];
    for edge in edges.iter().copied().collect::<BTreeSet<_>>() {
        followers[edge.first].push(edge);
        leaders[edge.second].push(edge.first);
        waits[edge.second][edge.need as usize] += 1;
    }
    let mut ready: BinaryHeap<Reverse<(u8, usize)>> =
        (0..count).filter(|&write| waits[write] == [0; 3]).map(|write| Reverse((phases[write], write))).collect();
    let mut done = vec![false; count];
    let mut ordered = Vec::with_capacity(count);
    while ordered.len() < count {
        let next = ready.pop().map(|Reverse((_, write))| write).or_else(|| {
            // A ring of addresses that change hands: begin with the write of it that the fewest others should precede.
            let rank = |write: &usize| (waits[*write], phases[*write], *write);
            let open = (0..count).filter(|&write| !done[write]).min_by_key(rank)?;
            ring(open, &leaders, &done).into_iter().min_by_key(rank)
        });
        let Some(next) = next.filter(|&write| !done[write]) else {
            continue;
        };
        done[next] = true;
        ordered.push(next);
        for edge in &followers[next] {
            waits[edge.second][edge.need as usize] -= 1;
            if waits[edge.second] == [0; 3] && !done[edge.second] {
                ready.push(Reverse((phases[edge.second], edge.second)));
            }
        }
    }
    ordered
}

/// A ring among the writes that `start`, which is not ready, waits for, directly or not. One of it waits for nothing but what may give way
/// there, since each is followed to what it needs most.
fn ring(start: usize, leaders: &[Vec<usize>], done: &[bool]) -> Vec<usize> {
    let mut path = vec![start];
    loop {
        let last = path[path.len() - 1];
        let Some(&leader) = leaders[last].iter().find(|&&leader| !done[leader]) else { return path };
        if let Some(at) = path.iter().position(|&write| write == leader) {
            return path.split_off(at);
        }
        path.push(leader);
    }
}

#[cfg(test)]
mod tests {
    use super::Need::*;
    use super::*;

    fn before(first: usize, second: usize, need: Need) -> Before {
        Before { need, first, second }
    }

    #[test]
    fn goes_by_phase_and_number_where_nothing_forbids_it() {
        assert_eq!(order(&[2, 0, 1, 0], &[]), [1, 3, 2, 0]);
    }

    #[test]
    fn an_address_leaves_before_it_comes_back() {
        assert_eq!(order(&[2, 0, 1], &[before(0, 1, Rest)]), [2, 0, 1]);
    }

    #[test]
    fn a_ring_gives_way_where_no_survivor_depends_on_it() {
        assert_eq!(order(&[1, 1], &[before(0, 1, Rest), before(1, 0, Must)]), [1, 0]);
        assert_eq!(order(&[1, 1, 1], &[before(0, 1, Rest), before(1, 0, Rest)]), [2, 0, 1]);
    }

    #[test]
    fn what_is_needed_least_gives_way() {
        assert_eq!(order(&[1, 1], &[before(0, 1, Rest), before(1, 0, Traffic)]), [1, 0]);
        assert_eq!(order(&[1, 1], &[before(0, 1, Traffic), before(1, 0, Must)]), [1, 0]);
        // Two of the three form a ring by themselves, but both wait for the third.
        let edges =
            [before(0, 1, Rest), before(1, 0, Rest), before(2, 0, Must), before(2, 1, Must), before(0, 2, Rest)];
        assert_eq!(order(&[1, 1, 1], &edges), [2, 0, 1]);
    }

    #[test]
    fn what_waits_for_a_ring_does_not_break_it() {
        let edges = [before(1, 0, Rest), before(1, 2, Rest), before(2, 1, Rest)];
        assert_eq!(order(&[0, 1, 1], &edges), [1, 0, 2]);
    }
}
