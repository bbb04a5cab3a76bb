//! Two sets of slices -> what changed for each endpoint.
