//! The slices of a Service without selector, whose endpoints come from outside.

use crate::Error;
use crate::interrupt::point;
use crate::kube::Service;
use crate::kube::desired::Groups;
use crate::kube::legacy::MIRRORING_CONTROLLER;
use crate::kube::reconcile::CONTROLLER;
use crate::kube::run::{Group, Rules, Run};
use crate::kube::slices::Origin;
use crate::model::{
    Address, AddressType, EndpointList, EndpointPort, EndpointRef, PORT_NUMBERS, Shared, is_dns_label, is_fqdn,
    is_label_value, shorten, validate_endpoint,
};
use crate::pack::{self, Existing, Plan};

/// Endpoints from outside, each with its ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    pub(crate) endpoints: Shared<EndpointList>,
    pub(crate) ports: PortsOfEach,
}

/// The ports of each endpoint, in order: several in a row that are the same are kept once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PortsOfEach {
    /// All but the last, which nearly always is the only one.
    others: Vec<(Ports, usize)>,
    last: Option<(Ports, usize)>,
}

/// Where one endpoint listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ports {
    /// Where the Service says.
    OfService,
    /// The only port of the Service, at this number.
    Number(i32),
    /// Ports of the Service by name, at these numbers.
    Named(Vec<(String, i32)>),
    /// These, whatever the Service says.
    Exact(Vec<EndpointPort>),
}

impl Ports {
    /// Text that differs for different ports.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::OfService => String::new(),
            Self::Number(number) => number.to_string(),
            Self::Named(numbers) => format!("{numbers:?}"),
            Self::Exact(ports) => {
                let key: Vec<_> = ports.iter().map(EndpointPort::sort_key).collect();
                format!("{key:?}")
            }
        }
    }
}

impl PortsOfEach {
    /// Append those of so many endpoints.
    pub(crate) fn push(&mut self, ports: Ports, count: usize) {
        match &mut self.last {
            Some((last, many)) if *last == ports => *many += count,
            last => self.others.extend(last.replace((ports, count))),
        }
    }

