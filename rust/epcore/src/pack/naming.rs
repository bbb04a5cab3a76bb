//! Names of new slices from their content.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashSet;

use crate::Error;
use crate::model::{EndpointPort, EndpointSlice, ObjectMeta};

/// Consonants and digits that spell no words, as Kubernetes uses in generated names.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX: usize = 10;
const LONGEST_NAME: usize = 253;

/// Names that no new slice may get.
pub(crate) struct Taken<'a> {
    /// Of slices beside those at hand. There may be many, and they are asked for each group.
    others: &'a BTreeSet<String>,
    names: HashSet<String>,
}

impl<'a> Taken<'a> {
    pub(crate) fn new(others: &'a BTreeSet<String>) -> Self {
        Self { others, names: HashSet::new() }
    }

    pub(crate) fn with(mut self, slices: &[Arc<EndpointSlice>]) -> Self {
        self.names.extend(slices.iter().map(|slice| slice.metadata.name.clone()));
        self
    }

    /// Take a name; false if it was taken.
    fn take(&mut self, name: &str) -> bool {
        !self.others.contains(name) && self.names.insert(name.to_owned())
    }
}

/// Give a new slice a name that depends on its group and its endpoints, and is not taken.
pub(crate) fn name(slice: &mut EndpointSlice, taken: &mut Taken<'_>) -> Result<(), Error> {
    let prefix = prefix(&slice.metadata)?;
    let prefix = &prefix[..prefix.floor_char_boundary(LONGEST_NAME - SUFFIX)];
    let mut content: Vec<Vec<u8>> = slice.endpoints.iter().map(crate::wire::json::write_endpoint).collect();
    content.sort_unstable();
    let metadata = &slice.metadata;
    let port = |port: &EndpointPort| {
        format!("/{}/{}/{}/{}", port.name, port.protocol, port.port.unwrap_or(-1), port.app_protocol)
    };
    let mut ports: Vec<String> = slice.ports.iter().map(port).collect();
    ports.sort_unstable();
    let family = slice.address_type.as_str();
    let group = format!("{}/{}/{family}{}", metadata.namespace, metadata.service(), ports.concat());
    for attempt in 0u32.. {
        let mut hash = Fnv::default();
        hash.write(group.as_bytes());
        hash.write(&attempt.to_le_bytes());
        for endpoint in &content {
            hash.write(endpoint);
        }
        let name = format!("{prefix}{}", hash.suffix());
        if taken.take(&name) {
            slice.metadata.name = name;
            break;
        }
    }
    Ok(())
}

/// The slice with the longest name that it may get here, to learn its size.
pub(crate) fn longest_named(slice: &EndpointSlice) -> EndpointSlice {
    let mut slice = slice.clone();
    slice.metadata.generate_name = prefix(&slice.metadata).unwrap_or_default();
    slice.metadata.name = format!("{}{}", slice.metadata.generate_name, "x".repeat(SUFFIX));
    slice
}

/// No name that [`longest_named`] gives, with its prefix beside it, takes more bytes of JSON.
pub(crate) fn name_bound(metadata: &ObjectMeta) -> usize {
    let prefix = [&*metadata.generate_name, &*metadata.name, metadata.service()].map(str::len).into_iter().max();
    2 * 6 * (prefix.unwrap_or(0) + "-".len() + SUFFIX)
}

/// The prefix from which a name is made: `generateName`, else the name or the Service with a dash.
pub(crate) fn prefix(metadata: &ObjectMeta) -> Result<String, Error> {
    let with_dash = |text: &str| format!("{text}-");
    match (&*metadata.generate_name, &*metadata.name, metadata.service()) {
        ("", "", "") => Err(Error::invalid("needs generateName, name or the label kubernetes.io/service-name")
            .in_field("metadata")
            .in_field("template")),
        ("", "", service) => Ok(with_dash(service)),
        ("", name, _) => Ok(with_dash(name)),
        (prefix, _, _) => Ok(prefix.to_owned()),
    }
}

/// A number that looks random and is the same everywhere.
pub(crate) fn hash(texts: &[&str]) -> u128 {
    let mut hash = Fnv::default();
    for text in texts {
        hash.write(text.as_bytes());
        hash.write(&[0]);
    }
    hash.0
}

/// FNV-1a of one text.
pub(crate) fn fnv1a(bytes: &[u8]) -> u128 {
    let mut hash = Fnv::default();
    hash.write(bytes);
    hash.0
}

/// FNV-1a of 128 bits (draft-eastlake-fnv): the same on every platform and in every release.
struct Fnv(u128);

impl Default for Fnv {
    fn default() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }
}

impl Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }

    fn suffix(self) -> String {
        let mut rest = self.0;
        (0..SUFFIX)
            .map(|_| {
                let digit = (rest % 27) as usize;
                rest /= 27;
                char::from(ALPHABET[digit])
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // Test vectors of the draft.
        assert_eq!(fnv1a(b""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(fnv1a(b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
        assert_eq!(fnv1a(b"foobar"), 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18);
    }
}
