//! `Policy`, `Compaction`, and the words for modes.

use std::hash::{DefaultHasher, Hash, Hasher};

use epcore::Error;
use epcore::pack::{
    AddressReuse, Cohort, Compaction as CoreCompaction, CompactionOrder, IdleMoves, Lifecycle, Naming, Options,
    Policy as CorePolicy, Prices, Replace,
};
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::to_exception;

/// How to choose among clean slices and new ones when the dirty slices are full.
#[pyclass(frozen, eq, module = "epcore")]
#[derive(PartialEq, Clone, Copy)]
pub(crate) struct Policy(pub(crate) CorePolicy);

#[pymethods]
impl Policy {
    #[new]
    #[pyo3(signature = (*, threshold=None, write=None, byte=None, watchers=None, slice=None, spare=None, moves=None))]
    fn new(
        threshold: Option<f64>,
        write: Option<f64>,
        byte: Option<f64>,
        watchers: Option<Count>,
        slice: Option<f64>,
        spare: Option<f64>,
        moves: Option<&str>,
    ) -> PyResult<Self> {
        let has_prices = write.is_some() || byte.is_some() || watchers.is_some() || slice.is_some();
        if spare.is_some() || moves.is_some() {
            if has_prices || threshold.is_some() {
                return Err(PyValueError::new_err(
                    "spare and moves are a form of their own: give no threshold and no prices",
                ));
            }
            return lifecycle(spare.unwrap_or(0.0), moves.unwrap_or("not-ready"));
        }
        match threshold {
            Some(_) if has_prices => Err(PyValueError::new_err("give either threshold or prices, not both")),
            Some(threshold) => Self::checked(CorePolicy::Threshold(threshold + 0.0)),
            None if !has_prices => {
                Err(PyValueError::new_err("give threshold, or prices: write, byte, watchers, slice; or spare, moves"))
            }
            None => {
                // Zero has one sign, so that equal values have one hash.
                let price = |given: Option<f64>| given.unwrap_or(0.0) + 0.0;
                let watchers = watchers.map_or(Ok(1), |watchers| watchers.read("watchers"))?;
                let watchers = u32::try_from(watchers)
                    .map_err(|_| PyValueError::new_err(format!("watchers must be at most {}", u32::MAX)))?;
                let (write, byte, slice) = (price(write), price(byte), price(slice));
                Self::checked(CorePolicy::Prices(Prices { write, byte, watchers, slice }))
            }
        }
    }

    fn __repr__(&self) -> String {
        match self.0 {
            CorePolicy::Threshold(threshold) => format!("Policy(threshold={threshold:?})"),
            CorePolicy::Prices(Prices { write, byte, watchers, slice }) => {
                format!("Policy(write={write:?}, byte={byte:?}, watchers={watchers}, slice={slice:?})")
            }
            CorePolicy::Lifecycle(Lifecycle { spare, moves }) => {
                format!("Policy(spare={spare:?}, moves={:?})", moves_word(moves))
            }
            CorePolicy::Upstream => "'upstream'".to_owned(),
        }
    }

    fn __hash__(&self) -> u64 {
        hash_of(&self.__repr__())
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let arguments = PyDict::new(py);
        match self.0 {
            CorePolicy::Prices(prices) => {
                arguments.set_item("write", prices.write)?;
                arguments.set_item("byte", prices.byte)?;
                arguments.set_item("watchers", prices.watchers)?;
                arguments.set_item("slice", prices.slice)?;
            }
            CorePolicy::Threshold(threshold) => arguments.set_item("threshold", threshold)?,
            CorePolicy::Lifecycle(Lifecycle { spare, moves }) => {
                arguments.set_item("spare", spare)?;
                arguments.set_item("moves", moves_word(moves))?;
            }
            CorePolicy::Upstream => {}
        }
        by_keywords(py.get_type::<Self>().as_any(), &arguments)
    }
}

