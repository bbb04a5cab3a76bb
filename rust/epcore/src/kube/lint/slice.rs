//! Rules about one slice.

use super::{Item, Options, Report, Rule};
use crate::Error;
use crate::model::{AddressType, MANAGED_BY_LABEL, PORT_NUMBERS, SERVICE_NAME_LABEL};
use crate::wire::json;

/// Default of etcd's `--max-request-bytes`.
const MAX_BYTES: usize = 3 << 19;

pub(super) fn check(item: &Item, options: &Options, report: &mut Report) {
    let slice = &item.slice;
    let mut add = |rule, error: Error| report.add(rule, item, error);
    let size = json::slice_size(slice);
    if size > MAX_BYTES {
        add(Rule::TooLarge, Error::limit("too many bytes", MAX_BYTES, size));
    }
    for (label, rule) in [(SERVICE_NAME_LABEL, Rule::NoServiceName), (MANAGED_BY_LABEL, Rule::NoManagedBy)] {
        if slice.metadata.labels.get(label).is_none_or(String::is_empty) {
            let error = Error::invalid(format!("the label {label} is missing"));
            add(rule, error.in_field("labels").in_field("metadata"));
        }
    }
    if slice.metadata.is_being_deleted() {
        add(Rule::BeingDeleted, Error::invalid("is being deleted").in_field("deletionTimestamp").in_field("metadata"));
    }
    if slice.address_type == AddressType::Fqdn {
        add(Rule::AddressTypeFqdn, Error::invalid("deprecated, and read by no proxy").in_field("addressType"));
    }
    if slice.endpoints.len() > options.max_endpoints {
        let error = Error::limit("too many endpoints for one slice", options.max_endpoints, slice.endpoints.len());
        add(Rule::OverfullSlice, error.in_field("endpoints"));
    }
    check_ports(item, &mut add);
    let mut topology = false;
    for (index, endpoint) in slice.endpoints.iter().enumerate().filter(|(_, endpoint)| endpoint.rare().is_some()) {
        let mut add =
            |rule, error: Error, field| add(rule, error.in_field(field).in_index(index).in_field("endpoints"));
        let count = endpoint.addresses().count();
        if count > 1 {
            let error = Error::invalid(format!("{count} addresses, of which only the first has a meaning"));
            add(Rule::SeveralAddresses, error, "addresses");
        }
        if !topology && endpoint.unknown().is_some_and(|unknown| unknown.get("deprecatedTopology").is_some()) {
            topology = true;
            add(Rule::DeprecatedTopology, Error::invalid("v1 has nodeName and zone instead"), "deprecatedTopology");
        }
    }
}

fn check_ports(item: &Item, add: &mut dyn FnMut(Rule, Error)) {
    for (index, port) in item.slice.ports.iter().enumerate() {
        let (rule, error) = match port.port {
            None => (Rule::PortWithoutNumber, Error::invalid("no number: stands for all ports")),
            Some(number) if !PORT_NUMBERS.contains(&number) => {
                (Rule::PortOutOfRange, Error::invalid(format!("{number} is no port: 1 to 65535")).in_field("port"))
            }
            Some(_) => continue,
        };
        add(rule, error.in_index(index).in_field("ports"));
    }
}
