//! What a set of endpoints says, in whatever order, as one number.
//!
//! The prints `h` of the endpoints are the roots of a polynomial, which is known by its value at one secret point `x`: the product of all
//! `x - h`, modulo the prime 2^127 - 1. Two sets of `n` prints that differ have different polynomials, which are equal at no more than `n` of
//! the 2^127 - 1 points: they have one digest with a probability of no more than `n / 2^127` over `x`, whatever they say. An endpoint that only
//! one of two sets has would need the print of one of the other's, or one that is the same modulo the prime: below `n / 2^119` over the keys of
//! the prints. So of two sets that differ the digests do, but with a probability below 2^-98 where each has a million endpoints.

use std::hash::{BuildHasher, RandomState};
use std::ops::Mul;
use std::sync::LazyLock;

use crate::model::print::Print;

const PRIME: u128 = (1 << 127) - 1;

/// Each process draws its own point and tells nobody.
static POINT: LazyLock<u128> = LazyLock::new(|| {
    let state = RandomState::new();
    (u128::from(state.hash_one(1)) << 64 | u128::from(state.hash_one(2))) % PRIME
});

/// The digest of some endpoints. That of two sets together is the product of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest(u128);

impl Digest {
    /// Of no endpoint.
    pub(crate) const EMPTY: Self = Self(1);

    /// Some products at a time, since each multiplication waits for the one before.
    pub(crate) fn of(prints: &[Print]) -> Self {
        let point = *POINT;
        let factor = |print: &Print| folded(point + (PRIME - whole(folded(*print))));
        let (groups, rest) = prints.as_chunks::<4>();
        let products = groups
            .iter()
            .fold([1; 4], |products, group| std::array::from_fn(|at| product(products[at], factor(&group[at]))));
        let product = products.into_iter().chain(rest.iter().map(factor)).fold(1, product);
        Self(whole(product))
    }
}

impl Mul for Digest {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self(whole(product(self.0, other.0)))
    }
}

/// Of numbers up to 2^127, so that no sum of the parts overflows; modulo the prime, up to 2^127.
#[inline]
fn product(one: u128, other: u128) -> u128 {
    const HALF: u128 = (1 << 64) - 1;
    let ([low, high], [other_low, other_high]) = [one, other].map(|of| [of & HALF, of >> 64]).into();
    let middle = low * other_high + high * other_low;
    // 2^127 is one, modulo the prime.
    let upper = 2 * (high * other_high) + (middle >> 63);
    let lower = folded(low * other_low) + ((middle & (HALF >> 1)) << 64);
    folded(folded(upper) + folded(lower))
}

/// The same number modulo the prime, up to 2^127.
#[inline]
fn folded(number: u128) -> u128 {
    (number & PRIME) + (number >> 127)
}

/// The same number modulo the prime, below it, of one up to 2^127.
#[inline]
fn whole(number: u128) -> u128 {
    if number >= PRIME { number - PRIME } else { number }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By doubling and adding.
    fn slow(one: u128, other: u128) -> u128 {
        let add = |one: u128, other: u128| (one + other) % PRIME;
        (0..127).rev().fold(0, |product, bit| {
            let doubled = add(product, product);
            if other >> bit & 1 == 1 { add(doubled, one) } else { doubled }
        })
    }

    proptest! {
        #[test]
        fn a_product_is_that_of_long_multiplication(one in 0..PRIME, other in 0..PRIME) {
            let most = PRIME + 1;
            for (one, other) in [(one, other), (PRIME - 1, other), (PRIME - 1, PRIME - 1), (0, other), (one >> 63, other),
                (most, most), (PRIME, most), (PRIME, other)] {
                prop_assert!(product(one, other) <= most);
                prop_assert_eq!(whole(product(one, other)), slow(one % PRIME, other % PRIME));
            }
        }

        #[test]
        fn a_digest_tells_what_is_there_and_not_where(mut prints in prop::collection::vec(any::<u128>(), 2..20), at in 1usize..19) {
            let (whole, at) = (Digest::of(&prints), at.min(prints.len() - 1));
            let (one, other) = prints.split_at(at);
            prop_assert_eq!(Digest::of(other) * Digest::of(one), whole);
            prints.swap(0, at);
            prop_assert_eq!(Digest::of(&prints), whole);
            prints[at] ^= 1;
            prop_assert_ne!(Digest::of(&prints), whole);
            prints[at] ^= 1;
            prints.push(prints[at]);
            prop_assert_ne!(Digest::of(&prints), whole);
        }
    }

    #[test]
    fn what_changes_places_between_two_endpoints_shows() {
        // Sums of these are the same, whatever the keys are.
        assert_ne!(Digest::of(&[10 << 64 | 1, 20 << 64 | 2]), Digest::of(&[10 << 64 | 2, 20 << 64 | 1]));
    }
}
