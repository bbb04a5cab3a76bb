"""Hypothesis strategies for slices as somebody might send them to the API server: most of them wrong somewhere."""

from typing import Any

from hypothesis import strategies as st

from kube_strategies import Json

NAMES = [
    *("a", "web", "web-1", "a.b", "0", "A", "-a", "a-", "a_b", "", "a b", "a..b", ".a", "a.", "x" * 63, "x" * 64),
    *("x" * 253, "x" * 254, "é", "a/b", "example.com/a", "Example.com/a", "/a", "a/", "a/b/c", "x" * 63 + ".y"),
]
ADDRESSES = [
    *("10.0.0.1", "10.0.0.2", "010.0.0.1", "10.0.0.256", "10.0.0", "0.0.0.0", "127.0.0.1", "169.254.0.1", "224.0.0.1"),
    *("224.0.1.1", "255.255.255.255", "::ffff:10.0.0.1", "::", "::1", "fe80::1", "ff02::1", "ff05::2", "2001:db8::1"),
    *("2001:DB8::1", "2001:db8:0:0:0:0:0:1", "2001:db8::10.0.0.1", "fe80::1%eth0", "", "db.example.org", "db", "a.b."),
    *("Db.example.org", "a..b", "x" * 64 + ".org", "x" * 63 + ".org", "10.0.0.1.", "1.2", " 10.0.0.1", "64:ff9b::1"),
]
GENERATED = ["web-", "web--", "-", "a.-", "web", "A-", "x" * 254, "_-", "a-.-"]

names = st.sampled_from(NAMES)
rarely = st.integers(0, 5).map(lambda number: number == 0)


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A value, ``null``, or (as ``...``) nothing at all."""
    return st.one_of(st.just(...), st.none(), values)


def told(members: Json) -> Json:
    return {name: value for name, value in members.items() if value is not ...}


@st.composite
def owners(draw: st.DrawFn) -> Json:
    return told(
        {
            "apiVersion": draw(optional(st.sampled_from(["v1", "apps/v1", "", "a/b/c", "a/", "/v1"]))),
            "kind": draw(st.sampled_from(["Service", "Event", ""])),
            "name": draw(optional(names)),
            "uid": draw(st.sampled_from(["u", ""])),
            "controller": draw(optional(st.booleans())),
        }
    )


@st.composite
def metadata(draw: st.DrawFn) -> Json:
    labels = st.dictionaries(names, names, max_size=3)
    big = st.just({"big": "x" * (256 << 10)})
    members = {
        "name": draw(st.one_of(st.just("web"), names)),
        "generateName": draw(optional(st.sampled_from(GENERATED))) if draw(rarely) else ...,
        "namespace": draw(optional(names)) if draw(rarely) else ...,
        "labels": draw(optional(labels)) if draw(rarely) else ...,
        "annotations": draw(optional(st.one_of(labels, big))) if draw(rarely) else ...,
        "ownerReferences": draw(optional(st.lists(owners(), max_size=3))) if draw(rarely) else ...,
        "finalizers": draw(
            optional(st.lists(st.sampled_from([*NAMES, "orphan", "foregroundDeletion", "kubernetes"]), max_size=4))
        )
        if draw(rarely)
        else ...,
        "generation": draw(st.integers(-2, 2)) if draw(rarely) else ...,
    }
    return told(members)


@st.composite
def hints(draw: st.DrawFn) -> Json:
    listed = st.lists(st.builds(lambda name: told({"name": name}), st.one_of(st.just(...), names)), max_size=9)
    return told({"forZones": draw(optional(listed)), "forNodes": draw(optional(listed))})


@st.composite
def endpoints(draw: st.DrawFn) -> Json:
    many = draw(st.integers(0, 40)) == 0
    addresses = (
        ["10.0.0.1"] * draw(st.integers(99, 102)) if many else draw(st.lists(st.sampled_from(ADDRESSES), max_size=3))
    )
    members = {
        "addresses": addresses if draw(st.integers(0, 9)) else draw(st.sampled_from([..., None])),
        "conditions": draw(optional(st.just({"ready": True}))),
        "hostname": draw(optional(names)) if draw(rarely) else ...,
        "nodeName": draw(optional(names)) if draw(rarely) else ...,
        "zone": draw(optional(names)) if draw(rarely) else ...,
        "hints": draw(optional(hints())) if draw(rarely) else ...,
        "deprecatedTopology": draw(optional(st.dictionaries(names, names, max_size=2))) if draw(rarely) else ...,
    }
    return told(members)


@st.composite
def ports(draw: st.DrawFn) -> Json:
    members = {
        "name": draw(optional(st.one_of(st.sampled_from(["http", "dns"]), names))),
        "protocol": draw(optional(st.sampled_from(["TCP", "UDP", "SCTP", "tcp", "", "HTTP"]))),
        "port": draw(optional(st.sampled_from([80, 0, -1, 65536, 2147483647]))),
        "appProtocol": draw(optional(names)) if draw(rarely) else ...,
    }
    return told(members)


@st.composite
def submitted(draw: st.DrawFn) -> Json:
    """A slice that may be wrong in any field, in several at once, or nowhere."""
    listed: Any = draw(st.lists(endpoints(), max_size=4))
    size = draw(st.sampled_from([0] * 60 + [1000, 1001]))
    if size:
        listed = [{"addresses": ["10.0.0.1"]}] * size
    members = {
        "metadata": draw(metadata()),
        "addressType": draw(st.sampled_from(["IPv4"] * 6 + ["IPv6"] * 3 + ["FQDN"] * 3 + ["", "ipv4", None, ...])),
        "endpoints": listed if draw(st.integers(0, 19)) else draw(st.sampled_from([..., None])),
        "ports": draw(optional(st.lists(ports(), max_size=3))),
    }
    return told(members)
