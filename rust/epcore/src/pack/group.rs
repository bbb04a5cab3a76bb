//! From Kubernetes' objects to the optimiser's numbers: one group of slices and the endpoints wanted in it.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::Error;
use crate::model::{
    Address, ByIdentity, EndpointList, EndpointRef, EndpointSlice, Identity, Index, MANAGED_BY_LABEL,
    MOVING_ANNOTATION, NO_PRINT, ObjectMeta, Print, ROLE_ANNOTATION, SERVICE_NAME_LABEL, TRIGGER_TIME_ANNOTATION,
    keeps, preferred,
};
use crate::pack::choose::Bytes;
use crate::pack::lifecycle::{Role, Stage};
use crate::pack::problem::{CohortIds, Items, Problem};
use crate::pack::settle::{Bin, Held, settle};
use crate::pack::{Cohort, CompactionOrder, IdleMoves, Options, Policy, naming};
use crate::wire::json::{self, endpoint_size, slice_size};

/// Label of slices of headless Services.
const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";

/// So many wanted endpoints are many.
const MANY: usize = 64;

/// Part of the work that needs nothing but the input.
pub(crate) struct Group<'a> {
    pub(super) options: &'a Options,
    pub(super) wanted: &'a EndpointList,
    /// All slices, also those that do not count.
    given: &'a [Arc<EndpointSlice>],
    identity: Identity,
    /// True if what is found out about all of many endpoints at once is worth its time.
    pub(super) is_large: bool,
    /// Index in `wanted` of each item; of equal identities only one is an item.
    items: Vec<usize>,
    /// Slices in canonical order.
    pub(crate) existing: Vec<&'a Arc<EndpointSlice>>,
    /// What a new slice looks like, without endpoints.
    pub(crate) template: EndpointSlice,
    held: Vec<Vec<Held>>,
    /// The existing slices with the endpoints that stay in them.
    pub(crate) bins: Vec<Bin>,
    /// Containers that the address of an item leaves.
    leaves: HashMap<u32, Vec<usize>>,
    cohorts: RefCell<HashMap<&'a str, u32>>,
    sizes: OnceCell<Vec<usize>>,
    stages: OnceCell<Stages>,
}

