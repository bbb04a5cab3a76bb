//! From Kubernetes' objects to the optimiser's numbers: one group of slices and the endpoints wanted in it.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

use hashbrown::HashMap;

use crate::Error;
use crate::interrupt::point;
use crate::model::{
    Address, ByIdentity, EndpointList, EndpointRef, EndpointSlice, HEADLESS_LABEL, Identity, MANAGED_BY_LABEL,
    MOVING_ANNOTATION, NO_PRINT, ObjectMeta, SERVICE_NAME_LABEL, TRIGGER_TIME_ANNOTATION, keeps,
};
use crate::pack::canonical::{Numbers, canonical_order};
use crate::pack::naming::Taken;
use crate::pack::settle::{Bin, Held, settle};
use crate::pack::stage::{Role, Stages};
use crate::pack::summary::same_annotations;
use crate::pack::{AddressReuse, Options, Policy};
use crate::wire::json;

/// So many wanted endpoints are many.
const MANY: usize = 64;

/// So many slices that an address leaves come before those that it comes back by: one of thousands of targets has millions of such pairs.
const MOST_SOURCES: usize = 64;

/// Part of the work that needs nothing but the input.
pub(crate) struct Group<'a> {
    pub(super) options: &'a Options,
    pub(super) wanted: &'a EndpointList,
    /// All slices, also those that do not count.
    given: &'a [Arc<EndpointSlice>],
    pub(super) identity: Identity,
    /// True if what is found out about all of many endpoints at once is worth its time.
    pub(super) is_large: bool,
    /// Index in `wanted` of each item; of equal identities only one is an item.
    pub(super) items: Vec<usize>,
    /// Slices in canonical order.
    pub(crate) existing: Vec<&'a Arc<EndpointSlice>>,
    /// What a new slice looks like, without endpoints.
    pub(crate) template: EndpointSlice,
    pub(super) held: Vec<Vec<Held>>,
    /// The existing slices with the endpoints that stay in them.
    pub(crate) bins: Vec<Bin>,
    /// Containers that the address of an item leaves.
    leaves: HashMap<u32, Vec<usize>>,
    pub(super) cohorts: RefCell<HashMap<&'a str, u32>>,
    pub(super) sizes: OnceCell<Vec<usize>>,
    pub(super) stages: OnceCell<Stages>,
    /// The order in which items are new, where it is that of Kubernetes.
    pub(super) shuffled: OnceCell<Vec<u128>>,
}

/// Both sides are often in the same order: the item after the last one that was found is tried before a look-up.
struct Next {
    item: u32,
    /// The last one was there too.
    is_likely: bool,
    /// How many were not there, of how many.
    misses: usize,
    places: usize,
}

impl Next {
    /// True if so many were not there that the order is another one.
    fn is_seldom(&self) -> bool {
        self.misses > MANY / 2 + self.places / 16
    }
}

impl<'a> Group<'a> {
    /// Check the input.
    pub(crate) fn read(
        wanted: &'a EndpointList,
        given: &'a [Arc<EndpointSlice>],
        options: &'a Options,
    ) -> Result<Self, Error> {
        options.check()?;
        let existing = canonical_order(given);
        let template = template(options, &existing, wanted)?;
        let is_large = wanted.len() >= MANY;
        if !is_large || wanted.family() != Some(template.address_type) {
            for (index, endpoint) in wanted.iter().enumerate() {
                crate::model::validate_family(endpoint, template.address_type)
                    .map_err(|error| error.in_index(index).in_field("endpoints"))?;
            }
        }
        let group = Self {
            options,
            wanted,
            given,
            identity: if options.policy == Policy::Upstream { Identity::Kubernetes } else { Identity::Stable },
            is_large,
            items: Vec::new(),
            existing: existing.iter().map(|(_, slice)| *slice).collect(),
            template,
            held: Vec::new(),
            bins: Vec::new(),
            leaves: HashMap::new(),
            cohorts: RefCell::default(),
            sizes: OnceCell::new(),
            stages: OnceCell::new(),
            shuffled: OnceCell::new(),
        };
        for (index, slice) in &existing {
            group.check_slice(slice).map_err(|error| error.in_index(*index).in_field("slices"))?;
        }
        Ok(group)
    }

