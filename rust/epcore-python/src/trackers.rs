//! `SliceTracker`, `TriggerTimes`, `ServiceIndex`, `Batch`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use epcore::kube::{self as core, Pod};
use epcore::wire;
use epcore::{Error, model};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::to_exception;
use crate::input;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn one_slice(given: &Bound<'_, PyAny>) -> PyResult<std::sync::Arc<model::EndpointSlice>> {
    match &input::slices(given)?.0[..] {
        [slice] => Ok(slice.clone()),
        many => {
            let message = format!("must be one slice, found {}", many.len());
            Err(to_exception(Error::invalid(message).in_field("slices")))
        }
    }
}

/// Which slices we wrote and in which generation.
#[pyclass(frozen, module = "epcore")]
#[derive(Default)]
pub(crate) struct SliceTracker(Mutex<core::SliceTracker>);

#[pymethods]
impl SliceTracker {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn update(&self, slice: &Bound<'_, PyAny>) -> PyResult<()> {
        let slice = one_slice(slice)?;
        lock(&self.0).update(&slice);
        Ok(())
    }

    fn expect_deletion(&self, slice: &Bound<'_, PyAny>) -> PyResult<()> {
        let slice = one_slice(slice)?;
        lock(&self.0).expect_deletion(&slice);
        Ok(())
    }

    fn handle_deletion(&self, slice: &Bound<'_, PyAny>) -> PyResult<bool> {
        let slice = one_slice(slice)?;
        Ok(lock(&self.0).handle_deletion(&slice))
    }

    fn should_sync(&self, slice: &Bound<'_, PyAny>) -> PyResult<bool> {
        let slice = one_slice(slice)?;
        Ok(lock(&self.0).should_sync(&slice))
    }

    fn is_stale(&self, namespace: &str, service: &str, slices: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (slices, _) = input::slices(slices)?;
        Ok(lock(&self.0).is_stale(namespace, service, slices.iter().map(|slice| &**slice)))
    }

    fn forget(&self, namespace: &str, service: &str) {
        lock(&self.0).forget(namespace, service);
    }
}

/// The time of the change that a sync is for.
#[pyclass(frozen, module = "epcore")]
#[derive(Default)]
pub(crate) struct TriggerTimes(Mutex<core::TriggerTimes>);

#[pymethods]
impl TriggerTimes {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn compute(&self, service: &Bound<'_, PyAny>, pods: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
        let service = input::objects(service, "service", wire::read_service)?;
        let pods = input::objects(pods, "pods", wire::read_pods)?;
        Ok(lock(&self.0).compute(&service, &pods))
    }

    fn forget(&self, namespace: &str, service: &str) {
        lock(&self.0).forget(namespace, service);
    }
}

/// Which Services a Pod concerns.
#[pyclass(frozen, module = "epcore")]
#[derive(Default)]
pub(crate) struct ServiceIndex(Mutex<core::ServiceIndex>);

#[pymethods]
impl ServiceIndex {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn set(&self, service: &Bound<'_, PyAny>) -> PyResult<()> {
        let service = input::objects(service, "service", wire::read_service)?;
        lock(&self.0).set(&service);
        Ok(())
    }

    fn remove(&self, namespace: &str, service: &str) {
        lock(&self.0).remove(namespace, service);
    }

    #[pyo3(signature = (before, after))]
    fn affected(&self, before: Option<&Bound<'_, PyAny>>, after: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<String>> {
        let (before, after) = (before.map(one_pod).transpose()?, after.map(one_pod).transpose()?);
        Ok(lock(&self.0).affected(before.as_ref(), after.as_ref()))
    }
}

fn one_pod(given: &Bound<'_, PyAny>) -> PyResult<Pod> {
    let mut pods = input::objects(given, "pods", wire::read_pods)?;
    let count = pods.len();
    match pods.pop() {
        Some(pod) if count == 1 => Ok(pod),
        _ => Err(to_exception(Error::invalid(format!("must be one Pod, found {count}")).in_field("pods"))),
    }
}

/// What waits for its time.
#[pyclass(frozen, module = "epcore")]
#[derive(Default)]
pub(crate) struct Batch(Mutex<core::Batch>);

#[pymethods]
impl Batch {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn add(&self, key: &str, when: f64) -> PyResult<()> {
        if when.is_nan() {
            return Err(PyValueError::new_err("when must be a number"));
        }
        lock(&self.0).add(key, when);
        Ok(())
    }

    fn take(&self, now: f64) -> Vec<String> {
        lock(&self.0).take(now)
    }

    fn next(&self) -> Option<f64> {
        lock(&self.0).next()
    }
}
