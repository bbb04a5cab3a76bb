//! What is passed over makes no difference: a diff is what a look at every endpoint of both sides finds.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;

use crate::diff::pairs::Pairs;
use crate::diff::settled::Settled;
use crate::diff::{Delta, Fields, Key, Options};
use crate::model::{EndpointList, EndpointSlice};
use crate::wire::{json, proto};

/// Address, conditions, and what else there is.
type Endpoint = [usize; 3];

#[derive(Clone, Debug)]
struct Slice {
    /// Name, namespace, Service, family, ports, trigger time, creation time, label, UID.
    of: [usize; 9],
    endpoints: Vec<Endpoint>,
}

const FAMILIES: [(&str, [&str; 5]); 3] = [
    ("IPv4", ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.00.0.3", r#"10.0.0.1","10.0.1.1"#]),
    ("IPv6", ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:DB8::3", r#"2001:db8::1","2001:db8::9"#]),
    ("FQDN", ["a.example.org", "b.example.org", "c.example.org", "d.example.org", r#"a.example.org","e.example.org"#]),
];
const PORTS: [&str; 4] = [
    "",
    r#"{"name":"a","port":80}"#,
    r#"{"name":"a","port":80,"appProtocol":"x"},{"name":"b"}"#,
    r#"{"name":"u","protocol":"UDP","port":53},{"name":"a","port":81}"#,
];
/// Each field alone, with texts of one length, so that nothing but one span or one byte tells two endpoints apart; and some together.
const REST: [&str; 14] = [
    "",
    r#","nodeName":"n""#,
    r#","nodeName":"m""#,
    r#","zone":"n""#,
    r#","hostname":"n""#,
    r#","hints":{"forZones":[{"name":"z"}]}"#,
    r#","targetRef":{"kind":"n"}"#,
    r#","targetRef":{"namespace":"n"}"#,
    r#","targetRef":{"name":"n"}"#,
    r#","targetRef":{"uid":"n"}"#,
    r#","weight":1"#,
    r#","targetRef":{"name":"n","resourceVersion":"1"},"deprecatedTopology":{"a":"b"}"#,
    r#","targetRef":{"name":"p","uid":"u1"},"hints":{"forZones":[{"name":"z"}]},"zone":"z""#,
    r#","targetRef":{"name":"p","uid":"u2"},"hints":{"forZones":[{"name":"y"}]},"zone":"z","hostname":"h""#,
];

fn endpoint(addresses: [&str; 5], [address, conditions, rest]: Endpoint) -> String {
    let word = |power: u32| ["null", "true", "false"][conditions / 3usize.pow(power) % 3];
    let (address, rest) = (addresses[address], REST[rest]);
    let conditions = format!(r#"{{"ready":{},"serving":{},"terminating":{}}}"#, word(0), word(1), word(2));
    format!(r#"{{"addresses":["{address}"],"conditions":{conditions}{rest}}}"#)
}

fn read(slice: &Slice) -> Arc<EndpointSlice> {
    let [name, namespace, service, family, ports, trigger, created, label, uid] = slice.of;
    let ((family, addresses), ports, namespace) = (FAMILIES[family], PORTS[ports], ["x", "shop"][namespace.min(1)]);
    let endpoints: Vec<String> = slice.endpoints.iter().map(|&spec| endpoint(addresses, spec)).collect();
    let text = format!(
        r#"[{{"metadata":{{"name":"s-{name}","namespace":"{namespace}","uid":"{uid}","creationTimestamp":"2026-01-01T00:00:0{created}Z",
            "labels":{{"kubernetes.io/service-name":"web-{service}","label":"{label}"}},
            "annotations":{{"endpoints.kubernetes.io/last-change-trigger-time":"2026-01-01T00:00:0{trigger}Z"}}}},
            "addressType":"{family}","ports":[{ports}],"endpoints":[{}]}}]"#,
        endpoints.join(",")
    );
    json::read_slices(text.as_bytes()).unwrap().remove(0)
}

fn slice() -> impl Strategy<Value = Slice> {
    const MOST: [usize; 9] = [4, 4, 2, 3, 4, 3, 2, 2, 2];
    let endpoint = [0..5usize, 0..27usize, 0..REST.len()];
    let of = MOST.map(|most| 0..most);
    (of, prop::collection::vec(endpoint, 0..6)).prop_map(|(of, endpoints)| Slice { of, endpoints })
}

/// A change of some slices, by another one.
fn edit(slices: &mut Vec<Slice>, kind: usize, at: Index, with: Slice) {
    let count = slices.len();
    match slices.get_mut(at.index(count.max(1))) {
        Some(slice) if kind < slice.of.len() => slice.of[kind] = with.of[kind],
        Some(slice) if kind < 11 => slice.endpoints = with.endpoints,
        Some(slice) if kind < 14 => {
            let place = with.of[0] % slice.endpoints.len().max(1);
            if let (Some(was), Some(is)) = (slice.endpoints.get_mut(place), with.endpoints.first()) {
                was[kind - 11] = is[kind - 11];
            }
        }
        Some(slice) if kind == 14 => slice.endpoints.extend(with.endpoints),
        Some(slice) if kind == 15 => slice.endpoints.truncate(1),
        Some(_) if kind == 16 => drop(slices.remove(at.index(count))),
        Some(_) if kind == 17 => slices.rotate_left(at.index(count)),
        _ => slices.push(with),
    }
}

/// The slices of both sides, of which many are the same; where they are equal, some are one object.
fn states() -> impl Strategy<Value = [Vec<Arc<EndpointSlice>>; 2]> {
    let edits = prop::collection::vec((0..20usize, any::<Index>(), slice()), 0..5);
    (prop::collection::vec(slice(), 0..6), edits, any::<bool>()).prop_map(|(before, edits, are_shared)| {
        let mut after = before.clone();
        for (kind, at, with) in edits {
            edit(&mut after, kind, at, with);
        }
        let before: Vec<_> = before.iter().map(read).collect();
        let shared = |slice: Arc<EndpointSlice>| {
            before.iter().find(|old| are_shared && **old == slice).cloned().unwrap_or(slice)
        };
        let after = after.iter().map(read).map(shared).collect();
        [before, after]
    })
}

fn options() -> impl Strategy<Value = Options> {
    let of =
        |(key, fields): (Index, Index)| Options { key: key.get(&Key::WORDS).1, fields: fields.get(&Fields::WORDS).1 };
    any::<(Index, Index)>().prop_map(of)
}

/// The same slice as others make it: with its texts in other places, or, as a plan leaves a slice, in those of `other` where that says the same;
/// with prints or without.
fn made(slice: &Arc<EndpointSlice>, other: Option<&Arc<EndpointSlice>>, way: usize) -> Arc<EndpointSlice> {
    let wanted = &slice.endpoints;
    let other = other.map_or(wanted, |other| &other.endpoints);
    let pushed = |mut onto: EndpointList, one: &EndpointList, from: usize| {
        one.iter().skip(from).try_for_each(|endpoint| onto.push(endpoint)).unwrap();
        onto
    };
    let alone = pushed(EndpointList::default(), wanted, 0);
    let endpoints = match way % 6 {
        0 => wanted.clone(),
        // It has no words for fields of a newer API.
        1 => proto::write_slice(slice).map_or(alone, |text| proto::read_slices(&text).unwrap()[0].endpoints.clone()),
        2 => alone,
        3 => {
            let gone: Vec<_> = (0..other.len()).map(|place| (place, None)).collect();
            pushed(other.clone(), wanted, 0).with_replaced(&gone).unwrap()
        }
        4 => {
            let list = pushed(other.clone(), wanted, other.len());
            let differs = |&place: &usize| list.get(place) != wanted.get(place);
            let places: Vec<_> = (0..list.len()).filter(differs).map(|place| (place, wanted.get(place))).collect();
            list.with_replaced(&places).unwrap()
        }
        _ => {
            let mut list = pushed(alone, other, 0);
            list.truncate(wanted.len());
            list
        }
    };
    if way > 5 {
        endpoints.prints();
    }
    Arc::new(EndpointSlice { endpoints, ..EndpointSlice::clone(slice) })
}

/// Everything that a delta says, and where it found it.
fn told(delta: &Delta) -> String {
    format!("{delta:?} {:?}", delta.stale_udp())
}

fn of_all(sides: [&[Arc<EndpointSlice>]; 2], options: Options) -> Delta {
    Delta::of_pairs(&Pairs::none(sides), Settled::new(sides, options), options)
}

fn all_options() -> impl Iterator<Item = Options> {
    let keys = Key::WORDS.into_iter().map(|(_, key)| key);
    keys.flat_map(|key| Fields::WORDS.map(|(_, fields)| Options { key, fields }))
}

#[test]
fn another_time_of_a_slice_lets_another_one_of_the_same_count() {
    let slice = |name, trigger, created, rest| {
        read(&Slice { of: [name, 0, 0, 0, 1, trigger, created, 0, 0], endpoints: vec![[0, 0, rest]] })
    };
    for [trigger, created] in [[2, 1], [1, 2]] {
        let sides =
            [vec![slice(0, 0, 0, 3), slice(1, 1, 1, 2)], vec![slice(0, trigger, created, 3), slice(1, 1, 1, 2)]];
        for options in all_options().filter(|options| options.fields >= Fields::Proxy) {
            let delta = Delta::between(&sides[0], &sides[1], options);
            assert_eq!(delta.updated().len(), 1, "{options:?}");
            assert_eq!(told(&delta), told(&of_all([&sides[0], &sides[1]], options)));
            let some = Delta::of_some(&sides[0], &sides[1], options);
            assert_eq!(some.updated().len(), 1, "{options:?}");
        }
    }
}

#[test]
fn a_port_that_is_there_twice_is_one() {
    let slice = |conditions| {
        let mut slice =
            read(&Slice { of: [0, 0, 0, 0, 1, 0, 0, 0, 0], endpoints: vec![[0, conditions, 0], [1, 0, 0]] });
        let twice = Arc::make_mut(&mut slice);
        let port = twice.ports[0].clone();
        let (mut other, mut again) = (port.clone(), port.clone());
        other.name = "other".to_owned();
        again.app_protocol = "again".to_owned();
        twice.ports = vec![port, other, again].into();
        slice
    };
    let sides = [[slice(0)], [slice(2)]];
    for options in all_options() {
        let delta = Delta::between(&sides[0], &sides[1], options);
        let ports: Vec<&str> = delta.updated().iter().filter_map(|change| Some(change.port()?.0)).collect();
        assert_eq!(ports, if options.key == Key::AddressPort { &["a", "other"][..] } else { &[] }, "{options:?}");
        assert_eq!(delta.updated().len(), ports.len().max(1), "{options:?}");
        assert_eq!(told(&delta), told(&of_all([&sides[0], &sides[1]], options)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn a_diff_is_what_a_look_at_every_endpoint_finds([before, after] in states(), options in options()) {
        let sides = [&*before, &*after];
        let whole = of_all(sides, options);
        prop_assert_eq!(told(&Delta::between(sides[0], sides[1], options)), told(&whole));
        let mut some = Delta::of_some(sides[0], sides[1], options);
        some.transitions.clone_from(&whole.transitions);
        prop_assert_eq!(told(&some), told(&whole));
    }

    #[test]
    fn it_does_not_matter_how_slices_were_made(
        [before, after] in states(), ways in prop::collection::vec((0..12usize, any::<Index>()), 24), options in options(),
    ) {
        let made = |slices: &[Arc<EndpointSlice>], others: &[Arc<EndpointSlice>], ways: &[(usize, Index)]| {
            let of = |(slice, (way, at)): (&Arc<EndpointSlice>, &(usize, Index))| {
                made(slice, others.get(at.index(others.len().max(1))), *way)
            };
            slices.iter().zip(ways.iter().cycle()).map(of).collect::<Vec<_>>()
        };
        let olds = made(&before, &after, &ways[..12]);
        let news = made(&after, &olds, &ways[12..]);
        prop_assert_eq!(told(&Delta::between(&olds, &news, options)), told(&of_all([&before, &after], options)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    /// Of few, hardly a filter is ever wrong.
    #[test]
    fn so_it_is_of_many(addresses in prop::collection::vec(0..4000u32, 3000), changed in prop::collection::vec(any::<Index>(), 0..40), options in options()) {
        let mut ready = vec![true; addresses.len()];
        let read = |ready: &[bool]| {
            let endpoint = |(address, ready): (&u32, &bool)| {
                format!(r#"{{"addresses":["10.0.{}.{}"],"conditions":{{"ready":{ready}}}}}"#, address >> 8, address & 255)
            };
            let endpoints: Vec<String> = addresses.iter().zip(ready).map(endpoint).collect();
            let slices = endpoints.chunks(100).enumerate().map(|(name, endpoints)| format!(
                r#"{{"metadata":{{"name":"s-{name}"}},"addressType":"IPv4","ports":[{{"port":80}}],"endpoints":[{}]}}"#,
                endpoints.join(",")
            ));
            json::read_slices(format!("[{}]", slices.collect::<Vec<_>>().join(",")).as_bytes()).unwrap()
        };
        let before = read(&ready);
        for at in changed {
            ready[at.index(addresses.len())] = false;
        }
        let after = read(&ready);
        let sides = [&*before, &*after];
        prop_assert_eq!(told(&Delta::between(sides[0], sides[1], options)), told(&of_all(sides, options)));
    }
}
