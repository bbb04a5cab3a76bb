//! What one change costs under each API.

use super::merge::{only_family, untruncated};
use super::truncate;
use crate::Error;
use crate::model::{AddressType, EndpointSlice};
use crate::wire::json::{slice_size, write_legacy_endpoints};

/// Bytes that are sent when one endpoint changes, as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeCost {
    /// Endpoints in the slices.
    pub endpoints: usize,
    /// Slices.
    pub slices: usize,
    /// Size of the slice that holds an endpoint, on average over the endpoints: what one watcher of slices receives.
    pub slice_bytes: u64,
    /// The largest slice.
    pub slice_bytes_most: u64,
    /// Size of the Endpoints object that Kubernetes would write: what one watcher of Endpoints receives.
    pub endpoints_bytes: u64,
    /// The same with the addresses that Kubernetes leaves out since 1.22.
    pub endpoints_bytes_whole: u64,
    /// Addresses that it leaves out.
    pub left_out: usize,
    /// Watchers, usually one on each node.
    pub watchers: u64,
}

impl ChangeCost {
    /// Bytes to all watchers of slices.
    #[must_use]
    pub fn slice_bytes_total(&self) -> u64 {
        self.slice_bytes.saturating_mul(self.watchers)
    }

    /// Bytes to all watchers of Endpoints, with all addresses.
    #[must_use]
    pub fn endpoints_bytes_total(&self) -> u64 {
        self.endpoints_bytes_whole.saturating_mul(self.watchers)
    }
}

impl std::fmt::Display for ChangeCost {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = |count: usize| grouped(count as u64);
        let bytes = |each, total| {
            format!("{} bytes to each watcher, {} to {}", grouped(each), grouped(total), grouped(self.watchers))
        };
        write!(
            formatter,
            "one of {} endpoints changes; EndpointSlices ({}): {}; Endpoints: {}",
            count(self.endpoints),
            count(self.slices),
            bytes(self.slice_bytes, self.slice_bytes_total()),
            bytes(self.endpoints_bytes_whole, self.endpoints_bytes_total()),
        )?;
        if self.left_out > 0 {
            let (each, missing) = (grouped(self.endpoints_bytes), count(self.left_out));
            write!(formatter, "; or {each} to each with {missing} addresses left out")?;
        }
        Ok(())
    }
}

/// A number with a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What it costs that one endpoint of a Service changes: one slice to each watcher, or one object with all addresses.
///
/// Sizes are those of the objects in JSON, without what a watch puts around them.
///
/// # Errors
///
/// As [`merge`](super::merge).
pub fn change_cost<S: AsRef<EndpointSlice>>(
    slices: &[S],
    family: Option<AddressType>,
    watchers: u64,
) -> Result<ChangeCost, Error> {
    let family = family.map_or_else(|| only_family(slices), Ok)?;
    let whole = untruncated(slices, Some(family))?;
    let slices: Vec<(usize, u64)> = slices
        .iter()
        .map(AsRef::as_ref)
        .filter(|slice| slice.address_type == family)
        .map(|slice| (slice.endpoints.len(), slice_size(slice) as u64))
        .collect();
    let mut truncated = whole.clone();
    truncate(&mut truncated);
    let size = |object| write_legacy_endpoints(object).len() as u64;
    let count = |(ready, others): (usize, usize)| ready + others;
    let endpoints: usize = slices.iter().map(|(endpoints, _)| endpoints).sum();
    let weighted: u64 = slices.iter().map(|&(endpoints, size)| endpoints as u64 * size).sum();
    Ok(ChangeCost {
        endpoints,
        slices: slices.len(),
        slice_bytes: weighted.div_ceil(endpoints.max(1) as u64),
        slice_bytes_most: slices.iter().map(|&(_, size)| size).max().unwrap_or(0),
        endpoints_bytes: size(&truncated),
        endpoints_bytes_whole: size(&whole),
        left_out: count(whole.counts()) - count(truncated.counts()),
        watchers,
    })
}
