//! Which server slot of a proxy serves which endpoint.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use crate::Error;
use crate::diff::{Delta, Fields, Key, Options, Outcome};
use crate::engine::View;
use crate::model::{Address, AddressType, EndpointRef, PORT_NUMBERS};

/// The port of a Service, in one family, whose endpoints a proxy serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Namespace, `""` if the slices have none.
    pub namespace: String,
    /// Service.
    pub service: String,
    /// Name of the port.
    pub port_name: String,
    /// Protocol of the port.
    pub protocol: String,
    /// Family of the addresses.
    pub family: AddressType,
}

/// No proxy has more servers in one backend.
const MOST: usize = 1_000_000;

/// Where a server is: address and number of the port.
pub type Target = (String, i32);

/// What a slot is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SlotState {
    /// Take traffic.
    Ready,
    /// Finish what it has, and take nothing new.
    Drain,
    /// Take nothing; the slot is free, or kept for an endpoint that does not serve.
    Maintenance,
}

/// What an endpoint is good for, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Ready,
    /// Serves on while it terminates.
    LastResort,
    Idle,
}

impl Rank {
    fn of(endpoint: EndpointRef<'_>) -> Self {
        let conditions = endpoint.conditions();
        match (conditions.is_ready(), conditions.is_serving() && conditions.is_terminating()) {
            (true, _) => Self::Ready,
            (false, true) => Self::LastResort,
            (false, false) => Self::Idle,
        }
    }
}

/// What is in a slot, as we keep it.
type Content = Option<(Target, Rank)>;

/// What is in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where it is.
    pub target: Target,
    /// What it is to do.
    pub state: SlotState,
}

/// A slot that is to serve something else, or otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotChange {
    /// The slot.
    pub index: usize,
    /// What it served.
    pub before: Option<Server>,
    /// What it is to serve.
    pub after: Option<Server>,
}

impl SlotChange {
    /// What to do in one word: `assign`, `retarget`, `free`, or `state` where the target stays.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "assign",
            (_, None) => "free",
            (Some(before), Some(after)) if before.target == after.target => "state",
            _ => "retarget",
        }
    }
}

/// The server slots of one backend of a proxy that cannot add servers without a reload, such as `HAProxy`.
///
/// An endpoint keeps its slot for as long as it is there. One that does not serve keeps it in maintenance, until another needs it. A new one
/// takes a slot that was given up in the same step, else one that is free, the lowest first; so no other slots change than must.
///
/// # Examples
///
/// ```
/// use epcore::diff::Options;
/// use epcore::engine::{Backend, Slots, View};
/// use epcore::{model::AddressType, wire::json};
///
/// let mut view = View::new(Options::default());
/// let list = |endpoints: &str| json::read_slices(format!(r#"{{"metadata": {{"name": "web-1", "namespace": "shop",
///     "labels": {{"kubernetes.io/service-name": "web"}}}}, "addressType": "IPv4", "ports": [{{"name": "http", "port": 80}}],
///     "endpoints": {endpoints}}}"#).as_bytes());
/// let backend = Backend {
///     namespace: "shop".into(), service: "web".into(), port_name: "http".into(), protocol: "TCP".into(),
///     family: AddressType::IPv4,
/// };
/// let mut slots = Slots::new(backend, vec![None; 2]);
/// view.replace(&list(r#"[{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}]"#)?, "")?;
/// assert_eq!(slots.apply(&view.checkout())?.len(), 2);
/// view.replace(&list(r#"[{"addresses": ["10.0.0.2"]}, {"addresses": ["10.0.0.3"]}]"#)?, "")?;
/// let changes = slots.apply(&view.checkout())?;
/// assert_eq!((changes[0].index, changes[0].action()), (0, "retarget"));
/// assert!(slots.fits());
/// # Ok::<(), epcore::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Slots {
    backend: Backend,
    contents: Vec<Content>,
    numbers: HashMap<Target, usize>,
    /// Slots in which nothing is, and those that may be taken from what is in them.
    free: BTreeSet<usize>,
    idle: BTreeSet<usize>,
    last_resorts: BTreeSet<usize>,
    /// Endpoints that serve and have no slot, the best first.
    waiting: BTreeSet<(Rank, Target)>,
    /// Slots with an endpoint that is ready.
    ready: usize,
    /// Slots that serve what a slot before them serves, until they are told not to.
    twice: BTreeMap<usize, Content>,
}

