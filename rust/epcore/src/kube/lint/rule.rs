//! The rules, and how bad it is to break each.

/// How bad a finding is, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The API server refuses the slice.
    Error,
    /// The API server takes it, and readers go wrong.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// `error`, `warning` or `note`, as in SARIF.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

macro_rules! rules {
    ($($(#[doc = $help:literal])+ $rule:ident: $severity:ident, $id:literal;)+) => {
        /// What can be wrong with a slice.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Rule {
            $($(#[doc = $help])+ $rule,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$rule),+];

            /// Its name, for people and for machines.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self { $(Self::$rule => $id,)+ }
            }

            /// How bad it is to break it.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$rule => Severity::$severity,)+ }
            }

            /// Why it is a rule, in one or two sentences.
            #[must_use]
            pub fn help(self) -> &'static str {
                match self { $(Self::$rule => concat!($($help),+).trim_ascii(),)+ }
            }
        }
    };
}

rules! {
    /// Something is of the wrong type, so that nobody can read the object as a slice.
    Unreadable: Error, "unreadable";
    /// The API server refuses the slice.
    Refused: Error, "refused";
    /// The object is larger than etcd takes by default, 1.5 MB.
    TooLarge: Error, "too-large";
    /// An endpoint has several addresses. Only the first has a meaning; most readers drop the others, some balance over them.
    SeveralAddresses: Warning, "several-addresses";
    /// Without the label kubernetes.io/service-name no reader finds the slice.
    NoServiceName: Warning, "no-service-name";
    /// One address and port is held twice. No two readers agree which entry counts, and some lose the address when one of them goes.
    DuplicateEndpoint: Warning, "duplicate-endpoint";
    /// A ready endpoint has no hints while others of its Service have: kube-proxy then ignores the hints of all.
    UnhintedEndpoint: Warning, "unhinted-endpoint";
    /// The slice holds more endpoints than it should. Each change of one of them sends all to every watcher.
    OverfullSlice: Warning, "overfull-slice";
    /// Fewer than half as many slices would do. Each costs every watcher an object to hold and to list.
    Fragmented: Warning, "fragmented";
    /// Slices of one Service have different port names: endpoints are missing behind some of its ports.
    PortSetsDiffer: Warning, "port-sets-differ";
    /// A port without number stands for all ports; kube-proxy and most other readers pass over it.
    PortWithoutNumber: Warning, "port-without-number";
    /// The API does not check the number of a port; nothing listens outside 1 to 65535.
    PortOutOfRange: Warning, "port-out-of-range";
    /// The address type FQDN is deprecated and has no meaning in Kubernetes: no proxy of its own reads such slices.
    AddressTypeFqdn: Warning, "address-type-fqdn";
    /// The Service that the label kubernetes.io/service-name names is not there.
    NoService: Warning, "no-service";
    /// The slice is owned by another Service, or by one of the same name that was deleted since: it will be garbage-collected.
    StaleOwner: Warning, "stale-owner";
    /// The Service has no port of this name, so that no reader uses the slice's; or has one that the slice lacks.
    PortsNotOfService: Warning, "ports-not-of-service";
    /// The Pod behind an endpoint is gone, has ended, or has not this address: traffic goes nowhere or to somebody else.
    StaleEndpoint: Warning, "stale-endpoint";
    /// The slice is being deleted and takes no more endpoints.
    BeingDeleted: Note, "being-deleted";
    /// The slice is empty while others of its Service are not.
    EmptySlice: Note, "empty-slice";
    /// Port numbers differ between slices of one Service. That is right for named target ports; readers that keep one number for a name go wrong.
    PortNumbersDiffer: Note, "port-numbers-differ";
    /// Without the label endpointslice.kubernetes.io/managed-by nobody can tell who writes the slice.
    NoManagedBy: Note, "no-managed-by";
    /// deprecatedTopology cannot be written through v1: the API server drops it.
    DeprecatedTopology: Note, "deprecated-topology";
}
