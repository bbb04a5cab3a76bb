//! The first of many numbers that is large enough.

/// Numbers by place. Of each half, and each half of these, the largest is known, so that a look at few of them is enough.
pub(crate) struct Largest {
    /// The whole at 1; of what is at `n` the halves are at `2n` and `2n + 1`.
    tree: Vec<usize>,
    count: usize,
}

impl Largest {
    pub(crate) fn new(numbers: impl ExactSizeIterator<Item = usize>) -> Self {
        let mut largest = Self { tree: Vec::new(), count: numbers.len() };
        largest.grow(numbers);
        largest
    }

    /// A number at the next place.
    pub(crate) fn push(&mut self, number: usize) {
        if self.count == self.places() {
            let numbers = self.tree.split_off(self.places());
            self.grow(numbers.into_iter());
        }
        self.count += 1;
        self.set(self.count - 1, number);
    }

    /// Another number at a place.
    pub(crate) fn set(&mut self, place: usize, number: usize) {
        let mut at = self.places() + place;
        self.tree[at] = number;
        while at > 1 {
            at /= 2;
            self.tree[at] = self.tree[2 * at].max(self.tree[2 * at + 1]);
        }
    }

    /// The first place with at least so much, which is more than nothing.
    pub(crate) fn first(&self, least: usize) -> Option<usize> {
        let mut at = 1;
        if self.tree[at] < least {
            return None;
        }
        while at < self.places() {
            at = if self.tree[2 * at] >= least { 2 * at } else { 2 * at + 1 };
        }
        Some(at - self.places())
    }

    fn places(&self) -> usize {
        self.tree.len() / 2
    }

    /// Twice as many places as these numbers take, at least.
    fn grow(&mut self, numbers: impl ExactSizeIterator<Item = usize>) {
        let places = (numbers.len() + 1).next_power_of_two();
        self.tree = vec![0; places];
        self.tree.extend(numbers);
        self.tree.resize(2 * places, 0);
        for at in (1..places).rev() {
            self.tree[at] = self.tree[2 * at].max(self.tree[2 * at + 1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_is_found_that_looking_at_each_would_find(
            numbers in prop::collection::vec(0usize..9, 0..20),
            more in prop::collection::vec((any::<prop::sample::Index>(), 0usize..9, any::<bool>(), 1usize..10), 0..40),
        ) {
            let mut plain = numbers.clone();
            let mut largest = Largest::new(numbers.into_iter());
            for (place, number, is_new, least) in more {
                if is_new || plain.is_empty() {
                    plain.push(number);
                    largest.push(number);
                } else {
                    let place = place.index(plain.len());
                    plain[place] = number;
                    largest.set(place, number);
                }
                prop_assert_eq!(largest.first(least), plain.iter().position(|&number| number >= least));
            }
        }
    }
}
