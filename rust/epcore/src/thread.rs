//! What each thread keeps for itself, which is there until the thread begins to end: what is dropped then may still call this crate.

use std::cell::Cell;
use std::thread::LocalKey;

/// Take what the thread keeps; the default if there is nothing, or no longer.
pub(crate) fn take<T: Default>(kept: &'static LocalKey<Cell<T>>) -> T {
    kept.try_with(Cell::take).unwrap_or_default()
}

/// Let the thread keep something, unless it ends.
pub(crate) fn keep<T>(kept: &'static LocalKey<Cell<T>>, value: T) {
    // A thread that ends has no use for it.
    let _ = kept.try_with(|kept| kept.set(value));
}