    /// Find every existing endpoint among the wanted ones.
    pub(crate) fn find_all(&mut self) {
        let (items, numbers) = Numbers::of(self.wanted, self.identity, self.is_large);
        self.items = items;
        let mut next = Next { item: 0, is_likely: true, misses: 0, places: 0 };
        self.held = self.existing.iter().map(|slice| self.find(slice, &numbers, &mut next)).collect();
        self.bins = self.settled();
        self.find_reuse();
    }

    /// Names that no new slice may get: of all slices given, and of others beside them.
    pub(crate) fn names(&self) -> Taken<'a> {
        Taken::new(&self.options.names_taken).with(self.given)
    }

    /// The wanted endpoint that an item stands for.
    pub(crate) fn endpoint(&self, item: u32) -> EndpointRef<'a> {
        let index = self.items[item as usize];
        self.wanted.get(index).unwrap_or_else(|| unreachable!("items are indexes of wanted endpoints"))
    }

    /// What each place of an existing slice holds.
    pub(crate) fn held(&self, bin: usize) -> &[Held] {
        &self.held[bin]
    }

    /// Containers that the address of an item leaves, for the item to come back with it.
    pub(crate) fn sources_of(&self, item: u32) -> &[usize] {
        self.leaves.get(&item).map_or(&[], Vec::as_slice)
    }

    /// Kubernetes' rule knows neither cohorts nor addresses that are used again.
    pub(super) fn is_upstream(&self) -> bool {
        self.options.policy == Policy::Upstream
    }

    fn check_slice(&self, slice: &EndpointSlice) -> Result<(), Error> {
        let namespace = (&slice.metadata.namespace, &self.template.metadata.namespace);
        if !namespace.0.is_empty() && !namespace.1.is_empty() && namespace.0 != namespace.1 {
            let message = format!("{:?} is not the namespace of the group, {:?}", namespace.0, namespace.1);
            return Err(Error::invalid(message).in_field("namespace").in_field("metadata"));
        }
        let (found, ours) = (slice.metadata.managed_by(), self.template.metadata.managed_by());
        if !found.is_empty() && !ours.is_empty() && found != ours {
            let message = format!("the slice belongs to {found:?}, not to {ours:?}");
            return Err(Error::invalid(message).in_field(MANAGED_BY_LABEL).in_field("labels").in_field("metadata"));
        }
        Ok(())
    }

    /// True if a slice is not of this group: other ports, another address type, another Service.
    pub(crate) fn is_foreign(&self, slice: &EndpointSlice) -> bool {
        !slice.same_group(&self.template)
    }

    /// True if an existing slice of another group may be given the content of this one: nobody can notice if it is empty.
    fn is_convertible(&self, slice: &EndpointSlice) -> bool {
        slice.address_type == self.template.address_type
            && if self.options.recycles() {
                true
            } else {
                slice.endpoints.is_empty() && slice.metadata.service() == self.template.metadata.service()
            }
    }

    fn find(&self, slice: &'a EndpointSlice, numbers: &Numbers<'a>, next: &mut Next) -> Vec<Held> {
        point();
        if self.is_foreign(slice) {
            return vec![None; slice.endpoints.len()];
        }
        let has_prints =
            self.is_large && (next.is_seldom() || self.wanted.has_prints() && slice.endpoints.has_prints());
        // In one order two endpoints are compared as soon as their prints are made.
        let (prints, wanted) =
            if has_prints { (slice.endpoints.prints(), self.wanted.prints()) } else { (&[][..], &[][..]) };
        next.places += slice.endpoints.len();
        let find = |(place, endpoint)| {
            let print = prints.get(place).copied().unwrap_or(NO_PRINT);
            let has_print = |item: u32| {
                print != NO_PRINT && self.items.get(item as usize).and_then(|&at| wanted.get(at)) == Some(&print)
            };
            let endpoint = ByIdentity { endpoint, identity: self.identity };
            let is = |item: u32| {
                (item as usize) < self.items.len()
                    && endpoint == ByIdentity { endpoint: self.endpoint(item), ..endpoint }
            };
            let is_next = has_print(next.item) || (next.is_likely || print == NO_PRINT) && is(next.item);
            let item = if is_next { Some(next.item) } else { numbers.find(endpoint, print) };
            next.item = item.map_or(next.item, |item| item + 1);
            next.is_likely = is_next;
            next.misses += usize::from(!is_next);
            let item = item?;
            Some((item, !has_print(item) && !keeps(endpoint.endpoint, self.endpoint(item))))
        };
        slice.endpoints.iter().enumerate().map(find).collect()
    }

    /// Note which containers the address of a new endpoint leaves, for another target to come back with it.
    fn find_reuse(&mut self) {
        // Of nearly all addresses there is one; a list of others takes no memory then.
        let ours = self.existing.iter().zip(&self.bins).filter(|(slice, _)| !self.is_foreign(slice));
        let gone = ours.map(|(slice, bin)| slice.endpoints.len() - bin.kept.len()).sum();
        let mut leaving: HashMap<Address<'_>, (usize, Vec<usize>)> = HashMap::with_capacity(gone);
        let most = if self.options.address_reuse == AddressReuse::Strict { usize::MAX } else { MOST_SOURCES };
        for (number, (slice, bin)) in self.existing.iter().zip(&self.bins).enumerate() {
            if self.is_foreign(slice) || bin.kept.len() == slice.endpoints.len() {
                continue;
            }
            // A second copy leaves as well as an endpoint that nobody wants.
            let mut kept = bin.kept.iter().map(|kept| kept.place).peekable();
            for (_, endpoint) in
                (0u32..).zip(slice.endpoints.iter()).filter(|(place, _)| kept.next_if_eq(place).is_none())
            {
                point();
                for address in endpoint.addresses() {
                    leaving
                        .entry(address)
                        .and_modify(|(first, others)| {
                            if others.len() + 1 < most && others.last().unwrap_or(first) != &number {
                                others.push(number);
                            }
                        })
                        .or_insert_with(|| (number, Vec::new()));
                }
            }
        }
        if leaving.is_empty() {
            return;
        }
        let mut waiting = vec![true; self.items.len()];
        for (item, _) in self.held.iter().flatten().flatten() {
            waiting[*item as usize] = false;
        }
        let mut leaves = HashMap::new();
        for (item, _) in (0u32..).zip(&waiting).filter(|(_, waiting)| **waiting) {
            point();
            let left = self.endpoint(item).addresses().filter_map(|address| leaving.get(&address));
            let mut bins: Vec<usize> =
                left.flat_map(|(first, others)| [first].into_iter().chain(others)).copied().collect();
            if !bins.is_empty() {
                bins.sort_unstable();
                bins.dedup();
                leaves.insert(item, bins);
            }
        }
        self.leaves = leaves;
    }

    fn settled(&self) -> Vec<Bin> {
        let upstream = self.is_upstream();
        let metadata: Vec<bool> =
            self.existing.iter().map(|slice| self.is_foreign(slice) || !self.has_metadata(slice)).collect();
        let mut bins = settle(&self.held, &metadata, self.items.len(), self.options.max_endpoints, upstream);
        for (slice, bin) in self.existing.iter().zip(&mut bins) {
            let foreign = self.is_foreign(slice);
            let convertible = self.is_convertible(slice);
            bin.role = if foreign { Role::Settled } else { Role::of(slice) };
            bin.expendable = foreign;
            bin.closed = foreign && (upstream || !convertible);
            bin.recyclable = upstream && convertible;
        }
        bins
    }

    /// True if the labels are those of the template that the caller gave (upstream leaves its own three out of the comparison), the rest too
    /// where it counts, and no move was left half done.
    pub(super) fn has_metadata(&self, slice: &EndpointSlice) -> bool {
        if slice.metadata.annotations.contains_key(MOVING_ANNOTATION) {
            return false;
        }
        if self.options.whole_metadata && !same_annotations_and_owners(&slice.metadata, &self.template.metadata) {
            return false;
        }
        if self.options.template.is_none() {
            return true;
        }
        let own = [SERVICE_NAME_LABEL, MANAGED_BY_LABEL, HEADLESS_LABEL];
        let counts = |key: &str| self.options.policy != Policy::Upstream || !own.contains(&key);
        let pairs = |slice: &'_ EndpointSlice| -> Vec<(String, String)> {
            let labels = slice.metadata.labels.iter().filter(|(key, _)| counts(key));
            labels.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        slice.metadata.labels == self.template.metadata.labels || pairs(slice) == pairs(&self.template)
    }

    /// The slice as it will be written, but for its endpoints.
    pub(crate) fn rewritten(&self, slice: &EndpointSlice) -> EndpointSlice {
        let mut slice = EndpointSlice {
            metadata: slice.metadata.clone(),
            address_type: slice.address_type,
            ports: if self.is_foreign(slice) { self.template.ports.clone() } else { slice.ports.clone() },
            endpoints: EndpointList::default(),
            unknown: slice.unknown.clone(),
        };
        let has_labels =
            self.options.template.is_some() || slice.metadata.service() != self.template.metadata.service();
        if has_labels && slice.metadata.labels != self.template.metadata.labels {
            slice.metadata.labels.clone_from(&self.template.metadata.labels);
        }
        if self.options.whole_metadata {
            let (metadata, template) = (&mut *slice.metadata, &self.template.metadata);
            metadata.annotations.clone_from(&template.annotations);
            metadata.unknown.replace("ownerReferences", template.unknown.get("ownerReferences"));
        }
        if slice.metadata.annotations.contains_key(MOVING_ANNOTATION) {
            slice.metadata.annotations.remove(MOVING_ANNOTATION);
        }
        stamp(&mut slice.metadata, self.options);
        slice
    }
}