    /// Those of all endpoints, where they are the same.
    pub(crate) fn only(&self) -> Option<&Ports> {
        self.last.as_ref().filter(|_| self.others.is_empty()).map(|(ports, _)| ports)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Ports> {
        self.others.iter().chain(&self.last).flat_map(|(ports, count)| std::iter::repeat_n(ports, *count))
    }
}

/// Each at the ports of the Service.
impl From<EndpointList> for Published {
    fn from(endpoints: EndpointList) -> Self {
        Shared::from(endpoints).into()
    }
}

/// The same, of a list that is kept elsewhere too.
impl From<Shared<EndpointList>> for Published {
    fn from(endpoints: Shared<EndpointList>) -> Self {
        let mut ports = PortsOfEach::default();
        if !endpoints.is_empty() {
            ports.push(Ports::OfService, endpoints.len());
        }
        Self { endpoints, ports }
    }
}

impl Published {
    /// The number of endpoints.
    #[must_use]
    pub fn len(&self) -> usize {
        self.endpoints.len()
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.endpoints.is_empty()
    }
}

/// Plan the slices of a Service without selector: one group for each address type and set of ports, with labels and owner of the Service.
///
/// Only slices of the Service with this `managed_by` count; all others are left alone. Everything is checked before anything is planned.
///
/// Where nothing is to do, and all endpoints are of one group that has all the slices, it costs what one slice does, however many there are,
/// once the first plan with these endpoints and the first with these slices have looked at each.
///
/// # Errors
///
/// `InvalidInput` for a Service with selector or of type `ExternalName`, a `managed_by` that is no label value or Kubernetes' own, an address
/// that is none, or ports that the Service does not have; else as [`pack`](crate::pack::pack).
///
/// # Examples
///
/// ```
/// use epcore::{kube, pack, wire::json};
///
/// let service = json::read_service(br#"{"metadata": {"name": "db", "namespace": "shop"}, "spec": {"ports": [{"port": 5432}]}}"#)?;
/// let endpoints = json::read_published(br#"["10.0.0.5", "10.0.0.6:5433", "[2001:db8::1]:5432"]"#)?;
/// let nothing = pack::Existing::default();
/// let plan = kube::publish(&service, &endpoints, &nothing, "db-sync.example.com", &pack::Options::default())?;
/// assert_eq!(plan.stats().creates, 3);
/// # Ok::<(), epcore::Error>(())
/// ```
pub fn publish(
    service: &Service,
    endpoints: &Published,
    existing: &Existing,
    managed_by: &str,
    options: &pack::Options,
) -> Result<Plan, Error> {
    options.check()?;
    check(service, managed_by)?;
    let families = groups(service, endpoints)?;
    let mut run = Run::new(Origin::of_service(service, managed_by), options, Rules::Published, existing);
    for (family, groups) in [AddressType::IPv4, AddressType::IPv6, AddressType::Fqdn].into_iter().zip(families) {
        run.family(family, groups)?;
    }
    Ok(run.finish())
}

/// The groups of each family.
fn groups(service: &Service, endpoints: &Published) -> Result<[Vec<Group>; 3], Error> {
    let mut families: [Vec<Group>; 3] = Default::default();
    if let Some((family, group)) = only_group(service, endpoints) {
        families[family as usize].push(group);
        return Ok(families);
    }
    for (groups, family) in families.iter_mut().zip(sorted(service, endpoints)?) {
        groups.extend(family.in_order().into_iter().map(Group::from));
    }
    Ok(families)
}

/// The group that all endpoints are of, if it is known that there is one, and that nothing is wrong with them.
fn only_group(service: &Service, endpoints: &Published) -> Option<(AddressType, Group)> {
    let ports = resolve(service, endpoints.ports.only()?).ok()?;
    Some((endpoints.endpoints.valid_family()?, Group::new(ports, endpoints.endpoints.clone())))
}

/// Each endpoint checked, and put into its group.
fn sorted(service: &Service, endpoints: &Published) -> Result<[Groups; 3], Error> {
    let mut families: [Groups; 3] = Default::default();
    // Nearly always those of the one before.
    let mut resolved: Option<(&Ports, Vec<EndpointPort>)> = None;
    for (index, (endpoint, given)) in endpoints.endpoints.iter().zip(endpoints.ports.iter()).enumerate() {
        point();
        let at = |error: Error| error.in_index(index).in_field("endpoints");
        let family = endpoint.address().address_type();
        check_endpoint(endpoint, family).map_err(at)?;
        let ports = match resolved.take() {
            Some((of, ports)) if of == given => ports,
            _ => resolve(service, given).map_err(at)?,
        };
        families[family as usize].of(&ports).endpoints.push(endpoint)?;
        resolved = Some((given, ports));
    }
    Ok(families)
}

/// The ports of an endpoint on its slice, after all checks of [`publish`] but those of the endpoint.
pub(crate) fn published_ports(service: &Service, managed_by: &str, given: &Ports) -> Result<Vec<EndpointPort>, Error> {
    check(service, managed_by)?;
    resolve(service, given)
}

/// Check an endpoint as [`publish`] does.
pub(crate) fn check_published(endpoint: EndpointRef<'_>) -> Result<(), Error> {
    check_endpoint(endpoint, endpoint.address().address_type())
}

fn check_endpoint(endpoint: EndpointRef<'_>, family: AddressType) -> Result<(), Error> {
    check_names(endpoint)?;
    validate_endpoint(endpoint, Some(family))
}

fn check(service: &Service, managed_by: &str) -> Result<(), Error> {
    if service.is_external_name {
        return Err(Error::invalid("an ExternalName Service has no slices").in_field("service"));
    }
    if !service.selector.is_empty() {
        let message = "has a selector, so that its endpoints are its Pods: reconcile does that";
        return Err(Error::invalid(message).in_field("selector").in_field("spec").in_field("service"));
    }
    check_managed_by(managed_by)
}

/// Check that slices whose endpoints come from outside may be managed by this.
pub(crate) fn check_managed_by(managed_by: &str) -> Result<(), Error> {
    let trouble = if managed_by.is_empty() || !is_label_value(managed_by) {
        "is not a label value of 1 to 63 characters"
    } else if managed_by == CONTROLLER || managed_by == MIRRORING_CONTROLLER {
        "is a controller of Kubernetes, which would take the slices for its own"
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!("{:?} {trouble}", shorten(managed_by))).in_field("managed_by"))
}

