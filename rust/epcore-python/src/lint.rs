//! `lint` and what it finds.

use epcore::kube::lint as core;
use epcore::wire;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::to_exception;
use crate::input;
use crate::options::Count;
use crate::work;

/// Look for everything that is wrong with slices.
#[pyfunction]
#[pyo3(signature = (slices, *, services=None, pods=None, max_endpoints=None),
    text_signature = "(slices, *, services=None, pods=None, max_endpoints=100)")]
pub(crate) fn lint(
    py: Python<'_>,
    slices: &Bound<'_, PyAny>,
    services: Option<&Bound<'_, PyAny>>,
    pods: Option<&Bound<'_, PyAny>>,
    max_endpoints: Option<Count>,
) -> PyResult<Vec<Finding>> {
    let mut options = core::Options::default();
    if let Some(count) = max_endpoints {
        options.max_endpoints = count.read("max_endpoints")?;
    }
    options.services = services.map(|given| input::objects(given, "services", wire::read_services)).transpose()?;
    options.pods = pods.map(|given| input::objects(given, "pods", wire::read_pods)).transpose()?;
    let document = input::document(slices, "slices")?;
    let found = work::detached(py, || core::lint(document.bytes(), &options))?;
    let found = found.map_err(|error| to_exception(document.placed(input::named(error, "slices"))))?;
    Ok(found.into_iter().map(|one| Finding(core::Finding { error: document.placed(one.error), ..one })).collect())
}

/// One thing that is wrong with a slice.
#[pyclass(frozen, eq, module = "epcore")]
#[derive(PartialEq)]
pub(crate) struct Finding(core::Finding);

#[pymethods]
impl Finding {
    #[getter]
    fn rule(&self) -> &'static str {
        self.0.rule.id()
    }

    #[getter]
    fn severity(&self) -> &'static str {
        self.0.rule.severity().as_str()
    }

    #[getter]
    fn help(&self) -> &'static str {
        self.0.rule.help()
    }

    #[getter]
    fn message(&self) -> String {
        self.0.error.told()
    }

    #[getter]
    fn path(&self) -> String {
        self.0.error.path()
    }

    #[getter]
    fn offset(&self) -> Option<usize> {
        self.0.error.offset()
    }

    #[getter]
    fn namespace(&self) -> Option<&str> {
        Some(&*self.0.namespace).filter(|namespace| !namespace.is_empty())
    }

    #[getter]
    fn name(&self) -> Option<&str> {
        Some(&*self.0.name).filter(|name| !name.is_empty())
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("rule", self.rule())?;
        dict.set_item("severity", self.severity())?;
        dict.set_item("message", self.message())?;
        dict.set_item("path", self.path())?;
        dict.set_item("offset", self.offset())?;
        dict.set_item("namespace", self.namespace())?;
        dict.set_item("name", self.name())?;
        Ok(dict)
    }

    fn __str__(&self) -> String {
        format!("{}: {} [{}]", self.path(), self.message(), self.rule())
    }

    fn __repr__(&self) -> String {
        format!("<Finding {} {}: {:?}>", self.severity(), self.rule(), self.__str__())
    }
}
