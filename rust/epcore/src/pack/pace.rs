//! How much changes in one step: the best guess at what later steps will change, and how often they will touch a container.

use crate::pack::problem::{Filled, Items};
use crate::pack::stage::Stage;

/// The items of each stage in a container, in the order of [`Stage`].
pub(crate) type Counts = [usize; 4];

/// Count the items of a container by their stage.
pub(crate) fn counts(items: &dyn Items, bin: &Filled) -> Counts {
    let mut counts = Counts::default();
    for item in bin.items() {
        counts[items.stage(item) as usize] += 1;
    }
    counts
}

/// What changes in this step.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    all: usize,
    lost: usize,
    got_ready: usize,
    got_idle: usize,
    /// Items of each stage, wherever they are.
    totals: Counts,
}

impl Pace {
    pub(crate) fn of(items: &dyn Items, bins: &[Filled], counts: &[Counts], pending: usize) -> Self {
        let mut pace = Self::default();
        for (bin, counts) in bins.iter().zip(counts) {
            pace.lost += bin.lost;
            for kept in bin.kept.iter().filter(|kept| kept.changed) {
                match items.stage(kept.item) {
                    Stage::Settled => pace.got_ready += 1,
                    _ => pace.got_idle += 1,
                }
            }
            for (total, count) in pace.totals.iter_mut().zip(counts) {
                *total += count;
            }
        }
        pace.totals[Stage::New as usize] += pending;
        pace.all = pace.lost + pace.got_ready + pace.got_idle + pending;
        pace
    }

    /// True where one item changes at a time.
    pub(crate) fn is_single(&self) -> bool {
        self.all <= 1
    }

    /// How many items of a stage there are, wherever they are.
    pub(crate) fn total(&self, stage: Stage) -> usize {
        self.totals[stage as usize]
    }

    /// How many items of a stage change in this step.
    fn seen(&self, stage: Stage) -> usize {
        match stage {
            Stage::Leaving => self.lost,
            Stage::New => self.got_ready,
            Stage::Settled => self.got_idle,
            Stage::Restless => 0,
        }
    }

    /// How many items of a stage change in a later step: as many as now, and at least two thirds of all that changes now.
    fn rate(&self, stage: Stage) -> usize {
        self.seen(stage).max((2 * self.all).div_ceil(3)).max(1)
    }

    /// Chance that the next step touches a container with these items. It changes as many of each stage as this one, and at least a fifth of
    /// all that this one changes.
    pub(crate) fn next(&self, counts: &Counts) -> f64 {
        let missed = |stage: Stage| {
            let count = counts[stage as usize];
            let total = self.totals[stage as usize].max(count).max(1);
            let rate = self.seen(stage).max(self.all.div_ceil(5)).min(total);
            power(1.0 - count as f64 / total as f64, rate)
        };
        1.0 - [Stage::Settled, Stage::New, Stage::Restless, Stage::Leaving].map(missed).iter().product::<f64>()
    }

    /// In how many steps a container with `count` items of a stage is touched until each of them has changed once: each step takes its
    /// part of all of them at random. Where one item changes at a time, that is `count`, and no company helps.
    pub(crate) fn touches(&self, stage: Stage, count: usize) -> f64 {
        if count == 0 {
            return 0.0;
        }
        let total = self.totals[stage as usize].max(count);
        let rate = self.rate(stage).min(total);
        let missed = power(1.0 - count as f64 / total as f64, rate);
        total as f64 / rate as f64 * (1.0 - missed)
    }

    /// Chance that a step that changes an idle item would not touch a container with so many settled ones for the sake of one of those.
    pub(crate) fn quiet(&self, settled: usize) -> f64 {
        let total = self.totals[Stage::Settled as usize].max(settled).max(1);
        power(1.0 - settled as f64 / total as f64, self.rate(Stage::Settled) - 1)
    }
}

/// A power by multiplication, so that it is the same on every platform, which `powf` is not.
fn power(base: f64, exponent: usize) -> f64 {
    let (mut power, mut square, mut left) = (1.0, base, exponent);
    while left > 0 {
        if left % 2 == 1 {
            power *= square;
        }
        square *= square;
        left /= 2;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::float_cmp, reason = "these are exact")]
    #[test]
    fn company_saves_touches_only_where_several_items_change_at_a_time() {
        let totals = [0, 0, 0, 10];
        let alone = Pace { all: 1, totals, ..Pace::default() };
        assert_eq!(alone.touches(Stage::Leaving, 10), 10.0);
        assert_eq!(alone.touches(Stage::Leaving, 4) + alone.touches(Stage::Leaving, 6), 10.0);
        assert_eq!(alone.quiet(50), 1.0);
        let together = Pace { all: 20, lost: 10, totals, ..Pace::default() };
        assert_eq!(together.touches(Stage::Leaving, 10), 1.0);
        assert!(together.touches(Stage::Leaving, 5) > 0.99);
    }

    #[test]
    fn the_next_step_touches_a_container_by_what_is_in_it() {
        let pace = Pace { all: 10, lost: 5, totals: [100, 0, 0, 10], ..Pace::default() };
        let near = |counts: Counts, chance: f64| (pace.next(&counts) - chance).abs() < 1e-9;
        assert!(near([0; 4], 0.0));
        assert!(near([0, 0, 0, 1], 1.0 - power(0.9, 5)));
        assert!(near([0, 0, 0, 10], 1.0));
        // Of those that take traffic at least a fifth of what changes now will change.
        assert!(near([50, 0, 0, 1], 1.0 - 0.25 * power(0.9, 5)));
    }

    #[expect(clippy::float_cmp, reason = "these are exact")]
    #[test]
    fn a_power_is_repeated_multiplication() {
        for (base, exponent, expected) in
            [(0.5, 0, 1.0), (0.5, 1, 0.5), (0.5, 5, 1.0 / 32.0), (0.0, 3, 0.0), (1.0, 9, 1.0)]
        {
            assert_eq!(power(base, exponent), expected);
        }
    }
}
