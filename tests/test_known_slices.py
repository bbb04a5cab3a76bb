"""What is known of slices never shows in the plans of ``reconcile`` and ``mirror`` either."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

import epcore
from test_known_handles import ALL_SLICE_EDITS, COUNT, MOST, Edit, Json, foreign, outcome

NODES: list[Json] = [
    {
        "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": name}},
        "status": {"allocatable": {"cpu": "4"}, "conditions": [{"type": "Ready", "status": "True"}]},
    }
    for name in "nm"
]
SERVICE: Json = {
    "metadata": {"name": "db", "namespace": "shop", "uid": "u-db", "labels": {"team": "storage"}},
    "spec": {
        "selector": {"app": "db"},
        "clusterIP": "10.96.0.9",
        "ipFamilies": ["IPv4"],
        "ports": [{"name": "sql", "port": 5432}],
    },
}
WITHOUT_SELECTOR: Json = {**SERVICE, "spec": {"clusterIP": "10.96.0.9"}}


def pod(number: int) -> Json:
    return {
        "metadata": {"name": f"db-{number:02}", "namespace": "shop", "uid": f"u-{number}", "labels": {"app": "db"}},
        "spec": {"nodeName": "n", "containers": []},
        "status": {
            "phase": "Running",
            "podIPs": [{"ip": f"10.0.0.{number + 1}"}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


PODS = [pod(number) for number in range(COUNT)]
ENDPOINTS: Json = {
    "metadata": {"name": "db", "namespace": "shop", "uid": "u-ep", "labels": {"a": "b"}, "annotations": {"note": "x"}},
    "subsets": [
        {
            "addresses": [{"ip": f"10.0.0.{number + 1}", "hostname": f"h-{number}"} for number in range(COUNT)],
            "ports": [{"name": "sql", "port": 5432}],
        }
    ],
}


def reconcile(given: Json, slices: Any, **options: Any) -> epcore.Plan:
    return epcore.reconcile(given["service"], given["pods"], NODES, slices, max_endpoints=MOST, **options)


def mirror(given: Json, slices: Any, **options: Any) -> epcore.Plan:
    return epcore.mirror(WITHOUT_SELECTOR, given["endpoints"], slices, **{"max_endpoints": MOST, **options})


Call = Callable[..., epcore.Plan]
CALLS: dict[str, tuple[Call, Json]] = {
    "reconcile": (reconcile, {"service": SERVICE, "pods": PODS}),
    "mirror": (mirror, {"endpoints": ENDPOINTS}),
}


def slices_of(call: Call, given: Json) -> list[Json]:
    found: list[Json] = [copy.deepcopy(dict(one)) for one in call(given, ()).result().to_dicts()]
    for number, one in enumerate(found):
        one["metadata"] |= {"name": f"db-{number}", "resourceVersion": str(number + 1)}
    return found


HELD = {name: slices_of(call, given) for name, (call, given) in CALLS.items()}


def in_halves(given: Json) -> Json:
    """The same Endpoints in more subsets: now no list has all addresses."""
    if "endpoints" not in given:
        return given
    subsets = []
    for subset in given["endpoints"]["subsets"]:
        addresses = subset["addresses"]
        subsets += [
            {**subset, "addresses": addresses[:7], "notReadyAddresses": []},
            {**subset, "addresses": addresses[7:]},
        ]
    return {"endpoints": {**given["endpoints"], "subsets": subsets}}


def as_handle(given: Json) -> Json:
    if "endpoints" not in given:
        return given
    return {"endpoints": epcore.LegacyEndpoints.from_object(given["endpoints"])}


def planned(name: str, given: Json, slices: list[Json], **options: Any) -> bool:
    """True if there is something to write: by handles, whatever they were asked before, as plainly."""
    call, _ = CALLS[name]
    plainly = outcome(lambda: call(in_halves(given), foreign(slices), **options))
    handle, known = as_handle(given), epcore.SliceSet.from_objects(slices)
    assert [outcome(lambda: call(handle, known, **options)) for _ in range(3)] == [plainly] * 3
    return bool(call(handle, known, **options))


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("edit", ALL_SLICE_EDITS)
def test_a_change_of_one_slice_or_of_all_is_seen(name: str, edit: str) -> None:
    given = CALLS[name][1]
    assert not planned(name, given, HELD[name])
    for place in range(len(HELD[name])):
        slices = copy.deepcopy(HELD[name])
        ALL_SLICE_EDITS[edit](slices[place])
        planned(name, given, slices)
    slices = copy.deepcopy(HELD[name])
    for one in slices:
        ALL_SLICE_EDITS[edit](one)
    planned(name, given, slices)


def of_subset(given: Json) -> Json:
    found: Json = given["endpoints"]["subsets"][0]
    return found


EDITS: dict[str, tuple[str, Edit]] = {
    "a Pod is not ready": ("reconcile", lambda given: given["pods"][7]["status"]["conditions"].clear()),
    "a Pod goes": ("reconcile", lambda given: given["pods"].pop()),
    "a Pod comes": ("reconcile", lambda given: given["pods"].append(pod(COUNT))),
    "all Pods go": ("reconcile", lambda given: given["pods"].clear()),
    "a Pod moves": ("reconcile", lambda given: given["pods"][7]["status"].update(podIPs=[{"ip": "10.9.9.9"}])),
    "a port": ("reconcile", lambda given: given["service"]["spec"]["ports"][0].update(port=5433)),
    "a label": ("reconcile", lambda given: given["service"]["metadata"]["labels"].update(team="other")),
    "headless": ("reconcile", lambda given: given["service"]["spec"].update(clusterIP="None")),
    "owner": ("reconcile", lambda given: given["service"]["metadata"].update(uid="other")),
    "families": ("reconcile", lambda given: given["service"]["spec"].update(ipFamilies=["IPv6"])),
    "hints": ("reconcile", lambda given: given["service"]["spec"].update(trafficDistribution="PreferClose")),
    "hints by CPU": (
        "reconcile",
        lambda given: given["service"]["metadata"].update(annotations={"service.kubernetes.io/topology-mode": "Auto"}),
    ),
    "an address goes": ("mirror", lambda given: of_subset(given)["addresses"].pop()),
    "a host name": ("mirror", lambda given: of_subset(given)["addresses"][3].update(hostname="x")),
    "a port of Endpoints": ("mirror", lambda given: of_subset(given)["ports"][0].update(port=5433)),
    "a node": ("mirror", lambda given: of_subset(given)["addresses"][3].update(nodeName="n")),
    "a target": (
        "mirror",
        lambda given: of_subset(given)["addresses"][3].update(targetRef={"kind": "VM", "name": "x"}),
    ),
    "an address of the other family": (
        "mirror",
        lambda given: of_subset(given)["addresses"][3].update(ip="2001:db8::1"),
    ),
    "an address that is none": ("mirror", lambda given: of_subset(given)["addresses"][3].update(ip="127.0.0.1")),
    "an address that is not ready": (
        "mirror",
        lambda given: of_subset(given).update(notReadyAddresses=[of_subset(given)["addresses"].pop(3)]),
    ),
    "an address of two targets": (
        "mirror",
        lambda given: of_subset(given)["addresses"].append(
            {"ip": "10.0.0.1", "targetRef": {"kind": "VM", "name": "x", "uid": "x"}}
        ),
    ),
    "two numbers of one name": (
        "mirror",
        lambda given: given["endpoints"]["subsets"].append(
            {**of_subset(given), "ports": [{"name": "sql", "port": 5433}]}
        ),
    ),
    "one more port": ("mirror", lambda given: of_subset(given)["ports"].append({"name": "admin", "port": 80})),
    "no port of Endpoints": ("mirror", lambda given: of_subset(given)["ports"].clear()),
    "a label of Endpoints": ("mirror", lambda given: given["endpoints"]["metadata"]["labels"].update(a="c")),
    "an annotation of Endpoints": ("mirror", lambda given: given["endpoints"]["metadata"].update(annotations={})),
    "owner of Endpoints": ("mirror", lambda given: given["endpoints"]["metadata"].update(uid="other")),
}


@pytest.mark.parametrize("policy", ["balanced", "upstream", "lifecycle"])
@pytest.mark.parametrize("edit", EDITS)
def test_a_change_of_what_is_wanted_is_seen(edit: str, policy: Any) -> None:
    name, change = EDITS[edit]
    given = copy.deepcopy(CALLS[name][1])
    change(given)
    # Kubernetes leaves this label out of the comparison.
    assert planned(name, given, HELD[name], policy=policy) or (edit, policy) == ("headless", "upstream")


def test_an_address_that_is_there_twice_is_there_once_whichever_is_first() -> None:
    given = copy.deepcopy(CALLS["mirror"][1])
    twice = [{"ip": "10.0.0.5", "hostname": "h-4"}, {"ip": "10.0.0.5", "hostname": "other"}]
    for addresses in ([*twice, *of_subset(given)["addresses"]], [*of_subset(given)["addresses"], *twice]):
        of_subset(given)["addresses"] = addresses
        planned("mirror", given, HELD["mirror"])
        planned("mirror", given, HELD["mirror"], policy="upstream")


@pytest.mark.parametrize("edit", [{"hostname": "-"}, {"nodeName": "-"}, {"nodeName": "N"}])
def test_endpoints_that_no_slice_may_hold_are_refused_each_time(edit: Json) -> None:
    given = copy.deepcopy(CALLS["mirror"][1])
    of_subset(given)["addresses"][44].update(edit)
    handle, slices = as_handle(given), epcore.SliceSet.from_objects(HELD["mirror"])
    first, *others = [outcome(lambda: mirror(handle, slices)) for _ in range(3)]
    assert others == [first] * 2
    assert first[2] == f"endpoints.subsets[0].addresses[44].{next(iter(edit))}"


def test_that_hints_by_cpu_are_no_longer_asked_for_is_told_each_time() -> None:
    slices = epcore.SliceSet.from_objects(HELD["reconcile"])
    given = CALLS["reconcile"][1]
    for _ in range(3):
        plan = reconcile(given, slices, hints={"populated": True, "zones": {"IPv4": {"a": 3}}})
        assert not plan
        assert [event["reason"] for event in plan.events] == ["TopologyAwareHintsDisabled"]
        assert plan.hints == {"populated": False, "zones": {}}
