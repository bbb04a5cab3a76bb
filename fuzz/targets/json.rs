//! The reader that learns beside the plain one: the same slices, or the same error at the same place, whatever was read before.
//!
//! An input is documents with a byte between them that is in no UTF-8. All are read on a thread of their own, one after the other, so that the later ones meet
//! what the earlier ones taught, and an input that finds something finds it again.

#![no_main]

use std::sync::Arc;
use std::thread;

use epcore::wire::{Listing, json};
use libfuzzer_sys::fuzz_target;

const BETWEEN: u8 = 0xff;

fuzz_target!(|data: &[u8]| {
    let documents: Vec<&[u8]> = data.split(|byte| *byte == BETWEEN).collect();
    thread::scope(|scope| scope.spawn(|| documents.iter().for_each(|document| check(document))).join())
        .expect("no panic");
    if let [first, .., last] = &*documents {
        check_refresh(first, last);
    }
});

fn check(document: &[u8]) {
    let (learned, plain) = (json::read_slices(document), json::read_slices_plainly(document));
    assert_eq!(format!("{learned:?}"), format!("{plain:?}"));
    let (of_learned, of_plain) = (json::read_endpoints(document), json::read_endpoints_plainly(document));
    assert_eq!(format!("{of_learned:?}"), format!("{of_plain:?}"));
    let (of_known, of_plain) = (json::read_pods(document), json::read_pods_plainly(document));
    assert_eq!(of_known, of_plain);
    let (published, of_plain) = (json::read_published(document), json::read_published_plainly(document));
    assert_eq!(format!("{published:?}"), format!("{of_plain:?}"));
    drop((json::read_events(document), json::read_object_events(document, None)));
    if let Ok(slices) = learned {
        let written = json::write_slices(slices.iter().map(|slice| &**slice));
        let again = json::read_slices(&written).expect("what was written can be read");
        assert_eq!(again, slices);
        assert_eq!(json::write_slices(again.iter().map(|slice| &**slice)), written);
        // Cut anywhere, the list is none, and both readers say so alike. One place for each input is enough.
        let cut = &written[..document.len() * 7 % written.len()];
        assert_eq!(json::read_slices(cut).unwrap_err(), json::read_slices_plainly(cut).unwrap_err());
    }
}

/// A list that is read by what is kept of another is the list.
fn check_refresh(first: &[u8], next: &[u8]) {
    let Ok(listing) = Listing::read(Arc::new(first.to_vec())) else { return };
    let next = Arc::new(next.to_vec());
    let [refreshed, read] = [listing.next(next.clone()), Listing::read(next)]
        .map(|listing| listing.map(|listing| listing.slices().clone()));
    assert_eq!(format!("{refreshed:?}"), format!("{read:?}"));
}
