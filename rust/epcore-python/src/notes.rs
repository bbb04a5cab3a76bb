//! What else is told about a plan, as plain dicts.

use std::collections::BTreeMap;

use epcore::model::AddressType;
use epcore::pack::{Event, HintState};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// State as a mapping: `{"populated": True, "zones": {"IPv4": {"a": 3}}}`.
pub(crate) fn hint_state(given: &Bound<'_, PyDict>) -> PyResult<HintState> {
    let mut state = HintState::default();
    if let Some(populated) = given.get_item("populated")? {
        state.is_populated = populated.extract()?;
    }
    let zones = given.get_item("zones")?;
    let zones: BTreeMap<String, BTreeMap<String, usize>> =
        zones.map_or_else(|| Ok(BTreeMap::new()), |zones| zones.extract())?;
    for (family, counts) in zones {
        let family = AddressType::parse(&family)
            .ok_or_else(|| PyValueError::new_err(format!("hints: {family:?} is not IPv4 or IPv6")))?;
        state.zones.insert(family, counts);
    }
    Ok(state)
}

pub(crate) fn hint_state_dict<'py>(py: Python<'py>, state: &HintState) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("populated", state.is_populated)?;
    let zones: BTreeMap<&str, &BTreeMap<String, usize>> =
        state.zones.iter().map(|(family, counts)| (family.as_str(), counts)).collect();
    dict.set_item("zones", zones)?;
    Ok(dict)
}

pub(crate) fn event_dict<'py>(py: Python<'py>, event: &Event) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("type", if event.is_warning { "Warning" } else { "Normal" })?;
    dict.set_item("reason", event.reason)?;
    dict.set_item("message", &event.message)?;
    Ok(dict)
}
