//! Python binding of [`epcore`]: extract, detach, call, wrap, map errors; nothing else.

mod assign;
mod dicts;
mod diff;
mod endpoints;
mod errors;
mod input;
mod iterator;
mod kube;
mod legacy;
mod lint;
mod lock;
mod notes;
mod objects;
mod options;
mod packer;
mod plan;
mod slices;
mod slots;
mod trackers;
mod view;
mod work;

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// Types and exceptions are made once for a process, and belong to the interpreter that made them; its `sys` tells which that is.
fn refuse_another_interpreter(py: Python<'_>) -> PyResult<()> {
    static HOME: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let sys = py.import("sys")?;
    if HOME.get_or_init(py, || sys.clone().unbind()).is(&sys) {
        return Ok(());
    }
    Err(PyImportError::new_err("epcore can be in one interpreter of a process, and is in another"))
}

/// The native part of `epcore`.
#[pymodule]
mod _epcore {
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::refuse_another_interpreter(module.py())
    }

    #[pymodule_export]
    use crate::assign::{Assignment, assign, most_untouched};
    #[pymodule_export]
    use crate::diff::{Change, Delta, Transition, diff};
    #[pymodule_export]
    use crate::endpoints::{Endpoint, EndpointSet};
    #[pymodule_export]
    use crate::kube::{publish, reconcile};
    #[pymodule_export]
    use crate::legacy::{
        ChangeCost, EndpointsPlan, LegacyEndpoints, build_endpoints, change_cost, merge_endpoints, mirror,
    };
    #[pymodule_export]
    use crate::lint::{Finding, lint};
    #[pymodule_export]
    use crate::options::{Compaction, Policy};
    #[pymodule_export]
    use crate::packer::Packer;
    #[pymodule_export]
    use crate::plan::{Move, Plan, Stats, Write, cohort_of, pack};
    #[pymodule_export]
    use crate::slices::{EndpointSlice, SliceSet};
    #[pymodule_export]
    use crate::slots::{Server, SlotChange, Slots};
    #[pymodule_export]
    use crate::trackers::{Batch, ServiceIndex, SliceTracker, TriggerTimes};
    #[pymodule_export]
    use crate::view::{Duplicate, PortEndpoint, Reachable, View};

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the name that Python expects")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
