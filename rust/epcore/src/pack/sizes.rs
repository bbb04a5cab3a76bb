//! Bytes: what slices and endpoints take, and whether any slice could be too large.

use crate::Error;
use crate::model::{
    EndpointList, EndpointRef, EndpointSlice, MOVING_ANNOTATION, ROLE_ANNOTATION, TRIGGER_TIME_ANNOTATION,
};
use crate::pack::choose::Bytes;
use crate::pack::group::Group;
use crate::pack::problem::Problem;
use crate::pack::settle::Bin;
use crate::pack::summary::Bounds;
use crate::pack::{CompactionOrder, Policy, naming};
use crate::wire::json::{endpoint_size, slice_size};

impl Group<'_> {
    /// The problem to solve. Byte sizes are taken exactly only where they could pass the limit.
    pub(crate) fn problem(&self, bins: &mut [Bin]) -> Result<Problem<'_>, Error> {
        let bounds = Bounds::of(&self.existing);
        let moving_bytes = self.moving_bytes(&bounds);
        let mut new_bytes = self.new_bytes(&bounds);
        let template_bytes = new_bytes - moving_bytes;
        let limit = self.options.max_bytes;
        if new_bytes > limit {
            return Err(Error::limit("larger than a slice may be without any endpoint, in bytes", limit, new_bytes)
                .in_field("template"));
        }
        let needs_bytes = self.may_pass(&bounds);
        if needs_bytes {
            for (slice, bin) in self.existing.iter().zip(bins) {
                let mut rewritten = self.rewritten(slice);
                if self.options.policy.lifecycle().is_some() {
                    bin.role.mark(&mut rewritten);
                }
                bin.base_bytes = slice_size(&as_created(rewritten));
                bin.fits_as_it_is = slice_size(&as_created(EndpointSlice::clone(slice))) <= limit;
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
    fn moving_bytes(&self, bounds: &Bounds) -> usize {
        // Where a new slice has a time of its own, a later one takes its place.
        let (time, longer) = match self.template.metadata.trigger_time().len() {
            0 if bounds.time > 0 => (bounds.time + TRIGGER_TIME_ANNOTATION.len(), 0),
            given => (0, bounds.time.saturating_sub(given)),
        };
        let touches =
            self.options.compaction.is_some_and(|compaction| compaction.order == CompactionOrder::MakeBreakTouch);
        let mark = if touches { MOVING_ANNOTATION.len() + 4 } else { 0 };
        // Quotes, colon and comma of each, and the member that they are in.
        let signs = |bytes: usize| if bytes > 0 { bytes + 6 } else { 0 };
        let role = if self.options.policy.lifecycle().is_some() { ROLE_ANNOTATION.len() + "restless".len() } else { 0 };
        let members = signs(time) + signs(mark) + signs(role);
        longer + if members > 0 { members + r#""annotations":{},"#.len() } else { 0 }
    }

    /// Bytes of a new slice without endpoints.
    fn new_bytes(&self, bounds: &Bounds) -> usize {
        slice_size(&naming::longest_named(&self.template)) + self.moving_bytes(bounds)
    }

    /// False if a cheap bound tells that no slice can pass the limit.
    pub(super) fn is_tight(&self, bounds: &Bounds) -> bool {
        let wanted = if self.is_large {
            self.wanted.largest()
        } else {
            self.wanted.iter().map(EndpointRef::size_bound).max().unwrap_or(0)
        };
        // An endpoint that stays keeps its fields of a newer API, which the wanted one need not have.
        self.passes(bounds, wanted.saturating_add(bounds.rare))
    }

    /// True if a slice of the largest endpoints could pass the limit. Mostly a bound of what a new slice takes is enough to deny it.
    fn passes(&self, bounds: &Bounds, largest: usize) -> bool {
        let passes = |new: usize| {
            let base = bounds.slice + new;
            base.saturating_add(largest.saturating_mul(self.options.max_endpoints)) > self.options.max_bytes
        };
        let name = naming::name_bound(&self.template.metadata);
        passes(self.template.size_bound() + name + self.moving_bytes(bounds)) && passes(self.new_bytes(bounds))
    }

    /// False if no slice can pass the limit: first by a cheap bound, then exactly.
    fn may_pass(&self, bounds: &Bounds) -> bool {
        self.is_tight(bounds) && self.passes(bounds, self.sizes().iter().copied().max().unwrap_or(0))
    }

    /// Bytes of each item with its comma, and with the fields of a newer API that it has where it is held.
    pub(super) fn sizes(&self) -> &[usize] {
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
}

/// The slice without what the API server adds by itself. A new slice has none of it; were it counted, a slice that is full
/// would be overfull as soon as it is there.
pub(crate) fn as_created(mut slice: EndpointSlice) -> EndpointSlice {
    let metadata = &mut *slice.metadata;
    for text in [&mut metadata.uid, &mut metadata.resource_version, &mut metadata.creation_timestamp] {
        text.clear();
    }
    for name in ["generation", "managedFields", "selfLink"] {
        metadata.unknown.replace(name, None);
    }
    slice
}
