//! Protobuf of Kubernetes, or what looks like it: no reader panics, the readers of endpoints, Pods and Nodes of the usual form are the plain ones, and what was read is written
//! and read again as the same, by the same bytes.

#![no_main]

use std::sync::Arc;

use epcore::wire::{self, json, proto};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    drop((wire::read_events(data), wire::read_object_events(data, None), wire::read_objects(data, None)));
    drop((wire::read_endpoints(data), wire::read_pods(data), wire::read_services(data), wire::read_nodes(data)));
    drop((wire::read_legacy_endpoints(data), wire::read_list_version(data)));
    if !proto::is_protobuf(data) {
        return;
    }
    let read = proto::read_slices(data);
    assert_eq!(format!("{read:?}"), format!("{:?}", proto::read_slices_plainly(data)));
    assert_eq!(proto::read_pods(data), proto::read_pods_plainly(data));
    assert_eq!(proto::read_nodes(data), proto::read_nodes_plainly(data));
    let [endpoints, plain] = [proto::read_endpoints(data), proto::read_endpoints_plainly(data)];
    assert_eq!(format!("{endpoints:?}"), format!("{plain:?}"));
    let slices = match read {
        Ok(slices) => slices,
        Err(error) => return drop(wire::locate(data, error)),
    };
    let written =
        proto::write_slices(slices.iter().map(|slice| &**slice)).expect("what came from protobuf goes to protobuf");
    let again = proto::read_slices(&written).expect("what was written can be read");
    assert_eq!(again, slices);
    assert_eq!(proto::write_slices(again.iter().map(|slice| &**slice)).as_deref(), Ok(&*written));
    let listing = wire::Listing::read(Arc::new(written)).and_then(|listing| listing.next(Arc::new(data.to_vec())));
    assert_eq!(**listing.expect("what was read alone").slices(), slices);
    let text = json::write_slices(slices.iter().map(|slice| &**slice));
    let by_json = json::read_slices(&text).expect("what was read from protobuf can be read from JSON");
    assert_eq!(json::write_slices(by_json.iter().map(|slice| &**slice)), text);
});
