//! What is wrong with slices: what the API server would refuse, and what it takes but readers trip over.
//!
//! Read in this order: `rule` (the list), `slice` (rules about one slice), `service` (about all slices of a Service), `stale` (about slices
//! beside the Services and Pods that are there).

mod rule;
mod service;
mod slice;
mod stale;

pub use rule::{Rule, Severity};

use crate::Error;
use crate::interrupt::points;
use crate::kube::{Pod, Service};
use crate::model::EndpointSlice;
use crate::pack;
use crate::wire::json::{self, Submitted};

/// What to look at beside the slices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most endpoints that a slice should hold.
    pub max_endpoints: usize,
    /// All Services that are there, if known.
    pub services: Option<Vec<Service>>,
    /// All Pods that are there, if known.
    pub pods: Option<Vec<Pod>>,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_endpoints: 100, services: None, pods: None }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule was broken.
    pub rule: Rule,
    /// What and where: message, path (`slices[3].endpoints[0]`) and byte.
    pub error: Error,
    /// Namespace of the slice.
    pub namespace: String,
    /// Name of the slice, or the prefix that its name will have.
    pub name: String,
}

/// Look for everything that is wrong with the slices of a document, in any form that [`read_slices`](json::read_slices) takes but watch
/// events. Objects of other kinds are passed over, but counted in paths.
///
/// # Errors
///
/// The document is not JSON, or has watch events; or `max_endpoints` is not 1 to 1000.
///
/// # Examples
///
/// ```
/// use epcore::kube::lint::{Options, Rule, lint};
///
/// let slices = br#"[{"metadata": {"name": "A"}, "addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1", "127.0.0.1"]}]}]"#;
/// let findings = lint(slices, &Options::default())?;
/// let refused: Vec<_> = findings.iter().filter(|found| found.rule == Rule::Refused).map(|found| found.error.path()).collect();
/// assert_eq!(refused, ["slices[0].metadata.name", "slices[0].endpoints[0].addresses[1]"]);
/// assert!(findings.iter().any(|found| found.rule == Rule::SeveralAddresses));
/// # Ok::<(), epcore::Error>(())
/// ```
pub fn lint(document: &[u8], options: &Options) -> Result<Vec<Finding>, Error> {
    pack::Options { max_endpoints: options.max_endpoints, ..pack::Options::default() }.check()?;
    let mut report = Report::default();
    let mut items = Vec::new();
    for (index, object) in json::read_submitted(document)?.into_iter().enumerate() {
        match object {
            Submitted::Other => {}
            Submitted::Unreadable(error) => report.add(Rule::Unreadable, &Item::unreadable(index), error),
            Submitted::Slice(slice, violations) => {
                points(slice.endpoints.len() + 1);
                let item = Item { index, slice: *slice };
                for error in violations {
                    report.add(Rule::Refused, &item, error);
                }
                slice::check(&item, options, &mut report);
                items.push(item);
            }
        }
    }
    service::check(&items, options, &mut report);
    stale::check(&items, options, &mut report);
    Ok(report.located(document))
}

/// One slice of the input.
struct Item {
    /// Its number there.
    index: usize,
    slice: EndpointSlice,
}

impl Item {
    fn unreadable(index: usize) -> Self {
        Self { index, slice: EndpointSlice::empty() }
    }

    /// Namespace and Service, unless it belongs to none.
    fn service(&self) -> Option<(&str, &str)> {
        let metadata = &self.slice.metadata;
        (!metadata.service().is_empty()).then(|| (&*metadata.namespace, metadata.service()))
    }

    /// How messages about other slices name this one.
    fn label(&self) -> String {
        let metadata = &self.slice.metadata;
        if metadata.name.is_empty() { format!("slices[{}]", self.index) } else { metadata.name.clone() }
    }
}

#[derive(Default)]
struct Report {
    findings: Vec<Finding>,
    /// Numbers of the slices that they are about.
    items: Vec<usize>,
}

impl Report {
    /// Add a finding; the path of `error` begins within the slice.
    fn add(&mut self, rule: Rule, item: &Item, error: Error) {
        let metadata = &item.slice.metadata;
        let name = if metadata.name.is_empty() { &metadata.generate_name } else { &metadata.name };
        self.items.push(item.index);
        self.findings.push(Finding {
            rule,
            error: error.in_index(item.index).in_field("slices"),
            namespace: metadata.namespace.clone(),
            name: name.clone(),
        });
    }

    /// The findings slice by slice, each with its byte.
    fn located(self, document: &[u8]) -> Vec<Finding> {
        let errors = self.findings.iter().map(|found| found.error.clone()).collect();
        let mut findings: Vec<(usize, Finding)> = self.items.into_iter().zip(self.findings).collect();
        for ((_, finding), error) in findings.iter_mut().zip(json::locate_all(document, errors)) {
            finding.error = error;
        }
        findings.sort_by_key(|(item, finding)| (*item, finding.rule.severity()));
        findings.into_iter().map(|(_, finding)| finding).collect()
    }
}
