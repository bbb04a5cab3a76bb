//! `assign`, the optimiser without Kubernetes, and what bounds every optimiser.

use epcore::Error;
use epcore::pack::{self as core, Alike, Assigned, Item};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt};

use crate::errors::to_exception;
use crate::options::{self, Compaction, Count};
use crate::work;

/// Key, fingerprint, size in bytes, cohort.
type Given<'py> = (String, Bound<'py, PyInt>, Count, Option<String>);

/// Where each item goes.
#[pyclass(frozen, module = "epcore")]
pub(crate) struct Assignment {
    keys: Vec<String>,
    assigned: Assigned,
}

#[pymethods]
impl Assignment {
    /// Keys in each container afterwards.
    #[getter]
    fn containers(&self) -> Vec<Vec<&str>> {
        self.assigned.containers.iter().map(|items| self.names(items)).collect()
    }

    /// Indexes of the containers that must be written or deleted.
    #[getter]
    fn written(&self) -> Vec<usize> {
        self.assigned.written.clone()
    }

    #[getter]
    fn deleted(&self) -> Vec<usize> {
        self.assigned.deleted.clone()
    }

    #[getter]
    fn moved(&self) -> Vec<&str> {
        self.names(&self.assigned.moved)
    }

    #[getter]
    fn write_floor(&self) -> usize {
        self.assigned.write_floor
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("containers", self.containers())?;
        dict.set_item("written", self.written())?;
        dict.set_item("deleted", self.deleted())?;
        dict.set_item("moved", self.moved())?;
        dict.set_item("write_floor", self.write_floor())?;
        Ok(dict)
    }

    fn __repr__(&self) -> String {
        format!("<Assignment: {} containers, {} written>", self.assigned.containers.len(), self.assigned.written.len())
    }
}

impl Assignment {
    fn names(&self, items: &[usize]) -> Vec<&str> {
        items.iter().map(|&item| &*self.keys[item]).collect()
    }
}

/// Put keyed items into containers with the fewest writes.
#[pyfunction]
#[pyo3(signature = (wanted, existing, *, max_items=Count::new(100), max_bytes=None, policy=None, compaction=None),
    text_signature = "(wanted, existing, *, max_items=100, max_bytes=None, policy='balanced', compaction=None)")]
pub(crate) fn assign(
    py: Python<'_>,
    wanted: Vec<Given<'_>>,
    existing: Vec<Vec<Given<'_>>>,
    max_items: Count,
    max_bytes: Option<Count>,
    policy: Option<&Bound<'_, PyAny>>,
    compaction: Option<&Compaction>,
) -> PyResult<Assignment> {
    let policy = policy.map_or(Ok(core::Policy::BALANCED), options::policy)?;
    let compaction = compaction.map(|compaction| compaction.0);
    let max_items = max_items.read("max_items")?;
    let max_bytes = max_bytes.map(|most| most.read("max_bytes")).transpose()?;
    let wanted = items(wanted, |error| to_exception(error.in_field("wanted")))?;
    let containers = existing.into_iter().enumerate();
    let read = |(at, container)| items(container, |error| to_exception(error.in_index(at).in_field("existing")));
    let existing = containers.map(read).collect::<PyResult<Vec<Vec<_>>>>()?;
    let assigned = py
        .detach(|| core::assign(&wanted, &existing, max_items, max_bytes, policy, compaction))
        .map_err(to_exception)?;
    Ok(Assignment { keys: wanted.into_iter().map(|item| item.key).collect(), assigned })
}

fn items(given: Vec<Given<'_>>, exception: impl Fn(Error) -> PyErr) -> PyResult<Vec<Item>> {
    let numbered = given.into_iter().enumerate();
    numbered.map(|(index, given)| item(given).map_err(|error| exception(error.in_index(index)))).collect()
}

/// Fingerprints may be negative, as `hash()` gives them.
fn item((key, fingerprint, size, cohort): Given<'_>) -> Result<Item, Error> {
    let fingerprint = fingerprint
        .extract::<u64>()
        .or_else(|_| fingerprint.extract::<i64>().map(i64::cast_unsigned))
        .map_err(|_| Error::invalid("must have at most 64 bits").in_field("fingerprint"))?;
    let size = size.get().ok_or_else(|| Error::invalid("must not be negative").in_field("size"))?;
    Ok(Item { key, fingerprint, size, cohort })
}

/// Tell how many endpoints chance leaves in slices in which nothing changes.
#[pyfunction]
#[pyo3(signature = (classes, slices, *, max_endpoints=Count::new(100)), text_signature = "(classes, slices, *, max_endpoints=100)")]
pub(crate) fn most_untouched(
    py: Python<'_>,
    classes: Vec<(Count, Count)>,
    slices: Count,
    max_endpoints: Count,
) -> PyResult<f64> {
    let alike = |(members, changing): (Count, Count)| {
        Ok(Alike { members: members.read("classes")?, changing: changing.read("classes")? })
    };
    let classes = classes.into_iter().map(alike).collect::<PyResult<Vec<Alike>>>()?;
    let (slices, max) = (slices.read("slices")?, max_endpoints.read("max_endpoints")?);
    work::detached(py, || core::most_untouched(&classes, slices, max))?.map_err(to_exception)
}
