//! From slices back to an Endpoints object, for readers that know nothing else.

use super::{EndpointSubset, Endpoints, repack, truncate};
use crate::Error;
use crate::kube::desired::Groups;
use crate::model::{AddressType, Conditions, EndpointSlice, MANAGED_BY_LABEL, ObjectMeta, SERVICE_NAME_LABEL};

/// Label that keeps the mirroring controller from making slices of an Endpoints object.
pub(super) const SKIP_MIRROR_LABEL: &str = "endpointslice.kubernetes.io/skip-mirror";

/// The Endpoints object that says what slices of one Service say, as far as it can: addresses of one family, ready or not.
///
/// Endpoints that are not ready and terminating are left out, as Kubernetes' own controller does; so are addresses above
/// [`MAX_ADDRESSES`](super::MAX_ADDRESSES). The object bears the label that keeps Kubernetes from making slices of it again.
///
/// # Errors
///
/// `InvalidInput` for slices of several Services or without one, for domain names, and if no `family` is given where there are two.
///
/// # Examples
///
/// ```
/// use epcore::kube::legacy::merge;
/// use epcore::wire::json;
///
/// let slices = json::read_slices(br#"{"metadata": {"name": "db-1", "labels": {"kubernetes.io/service-name": "db"}},
///     "addressType": "IPv4", "ports": [{"port": 5432}], "endpoints": [{"addresses": ["10.0.0.5"]}]}"#)?;
/// assert_eq!(merge(&slices, None)?.counts(), (1, 0));
/// # Ok::<(), epcore::Error>(())
/// ```
pub fn merge<S: AsRef<EndpointSlice>>(slices: &[S], family: Option<AddressType>) -> Result<Endpoints, Error> {
    let mut object = untruncated(slices, family)?;
    truncate(&mut object);
    Ok(object)
}

pub(super) fn untruncated<S: AsRef<EndpointSlice>>(
    slices: &[S],
    family: Option<AddressType>,
) -> Result<Endpoints, Error> {
    let metadata = metadata(slices)?;
    let family = match family {
        Some(family) => family,
        None => only_family(slices)?,
    };
    let (mut ready, mut others) = (Groups::default(), Groups::default());
    for (index, slice) in slices.iter().map(AsRef::as_ref).enumerate() {
        if slice.address_type == AddressType::Fqdn {
            let error = Error::invalid("Endpoints hold IP addresses only").in_field("addressType");
            return Err(error.in_index(index).in_field("slices"));
        }
        if slice.address_type != family {
            continue;
        }
        for endpoint in slice.endpoints.iter() {
            let conditions = endpoint.conditions();
            let groups = match (conditions.is_ready(), conditions.is_terminating()) {
                (true, _) => &mut ready,
                (false, false) => &mut others,
                (false, true) => continue,
            };
            groups.of(&slice.ports).endpoints.push_with_conditions(endpoint, Conditions::default())?;
        }
    }
    let mut subsets = Vec::new();
    for group in ready.in_order() {
        subsets.push(EndpointSubset { addresses: group.endpoints, ports: group.ports, ..EndpointSubset::default() });
    }
    for group in others.in_order() {
        let (not_ready_addresses, ports) = (group.endpoints, group.ports);
        subsets.push(EndpointSubset { not_ready_addresses, ports, ..EndpointSubset::default() });
    }
    let mut subsets = repack(&subsets)?;
    // As with targets, JSON is all that Endpoints have here.
    for port in subsets.iter_mut().flat_map(|subset| &mut subset.ports) {
        port.unknown = port.unknown.without_numbered();
    }
    Ok(Endpoints { metadata, subsets, ..Endpoints::default() })
}

fn metadata<S: AsRef<EndpointSlice>>(slices: &[S]) -> Result<ObjectMeta, Error> {
    let Some(first) = slices.first().map(|slice| &slice.as_ref().metadata) else {
        return Err(Error::invalid("at least one slice is needed, to tell the Service").in_field("slices"));
    };
    for (index, metadata) in slices.iter().map(|slice| &slice.as_ref().metadata).enumerate() {
        let trouble = if metadata.service().is_empty() {
            format!("the label {SERVICE_NAME_LABEL} is missing")
        } else if (&metadata.namespace, metadata.service()) != (&first.namespace, first.service()) {
            format!("of another Service than {}/{}", first.namespace, first.service())
        } else {
            continue;
        };
        let error = Error::invalid(trouble).in_field("labels").in_field("metadata");
        return Err(error.in_index(index).in_field("slices"));
    }
    let mut labels = first.labels.clone();
    labels.remove(MANAGED_BY_LABEL);
    labels.remove(SERVICE_NAME_LABEL);
    labels.insert(SKIP_MIRROR_LABEL.to_owned(), "true".to_owned());
    Ok(ObjectMeta {
        name: first.service().to_owned(),
        namespace: first.namespace.clone(),
        labels,
        ..ObjectMeta::default()
    })
}

/// The family that has endpoints.
pub(super) fn only_family<S: AsRef<EndpointSlice>>(slices: &[S]) -> Result<AddressType, Error> {
    let mut filled = slices.iter().map(AsRef::as_ref).filter(|slice| !slice.endpoints.is_empty());
    let first = filled.next().or(slices.first().map(AsRef::as_ref));
    let family = first.map_or(AddressType::IPv4, |slice| slice.address_type);
    if filled.any(|slice| slice.address_type != family && slice.address_type != AddressType::Fqdn) {
        let message = "both families are there, and Endpoints hold one: tell which, the Service's first";
        return Err(Error::invalid(message).in_field("family"));
    }
    Ok(family)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Address, Rare, Record};
    use crate::wire::json;

    #[test]
    fn what_only_protobuf_says_is_left_out() {
        let head = br#"{"metadata": {"name": "db-1", "labels": {"kubernetes.io/service-name": "db"}},
            "addressType": "IPv4", "ports": [{"port": 1}]}"#;
        let mut slice = EndpointSlice::clone(&json::read_slices(head).expect("slices")[0]);
        let mut port = slice.ports[0].clone();
        port.unknown.keep_numbered(&[0x78, 1]);
        slice.ports = vec![port].into();
        let mut rare = Rare { target_api_version: "v1".into(), ..Rare::default() };
        rare.target_unknown.keep_numbered(&[0x78, 1]);
        let mut record = Record::default();
        record.address = slice.endpoints.store(Address::parse("10.0.0.5")).expect("room");
        slice.endpoints.push_record(record, Some(rare)).expect("room");
        let merged = merge(&[Arc::new(slice)], None).expect("one family");
        let again = json::read_legacy_endpoints(&json::write_legacy_endpoints(&merged)).expect("Endpoints");
        assert_eq!(again, merged);
    }
}
