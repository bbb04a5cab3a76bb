//! The reader of endpoints of the usual form beside the plain one: the same slices, or the same error at the same place, whatever the bytes.

mod messages;

use epcore::Error;
use epcore::wire::{json, proto};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use messages::{field, inner, message, numbered, odd, spelled, text, truth};

/// What is read, with every unknown field in it.
fn slices(document: &[u8]) -> [Result<String, Error>; 2] {
    let read = [proto::read_slices(document), proto::read_slices_plainly(document)];
    if let [Ok(usual), Ok(plain)] = &read {
        assert_eq!(usual, plain);
        // The JSON is without what only protobuf says, which must be the same too.
        let [usual, plain] = [usual, plain].map(|slices| proto::write_slices(slices.iter().map(|slice| &**slice)));
        assert_eq!(usual, plain);
    }
    read.map(|slices| slices.map(|slices| format!("{slices:?}")))
}

fn endpoints(document: &[u8]) -> [Result<String, Error>; 2] {
    let read = [proto::read_endpoints(document), proto::read_endpoints_plainly(document)];
    if let [Ok(usual), Ok(plain)] = &read {
        assert_eq!(usual, plain);
    }
    read.map(|list| list.map(|list| format!("{list:?}")))
}

fn endpoint() -> impl Strategy<Value = Vec<u8>> {
    let usual = ["10.0.0.%", "10.1.0.%", "192.168.100.200", "10.0.0.1"];
    let addresses = [usual, ["010.0.0.%", "2001:db8::%", "127.0.0.%", "10.0.0.%."], usual].concat();
    let nothing = |tag| prop_oneof![8 => Just(field(tag, b"")), 1 => Just(field(tag, b"v1"))].boxed();
    let hint = |tag| inner(tag, vec![text(1, &["a", "b", "zone-%"])]);
    message(vec![
        text(1, &addresses),
        inner(2, (1..4).map(|tag| truth(tag).boxed()).collect()),
        text(3, &["web-%", "db"]),
        inner(
            4,
            vec![
                text(1, &["Pod"]),
                text(2, &["shop", "shop-%"]),
                text(3, &["web-7d9c5f6b8d-%"]),
                text(4, &["76aab8c4-8e74-4648-8491-%"]),
                nothing(5),
                nothing(6),
                nothing(7),
            ],
        ),
        text(6, &["ip-10-0-0-%.internal", "node-%"]),
        text(7, &["a", "b", "zone-%"]),
        inner(8, vec![hint(1), hint(2)]),
    ])
}

/// Endpoints of a few shapes.
fn some_endpoints() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let shapes = prop::collection::vec(endpoint(), 1..5);
    let picks = prop::collection::vec((any::<Index>(), any::<u8>()), 1..12);
    (shapes, picks).prop_map(|(shapes, picks)| {
        picks.into_iter().map(|(which, number)| numbered(&shapes[which.index(shapes.len())], number)).collect()
    })
}

/// An `EndpointSliceList` of slices of so many endpoints.
fn listed(endpoints: &[Vec<u8>], most: usize, address_type: &str) -> Vec<u8> {
    let slice = |(index, endpoints): (usize, &[Vec<u8>])| {
        let endpoints: Vec<Vec<u8>> = endpoints.iter().map(|endpoint| field(2, endpoint)).collect();
        let metadata = field(1, format!("web-{index}").as_bytes());
        field(2, &[field(1, &metadata), endpoints.concat(), field(4, address_type.as_bytes())].concat())
    };
    in_list(&endpoints.chunks(most).enumerate().map(slice).collect::<Vec<_>>())
}

fn in_list(slices: &[Vec<u8>]) -> Vec<u8> {
    let kind = [field(1, b"discovery.k8s.io/v1"), field(2, b"EndpointSliceList")].concat();
    [b"k8s\0".to_vec(), field(1, &kind), field(2, &slices.concat())].concat()
}

