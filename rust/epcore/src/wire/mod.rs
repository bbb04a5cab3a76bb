//! Formats. Nothing outside this module knows one.

pub mod json;