/// What is known of the lives of the items.
struct Stages {
    of: Vec<Stage>,
    /// Some endpoint is ready, and stays so.
    some_stays_ready: bool,
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
        self.held = self.existing.iter().map(|slice| self.find(slice, &numbers)).collect();
        self.bins = self.settled();
        self.find_reuse();
    }

    /// Names that no new slice may get: of all slices given, and of others beside them.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let given = self.given.iter().map(|slice| slice.metadata.name.clone());
        given.chain(self.options.names_taken.iter().cloned()).collect()
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
    fn is_upstream(&self) -> bool {
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

    fn find(&self, slice: &'a EndpointSlice, numbers: &Numbers<'a>) -> Vec<Held> {
        if self.is_foreign(slice) {
            return vec![None; slice.endpoints.len()];
        }
        let prints = self.prints_of(&slice.endpoints);
        let wanted = self.prints_of(self.wanted);
        // Both sides are often in the same order: the item after the last one found is tried before a look-up.
        let mut next = 0;
        let find = |(place, endpoint)| {
            let print = prints.get(place).copied().unwrap_or(NO_PRINT);
            let has_print = |item: u32| {
                print != NO_PRINT && self.items.get(item as usize).and_then(|&at| wanted.get(at)) == Some(&print)
            };
            let is = |item: u32| {
                let it = |item: u32| ByIdentity { endpoint: self.endpoint(item), identity: self.identity };
                (item as usize) < self.items.len() && ByIdentity { endpoint, identity: self.identity } == it(item)
            };
            let is_next = has_print(next) || is(next);
            let item =
                if is_next { next } else { numbers.find(ByIdentity { endpoint, identity: self.identity }, print)? };
            next = item + 1;
            Some((item, !has_print(item) && !keeps(endpoint, self.endpoint(item))))
        };
        slice.endpoints.iter().enumerate().map(find).collect()
    }

    /// Prints are worth their time where many endpoints are compared.
    fn prints_of<'l>(&self, list: &'l EndpointList) -> &'l [Print] {
        if self.is_large { list.prints() } else { &[] }
    }

    /// Note which containers the address of a new endpoint leaves, for another target to come back with it.
    fn find_reuse(&mut self) {
        let mut leaving: HashMap<Address<'_>, Vec<usize>> = HashMap::new();
        for (number, (slice, bin)) in self.existing.iter().zip(&self.bins).enumerate() {
            if self.is_foreign(slice) || bin.kept.len() == slice.endpoints.len() {
                continue;
            }
            // A second copy leaves as well as an endpoint that nobody wants.
            let mut kept = bin.kept.iter().map(|kept| kept.place).peekable();
            for (_, endpoint) in
                (0u32..).zip(slice.endpoints.iter()).filter(|(place, _)| kept.next_if_eq(place).is_none())
            {
                for address in endpoint.addresses() {
                    leaving.entry(address).or_default().push(number);
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
            let mut bins: Vec<usize> = self
                .endpoint(item)
                .addresses()
                .filter_map(|address| leaving.get(&address))
                .flatten()
                .copied()
                .collect();
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
        if self.options.template.is_some() || slice.metadata.service() != self.template.metadata.service() {
            slice.metadata.labels.clone_from(&self.template.metadata.labels);
        }
        if self.options.whole_metadata {
            let (metadata, template) = (&mut slice.metadata, &self.template.metadata);
            metadata.annotations.clone_from(&template.annotations);
            metadata.unknown.replace("ownerReferences", template.unknown.get("ownerReferences"));
        }
        slice.metadata.annotations.remove(MOVING_ANNOTATION);
        stamp(&mut slice.metadata, self.options);
        slice
    }

    /// The problem to solve. Byte sizes are taken exactly only where they could pass the limit.
    pub(crate) fn problem(&self, bins: &mut [Bin]) -> Result<Problem<'_>, Error> {
        let moving_bytes = self.moving_bytes();
        let mut new_bytes = self.new_bytes();
        let template_bytes = new_bytes - moving_bytes;
        let limit = self.options.max_bytes;
        if new_bytes > limit {
            return Err(Error::limit("larger than a slice may be without any endpoint, in bytes", limit, new_bytes)
                .in_field("template"));
        }
        let needs_bytes = self.may_pass();
        if needs_bytes {
            for (slice, bin) in self.existing.iter().zip(bins) {
                bin.base_bytes = slice_size(&as_created(self.rewritten(slice)));
                // What is meant for a new slice may end in this one.
                if bin.recyclable {
                    new_bytes = new_bytes.max(bin.base_bytes + moving_bytes);
                }
            }
            self.check_sizes(limit, new_bytes)?;
        }
        Ok(Problem {
            items: self,
            max_items: self.options.max_endpoints,
            max_bytes: needs_bytes.then_some(limit),
            new_bytes,
            moving_bytes,
            policy: self.options.policy,
            recycles: false,
            compaction: self.options.compaction,
            bytes: self.average_bytes(template_bytes),
        })
    }

    /// Bytes of the annotations that a slice may get with moved endpoints.
    fn moving_bytes(&self) -> usize {
        let times = self.existing.iter().map(|slice| slice.metadata.trigger_time().len());
        let time = times.max().filter(|&length| length > 0).map_or(0, |length| length + TRIGGER_TIME_ANNOTATION.len());
        let touches =
            self.options.compaction.is_some_and(|compaction| compaction.order == CompactionOrder::MakeBreakTouch);
        let mark = if touches { MOVING_ANNOTATION.len() + 4 } else { 0 };
        // Quotes, colon and comma of each, and the member that they are in.
        let signs = |bytes: usize| if bytes > 0 { bytes + 6 } else { 0 };
        let role = if self.options.policy.lifecycle().is_some() { ROLE_ANNOTATION.len() + "restless".len() } else { 0 };
        let members = signs(time) + signs(mark) + signs(role);
        if members > 0 { members + r#""annotations":{},"#.len() } else { 0 }
    }

    /// Bytes of a new slice without endpoints.
    fn new_bytes(&self) -> usize {
        slice_size(&naming::longest_named(&self.template)) + self.moving_bytes()
    }

    /// False if a cheap bound tells that no slice can pass the limit.
    pub(super) fn is_tight(&self) -> bool {
        // An endpoint that stays keeps its fields of a newer API, which the wanted one need not have.
        let held = self.existing.iter().flat_map(|slice| slice.endpoints.with_rare_fields());
        let held = held.map(EndpointRef::size_bound).max().unwrap_or(0);
        let wanted = if self.is_large {
            self.wanted.largest()
        } else {
            self.wanted.iter().map(EndpointRef::size_bound).max().unwrap_or(0)
        };
        self.passes(wanted.saturating_add(held))
    }

    /// True if a slice of the largest endpoints could pass the limit.
    fn passes(&self, largest: usize) -> bool {
        let base = self.existing.iter().map(|slice| slice.size_bound()).max().unwrap_or(0) + self.new_bytes();
        base.saturating_add(largest.saturating_mul(self.options.max_endpoints)) > self.options.max_bytes
    }

    /// False if no slice can pass the limit: first by a cheap bound, then exactly.
    fn may_pass(&self) -> bool {
        self.is_tight() && self.passes(self.sizes().iter().copied().max().unwrap_or(0))
    }

    /// Bytes of each item with its comma, and with the fields of a newer API that it has where it is held.
    fn sizes(&self) -> &[usize] {
        self.sizes.get_or_init(|| {
            let mut sizes: Vec<usize> =
                (0u32..).take(self.items.len()).map(|item| endpoint_size(self.endpoint(item)) + 1).collect();
            for (slice, held) in self.existing.iter().zip(&self.held) {
                for (before, held) in slice.endpoints.iter().zip(held) {
                    let Some((item, changed)) = *held else { continue };
                    let mut merged = EndpointList::default();
                    let pushed =
                        if changed { merged.push_over(self.endpoint(item), before) } else { merged.push(before) };
                    let size = pushed.ok().and_then(|()| merged.get(0)).map_or(0, endpoint_size) + 1;
                    sizes[item as usize] = sizes[item as usize].max(size);
                }
            }
            sizes
        })
    }

    fn check_sizes(&self, limit: usize, new_bytes: usize) -> Result<(), Error> {
        for item in (0u32..).take(self.items.len()) {
            let size = new_bytes + self.sizes()[item as usize];
            if size > limit {
                return Err(Error::limit("with this endpoint alone a slice is too large, in bytes", limit, size)
                    .in_index(self.items[item as usize])
                    .in_field("endpoints"));
            }
        }
        Ok(())
    }

    /// Averages for the prices; nobody else asks.
    fn average_bytes(&self, template_bytes: usize) -> Bytes {
        let sizes = if matches!(self.options.policy, Policy::Prices(_)) { self.sizes() } else { &[] };
        let per_item = sizes.iter().sum::<usize>() as f64 / sizes.len().max(1) as f64;
        Bytes { per_container: template_bytes as f64, per_item }
    }

    /// Where each item is in its life, and whether some endpoint is ready after each write of any plan.
    fn stages(&self) -> &Stages {
        self.stages.get_or_init(|| {
            let conditions = |item: u32| self.endpoint(item).conditions();
            let stage = |item| match conditions(item) {
                now if now.is_terminating() => Stage::Leaving,
                now if now.is_ready() => Stage::Settled,
                _ => Stage::New,
            };
            let mut of: Vec<Stage> = (0u32..).take(self.items.len()).map(stage).collect();
            let mut some_stays_ready = false;
            for (slice, held) in self.existing.iter().zip(&self.held) {
                let is_restless = Role::of(slice) == Role::Restless;
                for (before, held) in slice.endpoints.iter().zip(held) {
                    let Some((item, _)) = *held else { continue };
                    let was_ready = before.conditions().is_ready();
                    some_stays_ready |= was_ready && conditions(item).is_ready();
                    if of[item as usize] == Stage::New && (was_ready || is_restless) {
                        of[item as usize] = Stage::Restless;
                    }
                }
            }
            Stages { of, some_stays_ready }
        })
    }

    fn cohort_id(&self, name: Option<&'a str>) -> u32 {
        let Some(name) = name else { return 0 };
        let mut cohorts = self.cohorts.borrow_mut();
        let next = u32::try_from(cohorts.len() + 1).unwrap_or(0);
        *cohorts.entry(name).or_insert(next)
    }
}

impl Items for Group<'_> {
    fn count(&self) -> usize {
        self.items.len()
    }

    fn compare(&self, left: u32, right: u32) -> Ordering {
        let key = |item| ByIdentity { endpoint: self.endpoint(item), identity: Identity::Kubernetes };
        // Kubernetes takes them in the random order of a map. An order by address would keep batches together, which it does not.
        let shuffled = |item| {
            let (namespace, name) = self.endpoint(item).target_name();
            self.is_upstream().then(|| naming::hash(&[&self.endpoint(item).address().to_string(), namespace, name]))
        };
        shuffled(left).cmp(&shuffled(right)).then_with(|| key(left).cmp(&key(right)))
    }

    fn size(&self, item: u32) -> usize {
        self.sizes()[item as usize]
    }

    fn cohort(&self, item: u32) -> CohortIds {
        if self.is_upstream() {
            return (0, 0);
        }
        let (whole, finer) = self.options.cohort.of(self.endpoint(item));
        (self.cohort_id(whole), self.cohort_id(finer))
    }

    fn is_leaving(&self, item: u32) -> bool {
        !self.is_upstream() && self.options.cohort == Cohort::Auto && self.endpoint(item).conditions().is_terminating()
    }

    fn stage(&self, item: u32) -> Stage {
        self.stages().of[item as usize]
    }

    fn is_idle(&self, item: u32) -> bool {
        let conditions = self.endpoint(item).conditions();
        let Some(lifecycle) = self.options.policy.lifecycle() else { return false };
        // Some readers fall back to what still serves where nothing is ready.
        let is_needed =
            conditions.is_serving() && (lifecycle.moves == IdleMoves::NotServing || !self.stages().some_stays_ready);
        !conditions.is_ready() && !is_needed
    }

    fn leaves_from(&self, item: u32) -> &[usize] {
        if self.is_upstream() { &[] } else { self.sources_of(item) }
    }
}

/// The slices that are there to stay, by name; of two versions of one slice the newer. With the index in the input.
pub(crate) fn canonical_order(existing: &[Arc<EndpointSlice>]) -> Vec<(usize, &Arc<EndpointSlice>)> {
    let mut slices: Vec<(usize, &Arc<EndpointSlice>)> = existing.iter().enumerate().collect();
    let order = |one: &EndpointSlice, other: &EndpointSlice| name_order(one).cmp(&name_order(other));
    // Lists of an API server are in this order.
    let is_sorted = |slices: &[(usize, &Arc<EndpointSlice>)]| {
        slices.windows(2).all(|pair| order(pair[0].1, pair[1].1) == Ordering::Less)
    };
    if !is_sorted(&slices) {
        slices.sort_by(|one, other| order(one.1, other.1));
        if !is_sorted(&slices) {
            newest_of_each_name(&mut slices);
        }
    }
    slices.retain(|(_, slice)| !slice.metadata.is_being_deleted());
    slices
}

/// By name, nameless slices last.
fn name_order(slice: &EndpointSlice) -> (bool, &str) {
    (slice.metadata.name.is_empty(), &slice.metadata.name)
}

/// Equal names: by version, the newest first, and then by content, so that the order of the input does not show.
fn newest_of_each_name(slices: &mut Vec<(usize, &Arc<EndpointSlice>)>) {
    slices.sort_by_cached_key(|(_, slice)| {
        let version = std::cmp::Reverse(slice.metadata.version());
        (name_order(slice), version, crate::wire::json::write_slice(slice))
    });
    slices.dedup_by(|later, first| !first.1.metadata.name.is_empty() && first.1.metadata.name == later.1.metadata.name);
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
        metadata,
        address_type: source.address_type,
        ports: source.ports.clone(),
        endpoints: EndpointList::default(),
        unknown: source.unknown.clone(),
    })
}

