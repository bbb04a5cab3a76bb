//! What the laws of readers share: slices that overlap, and what a delta says.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::sync::Arc;

use epcore::diff::{Change, Delta, Fields, Key, Options};
use epcore::model::EndpointSlice;
use epcore::wire::json;
use proptest::prelude::*;

/// Slices as they are at one moment.
pub(crate) type Slices = Vec<Arc<EndpointSlice>>;

/// Address, target, conditions, node.
type Spec = (u8, u8, u8, u8);

fn endpoint((address, target, conditions, node): Spec) -> String {
    let word = |value: u8| ["null", "true", "false"][usize::from(value % 3)];
    format!(
        r#"{{"addresses":["{}"],"conditions":{{"ready":{},"terminating":{}}},"nodeName":"n{node}","hints":{{"forZones":[{}]}},"targetRef":{{"uid":"{}"}}}}"#,
        ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.00.0.3"][usize::from(address % 4)],
        word(conditions),
        word(conditions / 3),
        if target == 1 { "" } else { r#"{"name":"z"}"# },
        ["", "u1", "u2"][usize::from(target % 3)],
    )
}

/// Slices that share endpoints.
pub(crate) fn slices() -> impl Strategy<Value = Slices> {
    let spec = (0u8..4, 0u8..3, 0u8..9, 0u8..2);
    let slice = (prop::collection::vec(spec, 0..5), 0u8..2, 0u8..3, 0u8..3);
    prop::collection::vec(slice, 0..4).prop_map(|slices| {
        let text = |(name, (endpoints, service, port, time)): (usize, &(Vec<Spec>, u8, u8, u8))| {
            let endpoints: Vec<String> = endpoints.iter().copied().map(endpoint).collect();
            let ports = ["", r#"{"name":"a","port":80}"#, r#"{"name":"a","port":80},{"name":"b"}"#][usize::from(*port)];
            format!(
                r#"{{"metadata":{{"name":"s-{name}","namespace":"shop","labels":{{"kubernetes.io/service-name":"web-{service}"}},
                    "annotations":{{"endpoints.kubernetes.io/last-change-trigger-time":"2026-01-01T00:00:0{time}Z"}}}},
                    "addressType":"IPv4","ports":[{ports}],"endpoints":[{}]}}"#,
                endpoints.join(",")
            )
        };
        let slices: Vec<String> = slices.iter().enumerate().map(text).collect();
        json::read_slices(format!("[{}]", slices.join(",")).as_bytes()).unwrap()
    })
}

/// Every key and mask.
pub(crate) fn options() -> impl Strategy<Value = Options> {
    let keys = prop_oneof![Just(Key::Address), Just(Key::AddressPort), Just(Key::Target)];
    let fields = prop_oneof![Just(Fields::Dns), Just(Fields::Proxy), Just(Fields::Envoy), Just(Fields::All)];
    (keys, fields).prop_map(|(key, fields)| Options { key, fields })
}

fn keys(changes: &[Change<'_>]) -> Vec<String> {
    changes.iter().map(Change::key).collect()
}

/// Keys that were added, removed, updated, moved.
pub(crate) fn sets(delta: &Delta) -> [BTreeSet<String>; 4] {
    [delta.added(), delta.removed(), delta.updated(), delta.moved()].map(|changes| keys(&changes).into_iter().collect())
}