/// What new slices look like: the caller's template, or the first existing slice if all agree.
fn template(
    options: &Options,
    existing: &[(usize, &Arc<EndpointSlice>)],
    wanted: &EndpointList,
) -> Result<EndpointSlice, Error> {
    let given = options.template.as_deref();
    let source = match (given, existing.first()) {
        (Some(template), _) => Cow::Borrowed(template),
        (None, Some((_, first))) => {
            if let Some((index, _)) = existing.iter().find(|(_, slice)| !slice.same_group(first)) {
                let message = "not of one group with the other slices (Service, address type, ports); give a template";
                return Err(Error::invalid(message).in_index(*index).in_field("slices"));
            }
            Cow::Borrowed(&***first)
        }
        (None, None) if wanted.is_empty() => Cow::Owned(EndpointSlice::empty()),
        (None, None) => return Err(Error::invalid("required where there are no slices yet").in_field("template")),
    };
    let mut metadata = source.metadata.for_new_slice(given.is_some());
    stamp(&mut metadata, options);
    Ok(EndpointSlice {
        metadata: metadata.into(),
        address_type: source.address_type,
        ports: source.ports.clone(),
        endpoints: EndpointList::default(),
        unknown: source.unknown.clone(),
    })
}

/// True if a slice has the template's annotations, and no owner that the template's owner took the place of (upstream
/// `needRebuildExistingSlices`).
pub(crate) fn same_annotations_and_owners(metadata: &ObjectMeta, template: &ObjectMeta) -> bool {
    let wanted = json::owners(template);
    let replaced = |owner: &json::Owner| {
        wanted.iter().any(|new| new.kind == owner.kind && new.name == owner.name && new.uid != owner.uid)
    };
    same_annotations(metadata, template) && !json::owners(metadata).iter().any(replaced)
}

/// Set the trigger time of a slice that is to be written.
pub(crate) fn stamp(metadata: &mut ObjectMeta, options: &Options) {
    if let Some(time) = &options.trigger_time {
        metadata.annotations.insert(TRIGGER_TIME_ANNOTATION.to_owned(), time.clone());
    }
}