const MOVES: [(&str, IdleMoves); 2] = [("not-ready", IdleMoves::NotReady), ("not-serving", IdleMoves::NotServing)];

impl Policy {
    fn checked(policy: CorePolicy) -> PyResult<Self> {
        policy.check().map(|()| Self(policy)).map_err(to_exception)
    }
}

fn lifecycle(spare: f64, moves: &str) -> PyResult<Policy> {
    Policy::checked(CorePolicy::Lifecycle(Lifecycle { spare: spare + 0.0, moves: word("moves", moves, &MOVES)? }))
}

fn moves_word(moves: IdleMoves) -> &'static str {
    MOVES.iter().find(|(_, of)| *of == moves).map_or("", |(word, _)| word)
}

/// Permission to move live endpoints so that slices stay few.
#[pyclass(frozen, eq, module = "epcore")]
#[derive(PartialEq, Clone, Copy)]
pub(crate) struct Compaction(pub(crate) CoreCompaction);

#[pymethods]
impl Compaction {
    #[new]
    #[pyo3(signature = (*, epsilon=0.25, max_moves=None, order="make-before-break"))]
    fn new(epsilon: f64, max_moves: Option<Count>, order: &str) -> PyResult<Self> {
        let order = word(
            "order",
            order,
            &[
                ("make-before-break", CompactionOrder::MakeBeforeBreak),
                ("break-before-make", CompactionOrder::BreakBeforeMake),
                ("make-break-touch", CompactionOrder::MakeBreakTouch),
            ],
        )?;
        let max_moves = max_moves.map(|moves| moves.read("max_moves")).transpose()?;
        // Zero has one sign, so that equal values have one hash.
        let compaction = CoreCompaction { epsilon: epsilon + 0.0, max_moves, order };
        compaction.check().map(|()| Self(compaction)).map_err(to_exception)
    }

    fn __repr__(&self) -> String {
        let moves = self.0.max_moves.map_or_else(|| "None".to_owned(), |moves| moves.to_string());
        format!("Compaction(epsilon={:?}, max_moves={moves}, order={:?})", self.0.epsilon, self.order())
    }

    fn __hash__(&self) -> u64 {
        hash_of(&self.__repr__())
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let arguments = PyDict::new(py);
        arguments.set_item("epsilon", self.0.epsilon)?;
        arguments.set_item("max_moves", self.0.max_moves)?;
        arguments.set_item("order", self.order())?;
        by_keywords(py.get_type::<Self>().as_any(), &arguments)
    }
}

impl Compaction {
    fn order(&self) -> &'static str {
        match self.0.order {
            CompactionOrder::MakeBeforeBreak => "make-before-break",
            CompactionOrder::BreakBeforeMake => "break-before-make",
            CompactionOrder::MakeBreakTouch => "make-break-touch",
        }
    }
}

/// A whole number of any size, so that one out of range is refused with its name. One too large for the machine is as good as no bound.
#[derive(Clone, Copy)]
pub(crate) struct Count(Option<usize>);

impl Count {
    pub(crate) fn new(number: usize) -> Self {
        Self(Some(number))
    }

    /// The number, `None` if it is negative.
    pub(crate) fn get(self) -> Option<usize> {
        self.0
    }

    /// The number; `name` tells the caller which one is negative.
    pub(crate) fn read(self, name: &'static str) -> PyResult<usize> {
        self.0.ok_or_else(|| to_exception(Error::invalid("must not be negative").in_field(name)))
    }
}

impl FromPyObject<'_, '_> for Count {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        match given.extract::<usize>() {
            Err(error) if error.is_instance_of::<PyOverflowError>(given.py()) => {
                Ok(Self(if given.lt(0)? { None } else { Some(usize::MAX) }))
            }
            extracted => extracted.map(Some).map(Self),
        }
    }
}

/// A pickle of a call with keywords.
fn by_keywords<'py>(class: &Bound<'py, PyAny>, arguments: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    let call = py.import("functools")?.getattr("partial")?.call((class,), Some(arguments))?;
    Ok((call, ()).into_pyobject(py)?.into_any())
}