impl Slots {
    /// Slots that serve `targets` now, as many as there are entries; addresses in any spelling. Of what several serve, [`replace`](Self::replace)
    /// leaves it to the first.
    #[must_use]
    pub fn new(backend: Backend, targets: Vec<Option<Target>>) -> Self {
        let mut slots = Self {
            backend,
            contents: vec![None; targets.len()],
            numbers: HashMap::new(),
            free: (0..targets.len()).collect(),
            idle: BTreeSet::new(),
            last_resorts: BTreeSet::new(),
            waiting: BTreeSet::new(),
            ready: 0,
            twice: BTreeMap::new(),
        };
        for (index, target) in targets.into_iter().enumerate() {
            let Some((address, port)) = target else { continue };
            let target = (Address::parse(&address).to_string(), port);
            if slots.numbers.contains_key(&target) {
                slots.twice.insert(index, Some((target, Rank::Ready)));
            } else {
                slots.put(index, Some((target, Rank::Ready)));
            }
        }
        slots
    }

    /// What the slots are for.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// The number of slots.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.contents.len()
    }

    /// What is in each slot.
    #[must_use]
    pub fn servers(&self) -> Vec<Option<Server>> {
        self.contents.iter().map(|content| server(content, self.ready > 0)).collect()
    }

    /// Endpoints that should have a slot and have none, the ready ones first.
    #[must_use]
    pub fn waiting(&self) -> Vec<&Target> {
        self.waiting.iter().map(|(_, target)| target).collect()
    }

    /// True if every endpoint that serves has a slot: no reload is needed.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Follow what a view tells; costs what changed.
    ///
    /// # Errors
    ///
    /// A delta whose key is not [`Key::AddressPort`], or that does not tell all conditions. Nothing is changed then.
    pub fn apply(&mut self, delta: &Delta) -> Result<Vec<SlotChange>, Error> {
        let Options { key, fields } = delta.options();
        if key != Key::AddressPort {
            return Err(Error::invalid("slots follow a delta of key address-port").in_field("delta"));
        }
        if fields < Fields::Proxy {
            return Err(Error::invalid("slots follow a delta of field mask proxy or wider").in_field("delta"));
        }
        let mut wanted = BTreeMap::new();
        for outcome in [Outcome::Removed, Outcome::Added, Outcome::Updated] {
            for change in (0..delta.count(outcome)).filter_map(|index| delta.get(outcome, index)) {
                let Some((place, endpoint)) = change.after().or_else(|| change.before()).zip(change.endpoint()) else {
                    continue;
                };
                let service = (change.namespace(), change.service());
                if let Some(target) = self.target(place.0.address_type, service, change.port(), endpoint) {
                    let rank = change.after().map(|_| Rank::of(endpoint));
                    wanted.insert(target, rank);
                }
            }
        }
        Ok(self.update(wanted, BTreeMap::new()))
    }

    /// Follow a view, whatever was told before; costs what the Service costs.
    pub fn replace(&mut self, view: &View) -> Vec<SlotChange> {
        let known = self.numbers.keys().chain(self.waiting.iter().map(|(_, target)| target));
        let mut wanted: BTreeMap<Target, Option<Rank>> = known.map(|target| (target.clone(), None)).collect();
        let service = (&*self.backend.namespace, &*self.backend.service);
        for entry in view.endpoints(service.0, service.1) {
            let endpoint = entry.endpoint();
            if let Some(target) = self.target(entry.slice().address_type, service, entry.port(), endpoint) {
                wanted.insert(target, Some(Rank::of(endpoint)));
            }
        }
        let twice = std::mem::take(&mut self.twice);
        self.update(wanted, twice)
    }

    /// Add slots, after a reload; those that wait take them.
    ///
    /// # Errors
    ///
    /// `capacity` is less than there are slots, or more than a million.
    pub fn grow(&mut self, capacity: usize) -> Result<Vec<SlotChange>, Error> {
        if capacity > MOST {
            return Err(Error::limit("too many slots", MOST, capacity).in_field("capacity"));
        }
        let Some(more) = capacity.checked_sub(self.contents.len()) else {
            let why = format!("there are {} slots already", self.contents.len());
            return Err(Error::invalid(why).in_field("capacity"));
        };
        self.free.extend(self.contents.len()..capacity);
        self.contents.extend(std::iter::repeat_n(None, more));
        Ok(self.update(BTreeMap::new(), BTreeMap::new()))
    }

    /// Where an endpoint is to be served, if it is one of ours that a proxy can be told.
    fn target(
        &self,
        family: AddressType,
        service: (&str, &str),
        port: Option<(&str, &str, Option<i32>)>,
        endpoint: EndpointRef<'_>,
    ) -> Option<Target> {
        let ours = &self.backend;
        let (name, protocol, number) = port?;
        let is_ours = (family, service.0, service.1, name, protocol)
            == (ours.family, &*ours.namespace, &*ours.service, &*ours.port_name, &*ours.protocol);
        let number = number.filter(|number| is_ours && PORT_NUMBERS.contains(number))?;
        Some((endpoint.address().to_string(), number))
    }

    /// Make what is known of some targets so: what they are good for, `None` if they are gone. `before` is what slots had that are free.
    fn update(
        &mut self,
        wanted: BTreeMap<Target, Option<Rank>>,
        mut before: BTreeMap<usize, Content>,
    ) -> Vec<SlotChange> {
        let had_ready = self.ready > 0;
        let mut given_up = BTreeSet::new();
        for (target, rank) in wanted {
            if let Some(&index) = self.numbers.get(&target) {
                before.insert(index, self.contents[index].clone());
                if rank.is_none() {
                    given_up.insert(index);
                }
                self.put(index, rank.map(|rank| (target, rank)));
                continue;
            }
            self.waiting.remove(&(Rank::Ready, target.clone()));
            self.waiting.remove(&(Rank::LastResort, target.clone()));
            if let Some(rank) = rank.filter(|&rank| rank < Rank::Idle) {
                self.waiting.insert((rank, target));
            }
        }
        while let Some((rank, target)) = self.waiting.pop_first() {
            let Some(index) = given_up.pop_first().or_else(|| self.room_for(rank)) else {
                self.waiting.insert((rank, target));
                break;
            };
            let twice = self.twice.remove(&index).flatten();
            let lost = self.put(index, Some((target, rank)));
            self.waiting
                .extend(lost.iter().filter(|lost| lost.1 < Rank::Idle).map(|(target, rank)| (*rank, target.clone())));
            before.entry(index).or_insert(twice.or(lost));
        }
        if had_ready != (self.ready > 0) {
            for &index in &self.last_resorts {
                before.entry(index).or_insert_with(|| self.contents[index].clone());
            }
        }
        let changes = before.into_iter().map(|(index, before)| SlotChange {
            index,
            before: server(&before, had_ready),
            after: server(&self.contents[index], self.ready > 0),
        });
        changes.filter(|change| change.before != change.after).collect()
    }

    /// A slot that may be taken: a free one, one kept for what does not serve, and for what is ready one of a last resort.
    fn room_for(&self, rank: Rank) -> Option<usize> {
        let last_resort = self.last_resorts.first().filter(|_| rank == Rank::Ready);
        self.free.first().or_else(|| self.idle.first()).or(last_resort).copied()
    }

    /// Change what is in a slot; tells what was.
    fn put(&mut self, index: usize, content: Content) -> Content {
        let was = std::mem::replace(&mut self.contents[index], content);
        if let Some((target, rank)) = &was {
            self.numbers.remove(target);
            self.ready -= usize::from(*rank == Rank::Ready);
        }
        self.free.remove(&index);
        self.idle.remove(&index);
        self.last_resorts.remove(&index);
        let Some((target, rank)) = &self.contents[index] else {
            self.free.insert(index);
            return was;
        };
        self.numbers.insert(target.clone(), index);
        match rank {
            Rank::Ready => self.ready += 1,
            Rank::LastResort => drop(self.last_resorts.insert(index)),
            Rank::Idle => drop(self.idle.insert(index)),
        }
        was
    }
}

/// A last resort takes traffic only while nothing is ready.
fn server(content: &Content, has_ready: bool) -> Option<Server> {
    let (target, rank) = content.as_ref()?;
    let state = match rank {
        Rank::LastResort if has_ready => SlotState::Drain,
        Rank::Ready | Rank::LastResort => SlotState::Ready,
        Rank::Idle => SlotState::Maintenance,
    };
    Some(Server { target: target.clone(), state })
}
