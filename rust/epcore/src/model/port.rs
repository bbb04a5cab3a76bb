//! Ports of a slice.

use std::ops::RangeInclusive;

use crate::model::{Members, same_text};

/// Numbers of ports that something can listen on. The API takes others too.
pub(crate) const PORT_NUMBERS: RangeInclusive<i32> = 1..=65_535;

/// One port. Unset `name` and `protocol` are held as the API server defaults them: `""` and `TCP`.
#[derive(Clone, Debug)]
pub struct EndpointPort {
    /// Name, `""` if unset.
    pub name: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// Port number; `None` stands for all ports.
    pub port: Option<i32>,
    /// Application protocol, `""` if unset.
    pub app_protocol: String,
    /// Fields of a newer API.
    pub unknown: Members,
}

/// Nearly every port leaves something out.
impl PartialEq for EndpointPort {
    fn eq(&self, other: &Self) -> bool {
        let Self { name: _, protocol: _, port: _, app_protocol: _, unknown } = self;
        self.has_key_of(other) && *unknown == other.unknown
    }
}

impl Eq for EndpointPort {}

impl Default for EndpointPort {
    fn default() -> Self {
        Self {
            name: String::new(),
            protocol: "TCP".to_owned(),
            port: None,
            app_protocol: String::new(),
            unknown: Members::default(),
        }
    }
}

impl EndpointPort {
    /// No JSON form of the port is longer than this.
    pub(crate) fn size_bound(&self) -> usize {
        6 * (self.name.len() + self.protocol.len() + self.app_protocol.len()) + self.unknown.size_bound() + 80
    }

    /// True if the [sort keys](Self::sort_key) are the same.
    fn has_key_of(&self, other: &Self) -> bool {
        self.port == other.port
            && same_text(&self.name, &other.name)
            && same_text(&self.protocol, &other.protocol)
            && same_text(&self.app_protocol, &other.app_protocol)
    }

    /// What a set of ports is compared by, whatever its order (upstream `endpointutil.NewPortMapKey`).
    pub(crate) fn sort_key(&self) -> (&str, &str, Option<i32>, &str) {
        (&self.name, &self.protocol, self.port, &self.app_protocol)
    }
}

/// True if two lists are the same set of ports.
pub(crate) fn same_ports(left: &[EndpointPort], right: &[EndpointPort]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let sorted = |ports: &'_ [EndpointPort]| -> Vec<usize> {
        let mut order: Vec<usize> = (0..ports.len()).collect();
        order.sort_by(|&a, &b| ports[a].sort_key().cmp(&ports[b].sort_key()));
        order
    };
    match (left, right) {
        // Nearly always, so that nothing is put in order.
        ([left], [right]) => left.has_key_of(right),
        _ if left == right => true,
        _ => sorted(left).into_iter().zip(sorted(right)).all(|(a, b)| left[a].sort_key() == right[b].sort_key()),
    }
}