/// What is no IP address must be a name. No top-level domain is a number: `10.0.0.300` is a slip and no name, though the API would take it for one.
fn check_names(endpoint: EndpointRef<'_>) -> Result<(), Error> {
    for (index, address) in endpoint.addresses().enumerate() {
        if let Address::Name(name) = address
            && (!is_fqdn(name)
                || name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())))
        {
            let message = format!("{:?} is neither an IP address nor a domain name", shorten(name));
            return Err(Error::invalid(message).in_index(index).in_field("addresses"));
        }
    }
    Ok(())
}

/// The ports of one endpoint on its slice.
fn resolve(service: &Service, given: &Ports) -> Result<Vec<EndpointPort>, Error> {
    use crate::kube::TargetPort;
    let port = |of: &crate::kube::ServicePort, number: i32| EndpointPort {
        name: of.name.clone(),
        protocol: of.protocol.clone(),
        port: Some(number),
        app_protocol: of.app_protocol.clone(),
        ..EndpointPort::default()
    };
    match given {
        Ports::Exact(ports) => Ok(ports.clone()),
        Ports::OfService => {
            let of_service = |of: &crate::kube::ServicePort| match &of.target_port {
                TargetPort::Number(number) => Ok(port(of, *number)),
                TargetPort::Name(name) => Err(Error::invalid(format!(
                    "needs a port: targetPort {:?} of the Service is a name, which only Pods can resolve",
                    shorten(name)
                ))),
            };
            service.ports.iter().map(of_service).collect()
        }
        Ports::Number(number) => match &*service.ports {
            [only] => Ok(vec![port(only, *number)]),
            [] => Ok(vec![EndpointPort { port: Some(*number), ..EndpointPort::default() }]),
            many => {
                let message =
                    format!("a number is not enough: the Service has {} ports, give them by name", many.len());
                Err(Error::invalid(message).in_field("port"))
            }
        },
        Ports::Named(numbers) => {
            if let Some((name, _)) = numbers.iter().find(|(name, _)| !service.ports.iter().any(|of| of.name == *name)) {
                let message = format!("the Service has no port of the name {:?}", shorten(name));
                return Err(Error::invalid(message).in_field("ports"));
            }
            let number = |of: &crate::kube::ServicePort| {
                let (_, number) = numbers.iter().find(|(name, _)| of.name == *name)?;
                Some(port(of, *number))
            };
            Ok(service.ports.iter().filter_map(number).collect())
        }
    }
}

/// Split `10.0.0.5:5432`, `[2001:db8::1]:443` or `db.example.org:5432` into address and port; either form may come without port.
pub(crate) fn split_port(text: &str) -> Result<(&str, Option<i32>), Error> {
    if let Some(rest) = text.strip_prefix('[') {
        let Some((address, after)) = rest.split_once(']') else {
            return Err(Error::invalid(format!("{:?} has no ']'", shorten(text))));
        };
        return match after.strip_prefix(':') {
            Some(port) => Ok((address, Some(parse_port(port)?))),
            None if after.is_empty() => Ok((address, None)),
            None => Err(Error::invalid(format!("{:?} has more than a port after ']'", shorten(text)))),
        };
    }
    match text.split_once(':') {
        // More colons: an IPv6 address without port.
        Some((address, port)) if !port.contains(':') => Ok((address, Some(parse_port(port)?))),
        _ => Ok((text, None)),
    }
}

fn parse_port(text: &str) -> Result<i32, Error> {
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let trouble = || Error::invalid(format!("{:?} is no port: 1 to 65535", shorten(text)));
    number.filter(|number| PORT_NUMBERS.contains(number)).ok_or_else(trouble)
}

/// Check a port that was given as a number, or with its name.
pub(crate) fn check_port(number: i32, name: &str) -> Result<(), Error> {
    if !PORT_NUMBERS.contains(&number) {
        return Err(Error::invalid(format!("{number} is no port: 1 to 65535")));
    }
    if !name.is_empty() && !is_dns_label(name) {
        return Err(Error::invalid(format!("{:?} is not a DNS label of at most 63 characters", shorten(name))));
    }
    Ok(())
}
