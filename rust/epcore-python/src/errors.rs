//! Errors of the core as the documented exceptions.

use epcore::{Error, ErrorKind};
use pyo3::PyErr;

mod exceptions {
    pyo3::import_exception!(epcore.errors, InvalidInputError);
    pyo3::import_exception!(epcore.errors, LimitError);
}

/// The exception for an error of the core.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn to_exception(error: Error) -> PyErr {
    let (message, path, offset) = (error.message().to_owned(), error.path(), error.offset());
    match error.kind() {
        ErrorKind::InvalidInput => exceptions::InvalidInputError::new_err((message, path, offset)),
        ErrorKind::Limit { limit, actual } => exceptions::LimitError::new_err((message, limit, actual, path, offset)),
    }
}