fn agree(document: &[u8]) -> Result<(), TestCaseError> {
    let [usual, plain] = slices(document);
    prop_assert_eq!(usual, plain);
    let [usual, plain] = endpoints(document);
    prop_assert_eq!(usual, plain);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn both_readers_agree_on_endpoints_of_any_shape(
        endpoints in some_endpoints(),
        most in 1usize..8,
        address_type in select(vec!["IPv4", "IPv4", "IPv4", "IPv6", "FQDN"]),
    ) {
        agree(&listed(&endpoints, most, address_type))?;
    }

    #[test]
    fn both_readers_agree_on_a_list_with_changed_bytes(
        endpoints in some_endpoints(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut document = listed(&endpoints, 5, "IPv4");
        for (at, byte) in changes {
            let at = at.index(document.len());
            document[at] = byte;
        }
        agree(&document)?;
    }
}

/// The metadata of a slice, and its ports.
fn head() -> impl Strategy<Value = (Vec<u8>, Vec<Vec<u8>>)> {
    let member = |tag| {
        let keys = select(vec!["a", "b", "c", "d", "e", "kubernetes.io/service-name", "-"]);
        let parts = (keys, select(vec!["", "x", "y", "z", "web", "v", "w", "!"]));
        parts.prop_map(move |(key, value)| field(tag, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat()))
    };
    let port = (select(vec!["http", "dns", "web", "db", "a", "b", "-"]), select(vec!["TCP", "UDP", "SCTP", "", "X"]));
    let port = port
        .prop_map(|(name, protocol)| field(3, &[field(1, name.as_bytes()), field(2, protocol.as_bytes())].concat()));
    let owner = (select(vec!["web", "db"]), 0u8..2).prop_map(|(name, controls)| {
        field(13, &[field(1, b"Service"), field(3, name.as_bytes()), vec![48, controls]].concat())
    });
    let json = select(vec!["{\"f:b\": {}, \"f:a\": 1.0}", "{\"f:a\":{}}", "[", "null", ""]);
    let manager = (select(vec!["m", "n"]), json).prop_map(|(name, json)| {
        field(17, &[field(1, name.as_bytes()), field(7, &field(1, json.as_bytes()))].concat())
    });
    let others = prop_oneof![2 => member(12), 2 => odd(), 3 => owner, 3 => manager];
    let members = prop::collection::vec(prop_oneof![5 => member(11), 3 => others], 0..5);
    (members.prop_map(|members| field(1, &members.concat())), prop::collection::vec(port, 0..4))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn both_readers_agree_on_slices_of_any_metadata_and_ports(
        heads in prop::collection::vec(head(), 1..4),
        picks in prop::collection::vec((any::<Index>(), 0usize..4, prop::option::of(1u8..9)), 1..8),
    ) {
        let slice = |(which, before, number): (Index, usize, Option<u8>)| {
            let (metadata, ports) = which.get(&heads);
            let endpoint = number.map_or(Vec::new(), |number| field(2, &usual(number)));
            let (first, last) = ports.split_at(before.min(ports.len()));
            field(2, &[metadata.clone(), endpoint, first.concat(), field(4, b"IPv4"), last.concat()].concat())
        };
        let [usual, plain] = slices(&in_list(&picks.into_iter().map(slice).collect::<Vec<_>>()));
        prop_assert_eq!(usual, plain);
    }
}

/// What Kubernetes writes of an endpoint of a Pod.
fn usual(number: u8) -> Vec<u8> {
    let target = [
        field(1, b"Pod"),
        field(2, b"shop"),
        field(3, format!("web-7d9c5f6b8d-{number:05x}").as_bytes()),
        field(4, format!("76aab8c4-8e74-4648-8491-{number:012x}").as_bytes()),
        field(5, b""),
        field(6, b""),
        field(7, b""),
    ];
    [
        field(1, format!("10.0.0.{number}").as_bytes()),
        field(2, &[8, 1, 16, 1, 24, 0]),
        field(4, &target.concat()),
        field(6, format!("node-{number}.internal").as_bytes()),
        field(7, b"zone-b"),
        field(8, &field(1, &field(1, b"a"))),
    ]
    .concat()
}

#[test]
fn both_readers_agree_on_a_list_that_is_cut_at_any_byte() {
    let document = listed(&(1..8).map(usual).collect::<Vec<_>>(), 4, "IPv4");
    let whole = proto::read_slices(&document).map(|slices| slices.len());
    assert_eq!(whole, Ok(2));
    // An envelope without an object is an empty list.
    let envelope = listed(&[], 1, "IPv4").len() - field(2, b"").len();
    for length in 4..document.len() {
        let [usual, plain] = slices(&document[..length]);
        assert_eq!(usual.is_ok(), length == envelope, "{length}");
        assert_eq!(usual, plain, "{length}");
    }
}

/// Cut within itself, so that all lengths around it are right.
#[test]
fn both_readers_agree_on_an_endpoint_that_is_cut_at_any_byte() {
    let endpoint = usual(7);
    for length in 0..=endpoint.len() {
        let document = listed(&[usual(1), endpoint[..length].to_vec(), usual(2)], 4, "IPv4");
        for [usual, plain] in [slices(&document), endpoints(&document)] {
            assert_eq!(usual, plain, "{length}");
        }
    }
}

#[test]
fn both_readers_agree_on_a_list_with_any_byte_changed() {
    let document = listed(&(1..4).map(usual).collect::<Vec<_>>(), 4, "IPv4");
    for at in 4..document.len() {
        for byte in 0..=255 {
            let mut changed = document.clone();
            changed[at] = byte;
            let [usual, plain] = slices(&changed);
            assert_eq!(usual, plain, "{byte:#x} at {at}");
        }
    }
}

/// Hints take more room as JSON than as protobuf, and those of each node are others.
#[test]
fn hints_of_any_number_of_zones_and_nodes_are_read() {
    let named = |number: usize, name: &str| field(number, &field(1, name.as_bytes()));
    for hints in [
        |name: &str| [field(1, &field(1, name.as_bytes())), field(2, &field(1, name.as_bytes()))].concat(),
        |name: &str| field(1, &field(1, name.as_bytes())),
        |name: &str| field(2, &field(1, name.as_bytes())),
        |name: &str| [field(1, &field(1, name.as_bytes())), field(1, &field(1, b"z"))].concat(),
        |name: &str| [field(2, &field(1, name.as_bytes())), field(1, &field(1, b"z"))].concat(),
        |name: &str| field(1, &[field(1, name.as_bytes()), field(2, b"more")].concat()),
        |_: &str| field(1, &field(1, b"")),
        |_: &str| field(1, b""),
        |_: &str| field(2, &field(1, "\u{e9}\"".as_bytes())),
        |_: &str| field(2, &field(1, b"A_b")),
    ] {
        let endpoint = |number: usize| {
            let address = format!("10.0.{}.{}", number / 200, number % 200);
            [field(1, address.as_bytes()), field(8, &hints(&format!("n{}", number % 40)))].concat()
        };
        let document = listed(&(1..300).map(endpoint).collect::<Vec<_>>(), 100, "IPv4");
        for [usual, plain] in [slices(&document), endpoints(&document)] {
            assert_eq!(usual, plain);
        }
    }
    let both = [named(1, "a"), named(2, "b")].concat();
    let read = proto::read_slices(&listed(&[[field(1, b"10.0.0.1"), field(8, &both)].concat()], 1, "IPv4"));
    let hints =
        read.map(|slices| slices[0].endpoints.iter().filter_map(|one| one.hints().map(str::to_owned)).collect());
    assert_eq!(hints, Ok(vec![r#"{"forZones":[{"name":"a"}],"forNodes":[{"name":"b"}]}"#.to_owned()]));
}

/// Whatever is looked at beyond the text of an address, or before it, is no part of it.
#[test]
fn addresses_are_read_from_their_own_bytes() {
    let zeros = "0".repeat(0x31 << 7);
    let long = |text: String| field(1, text.as_bytes());
    for (endpoint, is_read) in [
        // What follows is a digit.
        ([field(1, b"10.0.0.1"), field(6, b"node")].concat(), true),
        ([field(1, b"10.0.0.25"), field(6, b"node")].concat(), true),
        // The second byte of the length is one.
        (long(format!(".{}2.3.4x", &zeros[7..])), false),
        (long(format!("{}2.3.4.5", &zeros[7..])), true),
        ([spelled((0, 1, 0), 1, b"10.0.0.1"), field(6, b"node")].concat(), true),
        (field(1, b""), false),
        (field(2, b""), false),
    ] {
        let [usual, plain] = slices(&listed(&[endpoint], 1, "IPv4"));
        assert_eq!(usual, plain);
        assert_eq!(usual.is_ok(), is_read, "{usual:?}");
    }
}

/// The texts are right, but for one that ends within a character of the next.
#[test]
fn a_character_that_two_fields_share_is_in_neither() {
    let endpoint = [field(1, b"10.0.0.1"), field(7, b"z\xc3"), field(8, b"")].concat();
    let split = [field(1, b"10.0.0.1"), field(6, b"\xc3"), b"\xa9\x01".to_vec()].concat();
    for endpoint in [endpoint, split] {
        let [usual, plain] = slices(&listed(&[endpoint], 1, "IPv4"));
        assert!(usual.is_err());
        assert_eq!(usual, plain);
    }
}

/// A run in which one text is not in ASCII is read again, and what was remembered in it is not there then.
#[test]
fn both_readers_agree_where_one_zone_is_not_in_ascii() {
    for at in 0..8 {
        let mut endpoints: Vec<Vec<u8>> = (1..9).map(usual).collect();
        let cut = endpoints[at].len() - field(8, &field(1, &field(1, b"a"))).len() - field(7, b"zone-b").len();
        endpoints[at].truncate(cut);
        endpoints[at].extend(field(7, "zon\u{e9}".as_bytes()));
        for most in [3, 4, 8] {
            agrees(&listed(&endpoints, most, "IPv4"));
        }
    }
}

fn agrees(document: &[u8]) {
    for [usual, plain] in [slices(document), endpoints(document)] {
        assert_eq!(usual, plain);
        assert!(usual.is_ok(), "{usual:?}");
    }
}

/// An endpoint that begins or ends as one before may say something else between.
#[test]
fn what_is_like_an_endpoint_before_is_only_what_says_the_same() {
    let address = |number: u8| field(1, format!("10.0.{number}.{number}").as_bytes());
    let target =
        |name: &str, uid: &str| [field(1, b"Pod"), field(3, name.as_bytes()), field(4, uid.as_bytes())].concat();
    let whole = |number: u8, name: &str, uid: &str, behind: &[u8]| {
        [&*address(number), &*field(4, &target(name, uid)), behind].concat()
    };
    let node = field(6, b"node-1");
    let zone = field(7, b"a");
    let behind = [&*node, &*zone].concat();
    let first = whole(1, "web-1", "uid-1", &behind);
    for other in [
        // A length of two bytes, of which the second is none by itself; the name is a zone by its bytes.
        whole(2, "web-2", "uid-2", &[&[0x32, 0x83, 0x00][..], &zone].concat()),
        whole(2, "web-2", "uid-2", &[&[0x32, 0x86, 0x00][..], b"node-2", &zone].concat()),
        // The same lengths together.
        whole(2, "web-22", "uid-", &behind),
        whole(2, "web-", "uid-22", &behind),
        // A name that has the tag and the length of a UID in it.
        whole(2, "web-2\"\u{5}uid-2", "uid-3", &behind),
        // More, or less, behind the same beginning.
        whole(2, "web-2", "uid-2", &node),
        whole(2, "web-2", "uid-2", &[&*behind, &field(8, b"")].concat()),
        whole(2, "web-2", "uid-2", &[&field(6, b""), &*zone].concat()),
        whole(2, "web-2", "uid-2", &zone),
        [&*address(2), &*address(3), &*field(4, &target("web-2", "uid-2")), &*behind].concat(),
        [&*address(2), &*field(3, b"web"), &*field(4, &target("web-2", "uid-2")), &*behind].concat(),
        [&*address(2), &*field(4, &target("web-2", "uid-2")), &*field(5, b""), &*behind].concat(),
    ] {
        let all = [&first, &first, &other, &first, &other, &other, &first].map(Clone::clone);
        for most in [2, 7] {
            let document = listed(&all, most, "IPv4");
            for [usual, plain] in [slices(&document), endpoints(&document)] {
                assert_eq!(usual, plain, "{other:?}");
            }
        }
    }
}

/// More ways than are remembered, each after any other.
#[test]
fn both_readers_agree_on_endpoints_of_many_shapes() {
    let endpoint = |number: usize| {
        let target = [field(1, b"Pod"), field(3, "w".repeat(1 + number % 11).as_bytes()), field(4, b"uid")].concat();
        let zone = "z".repeat(1 + number % 13);
        let address = format!("10.{}.{}.{}", number % 2, number / 200, number % 200);
        [field(1, address.as_bytes()), field(4, &target), field(6, b"node"), field(7, zone.as_bytes())].concat()
    };
    agrees(&listed(&(1..900).map(endpoint).collect::<Vec<_>>(), 100, "IPv4"));
}

#[test]
fn the_same_slices_are_read_from_both_formats() {
    let document = listed(&(1..200).map(usual).collect::<Vec<_>>(), 100, "IPv4");
    let slices = proto::read_slices(&document).unwrap_or_default();
    assert_eq!(slices.iter().map(|slice| slice.endpoints.len()).collect::<Vec<_>>(), [100, 99]);
    let text = json::write_slices(slices.iter().map(|slice| &**slice));
    assert_eq!(json::read_slices(&text), Ok(slices));
}