/// True if a slice has the template's annotations, and no owner that the template's owner took the place of (upstream
/// `needRebuildExistingSlices`).
pub(crate) fn same_annotations_and_owners(metadata: &ObjectMeta, template: &ObjectMeta) -> bool {
    let own = [TRIGGER_TIME_ANNOTATION, MOVING_ANNOTATION, ROLE_ANNOTATION];
    let counts = |(key, _): &(&String, &String)| !own.contains(&key.as_str());
    let owners = |metadata: &ObjectMeta| {
        json::read_owners(metadata.unknown.get("ownerReferences").unwrap_or("[]")).unwrap_or_default()
    };
    let wanted = owners(template);
    let replaced = |owner: &json::Owner| {
        wanted.iter().any(|new| new.kind == owner.kind && new.name == owner.name && new.uid != owner.uid)
    };
    metadata.annotations.iter().filter(counts).eq(template.annotations.iter().filter(counts))
        && !owners(metadata).iter().any(replaced)
}

/// The slice without what the API server adds by itself. A new slice has none of it; were it counted, a slice that is full
/// would be overfull as soon as it is there.
fn as_created(mut slice: EndpointSlice) -> EndpointSlice {
    let metadata = &mut slice.metadata;
    for text in [&mut metadata.uid, &mut metadata.resource_version, &mut metadata.creation_timestamp] {
        text.clear();
    }
    for name in ["generation", "managedFields", "selfLink"] {
        metadata.unknown.replace(name, None);
    }
    slice
}