fn hash_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Keywords of `pack` and its kin, over what they are by default.
pub(crate) fn read(keywords: Option<&Bound<'_, PyDict>>, mut options: Options) -> PyResult<Options> {
    for (name, value) in keywords.into_iter().flat_map(PyDictMethods::iter) {
        let name = name.extract::<String>()?;
        match set(&mut options, &name, &value) {
            Ok(true) => {}
            Ok(false) => return Err(PyTypeError::new_err(format!("unexpected keyword argument {name:?}"))),
            Err(error) => return Err(about(error, &name, &value)),
        }
    }
    Ok(options)
}

/// Set what a keyword names; false if there is no such keyword.
fn set(options: &mut Options, name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let text = || value.extract::<String>();
    match name {
        "replace" if value.is_none() => {} // as the caller has it
        "max_endpoints" => options.max_endpoints = value.extract::<Count>()?.read("max_endpoints")?,
        "max_bytes" => options.max_bytes = value.extract::<Count>()?.read("max_bytes")?,
        "policy" => options.policy = policy(value)?,
        "cohort" => options.cohort = cohort(value.extract()?)?,
        "compaction" => options.compaction = value.extract::<Option<PyRef<'_, Compaction>>>()?.map(|given| given.0),
        "address_reuse" => options.address_reuse = address_reuse(&text()?)?,
        "replace" => options.replace = replace(&text()?)?,
        "naming" => options.naming = naming(&text()?)?,
        "trigger_time" => options.trigger_time = value.extract()?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// A wrong type is told with the name of the keyword, as `PyO3` does for the arguments that it reads itself.
fn about(error: PyErr, name: &str, value: &Bound<'_, PyAny>) -> PyErr {
    let py = value.py();
    if error.is_instance_of::<PyTypeError>(py)
        && let Err(error) = error.add_note(py, format!("while processing '{name}'"))
    {
        return error;
    }
    error
}

/// A cohort by its word or path; `None` is none.
pub(crate) fn cohort(given: Option<&str>) -> PyResult<Cohort> {
    given.map_or(Ok(Cohort::Off), Cohort::parse).map_err(to_exception)
}

/// Protocols that a port of a slice may have.
pub(crate) const PROTOCOLS: [(&str, &str); 3] = [("TCP", "TCP"), ("UDP", "UDP"), ("SCTP", "SCTP")];

/// The value that a word stands for.
pub(crate) fn word<T: Copy>(name: &str, given: &str, words: &[(&str, T)]) -> PyResult<T> {
    words.iter().find(|(word, _)| *word == given).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        PyValueError::new_err(format!("{name} must be one of {}, not {given:?}", known.join(", ")))
    })
}

/// A policy by name, or one made by the caller.
pub(crate) fn policy(given: &Bound<'_, PyAny>) -> PyResult<CorePolicy> {
    if let Ok(policy) = given.cast::<Policy>() {
        return Ok(policy.get().0);
    }
    word(
        "policy",
        &given.extract::<String>()?,
        &[
            ("balanced", CorePolicy::BALANCED),
            ("dense", CorePolicy::DENSE),
            ("lean", CorePolicy::LEAN),
            ("lifecycle", CorePolicy::LIFECYCLE),
            ("upstream", CorePolicy::Upstream),
        ],
    )
}

fn address_reuse(given: &str) -> PyResult<AddressReuse> {
    word("address_reuse", given, &[("ordered", AddressReuse::Ordered), ("strict", AddressReuse::Strict)])
}

fn replace(given: &str) -> PyResult<Replace> {
    word("replace", given, &[("safe", Replace::Safe), ("recycle", Replace::Recycle)])
}

fn naming(given: &str) -> PyResult<Naming> {
    word("naming", given, &[("generate", Naming::Generate), ("deterministic", Naming::Deterministic)])
}