/// Set the trigger time of a slice that is to be written.
fn stamp(metadata: &mut ObjectMeta, options: &Options) {
    if let Some(time) = &options.trigger_time {
        metadata.annotations.insert(TRIGGER_TIME_ANNOTATION.to_owned(), time.clone());
    }
}

/// Wanted endpoints by identity.
enum Numbers<'a> {
    /// No two have one identity: the item is the place.
    Index(&'a EndpointList, &'a Index),
    Items(HashMap<ByIdentity<'a>, u32>),
}

impl<'a> Numbers<'a> {
    /// Number the wanted endpoints, with the index of each; of two with one identity the preferred one is kept.
    fn of(wanted: &'a EndpointList, identity: Identity, is_large: bool) -> (Vec<usize>, Self) {
        if let Some(index) = Some(wanted).filter(|_| is_large).and_then(EndpointList::index) {
            return ((0..wanted.len()).collect(), Self::Index(wanted, index));
        }
        let mut items: Vec<usize> = Vec::with_capacity(wanted.len());
        let mut numbers: HashMap<ByIdentity<'_>, u32> = HashMap::with_capacity(wanted.len());
        for (index, endpoint) in wanted.iter().enumerate() {
            let next = u32::try_from(items.len()).unwrap_or(u32::MAX);
            let number = *numbers.entry(ByIdentity { endpoint, identity }).or_insert(next);
            if number == next {
                items.push(index);
                continue;
            }
            let kept = &mut items[number as usize];
            if wanted.get(*kept).is_some_and(|before| preferred(endpoint, before)) {
                *kept = index;
            }
        }
        (items, Self::Items(numbers))
    }

    /// The item that is the same as an endpoint.
    fn find(&self, endpoint: ByIdentity<'a>, print: Print) -> Option<u32> {
        match self {
            Self::Index(wanted, index) => index.find(wanted, endpoint, print),
            Self::Items(numbers) => numbers.get(&endpoint).copied(),
        }
    }
}
