"""What crosses between Python and the engine: types, pickles, threads, processes, memory."""

import copy
import datetime as dt
import json
import os
import pickle
import resource
import subprocess
import sys
import threading
from collections import UserDict, UserList
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes import client
from lightkube.models.discovery_v1 import Endpoint as LightEndpoint
from lightkube.models.meta_v1 import ObjectMeta as LightMeta
from lightkube.resources.discovery_v1 import EndpointSlice as LightSlice

import epcore
from strategies import TEMPLATE, Json

WANTED = [{"addresses": [f"10.0.{index // 200}.{index % 200 + 1}"], "x": index} for index in range(300)]
SLICES = epcore.pack(WANTED, template=TEMPLATE, naming="deterministic").result()
TEXT = SLICES.to_json()


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview, lambda text: text.decode()])
def test_json_may_be_any_kind_of_bytes_or_text(form: Any) -> None:
    assert epcore.SliceSet.from_json(form(TEXT)) == SLICES


def test_a_memoryview_may_have_gaps_and_other_formats_are_a_type_error() -> None:
    spread = bytearray(2 * len(TEXT))
    spread[::2] = TEXT
    assert epcore.SliceSet.from_json(memoryview(spread)[::2]) == SLICES
    with pytest.raises((TypeError, BufferError)):
        epcore.SliceSet.from_json(memoryview(bytes(8)).cast("d"))  # type: ignore[arg-type]


def test_mappings_and_sequences_of_any_class_are_taken() -> None:
    class Own(Mapping[str, Any]):
        def __getitem__(self, name: str) -> Any:
            return {"addressType": "IPv4", "endpoints": UserList([UserDict({"addresses": ("10.0.0.1",)})])}[name]

        def __iter__(self) -> Any:
            return iter(("addressType", "endpoints"))

        def __len__(self) -> int:
            return 2

    assert epcore.SliceSet.from_objects((Own(),))[0].endpoints[0].addresses == ["10.0.0.1"]


NAMES = st.sampled_from(["ready", "kind", '"', "\\", "é" * 9, "a-name-of-more-than-sixteen-bytes"]) | st.text(
    max_size=20
)
MEMBERS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=30,
)


@given(st.lists(st.dictionaries(NAMES, MEMBERS, max_size=4), min_size=1, max_size=30))
def test_dicts_are_what_their_json_is(members: list[Json]) -> None:
    endpoints = [{"addresses": ["10.0.0.1"], "x-own": one} for one in members]
    assert epcore.EndpointSet.from_objects(endpoints) == epcore.EndpointSet.from_json(json.dumps(endpoints))


def test_models_of_the_official_client_are_taken_as_they_are() -> None:
    model = client.V1EndpointSlice(
        address_type="IPv4",
        metadata=client.V1ObjectMeta(name="web-1", creation_timestamp=dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
        endpoints=[
            client.V1Endpoint(
                addresses=["10.0.0.1"],
                node_name="n",
                conditions=client.V1EndpointConditions(ready=False),
                target_ref=client.V1ObjectReference(kind="Pod", name="p", uid="u"),
            )
        ],
        ports=[client.DiscoveryV1EndpointPort(name="http", port=80, app_protocol="http")],
    )
    for form in (model, [model], client.V1EndpointSliceList(items=[model])):
        read = epcore.SliceSet.from_objects(form)[0].to_dict()
        assert read["metadata"]["creationTimestamp"] == "2026-01-02T03:04:05Z"
        assert read["endpoints"] == [
            {
                "addresses": ["10.0.0.1"],
                "conditions": {"ready": False},
                "targetRef": {"kind": "Pod", "name": "p", "uid": "u"},
                "nodeName": "n",
            }
        ]
        assert read["ports"] == [{"name": "http", "protocol": "TCP", "port": 80, "appProtocol": "http"}]
    with pytest.raises(epcore.InvalidInputError, match="snake_case"):
        epcore.SliceSet.from_objects(model.to_dict())


def test_models_of_lightkube_are_taken_as_they_are() -> None:
    model = LightSlice(
        addressType="IPv4", metadata=LightMeta(name="a"), endpoints=[LightEndpoint(addresses=["10.0.0.1"])], ports=[]
    )
    assert epcore.SliceSet.from_objects([model])[0].endpoints[0].addresses == ["10.0.0.1"]


VALUES = [
    SLICES,
    SLICES.refresh(SLICES[1:].to_json()),
    SLICES[0],
    SLICES[0].endpoints,
    SLICES[0].endpoints[7],
    epcore.Policy(threshold=0.5),
    epcore.Policy(write=1, byte=0.25, watchers=7, slice=3),
    epcore.Compaction(epsilon=0.5, max_moves=3, order="make-break-touch"),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_are_equal_after_a_pickle_and_a_copy(value: Any) -> None:
    for other in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
        assert other == value
        assert type(other) is type(value)
    assert value != 7
    assert repr(value)


def test_errors_survive_a_pickle_with_their_place() -> None:
    for error in (epcore.InvalidInputError("m", "a.b", 3), epcore.LimitError("m", 1, 2, "a", None)):
        other = pickle.loads(pickle.dumps(error))
        assert (str(other), other.path, other.offset) == (str(error), error.path, error.offset)
        assert isinstance(other, ValueError)
        assert isinstance(other, epcore.EpcoreError)


def test_handles_are_sequences_with_bounds() -> None:
    handles: list[Any] = [SLICES, SLICES[0].endpoints]
    for handle in handles:
        assert isinstance(handle, Sequence)
        assert len(list(handle)) == len(handle)
        assert handle[-1] == handle[len(handle) - 1]
        assert list(handle[::-1]) == list(reversed(list(handle)))
        for index in (len(handle), -len(handle) - 1, 2**62):
            with pytest.raises(IndexError):
                handle[index]
        with pytest.raises(TypeError):
            handle["a"]  # type: ignore[call-overload]


def test_handles_are_taken_wherever_bytes_are() -> None:
    assert not epcore.pack(epcore.EndpointSet.from_objects(WANTED), SLICES)
    assert not epcore.pack(SLICES, list(SLICES))
    assert not epcore.diff(SLICES, TEXT)
    assert not epcore.diff(SLICES[0], [SLICES[0].to_dict()])


def work() -> list[bytes]:
    wanted = epcore.EndpointSet.from_objects(WANTED[10:])
    plan = epcore.pack(wanted, SLICES, template=TEMPLATE)
    return [plan.to_json(), epcore.diff(SLICES, plan.result()).to_json()]


def test_threads_on_one_handle_find_the_same() -> None:
    expected = work()
    found: list[list[bytes]] = []
    threads = [threading.Thread(target=lambda: found.extend(work() for _ in range(20))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 160


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_finds_the_same() -> None:
    expected = work()
    child = os.fork()
    if child == 0:
        os._exit(0 if work() == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_second_interpreter_of_a_process_is_refused() -> None:
    program = """
import sys
try:
    import _interpreters as interpreters
    other = interpreters.create("legacy")
except ImportError:
    import _xxsubinterpreters as interpreters
    other = interpreters.create(isolated=False)
import epcore
interpreters.run_string(other, "try: import epcore\\nexcept ImportError as error: print(error, flush=True)")
for name in [name for name in sys.modules if name.startswith("epcore")]:
    del sys.modules[name]
import epcore
"""
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, check=True, text=True)
    assert ran.stdout == "epcore can be in one interpreter of a process, and is in another\n"


def test_the_hash_seed_does_not_show() -> None:
    program = "import test_boundary, hashlib; print(hashlib.sha256(b''.join(test_boundary.work())).hexdigest())"
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parent)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(found) == 1


def test_ten_thousand_calls_leave_no_memory_behind() -> None:
    wanted: list[Json] = WANTED[:20]
    existing = epcore.pack(wanted, template=TEMPLATE, naming="deterministic").result().to_json()

    def round_of_calls() -> int:
        for index in range(2_500):
            plan = epcore.pack(wanted[1:], existing)
            epcore.diff(existing, plan.result()).to_dict()
            if index % 10 == 0:
                with pytest.raises(epcore.InvalidInputError):
                    epcore.SliceSet.from_json(existing[:-2])
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    round_of_calls()
    before = round_of_calls()
    round_of_calls()
    assert round_of_calls() - before < 2_048, "KiB"


def test_ten_thousand_calls_of_a_view_leave_no_memory_behind() -> None:
    slices: list[Any] = list(epcore.pack(WANTED[:150], template=TEMPLATE, naming="deterministic").result().to_dicts())
    other: list[Any] = deepcopy(slices)
    other[0]["endpoints"][7]["conditions"] = {"ready": False}
    states = [epcore.SliceSet.from_objects(state).to_json() for state in (slices, other, other[1:])]
    events = [{"type": kind, "object": other[0]} for kind in ("MODIFIED", "DELETED")]
    view = epcore.View()

    def round_of_calls() -> int:
        for index in range(2_500):
            view.feed_list(states[index % 3])
            view.checkout().to_dict()
            view.feed(events[index % 2])
            assert len(view.checkout()) in (0, 1, 50, 100)
            if index % 10 == 0:
                with pytest.raises(epcore.InvalidInputError):
                    view.feed_list(states[0][:-2])
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    round_of_calls()
    before = round_of_calls()
    round_of_calls()
    assert round_of_calls() - before < 2_048, "KiB"


def test_ten_thousand_calls_of_a_packer_leave_no_memory_behind() -> None:
    packer = epcore.Packer()
    packer.replace(
        [{"metadata": {"name": "db", "namespace": "shop"}, "spec": {"ports": [{"port": 5432}]}}], kind="Service"
    )
    packer.publish("db", WANTED[:150], namespace="shop")

    def settle() -> None:
        for number, write in enumerate(packer.plan("db", namespace="shop").writes):
            sent: Any = write.to_dict()
            sent["metadata"]["name"] = write.name or f"db-{number}"
            packer.answer(write, "accepted", sent)

    def round_of_calls() -> int:
        for index in range(2_500):
            told = {**WANTED[index % 150], "zone": f"zone-{index % 7}"}
            packer.upsert("db", [told], namespace="shop")
            settle()
            if index % 10 == 0:
                packer.remove("db", [told], namespace="shop")
                settle()
                with pytest.raises(epcore.InvalidInputError):
                    packer.upsert("db", [{"addresses": ["10.0.0.1"], "zone": 7}], namespace="shop")
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    settle()
    round_of_calls()
    before = round_of_calls()
    round_of_calls()
    assert round_of_calls() - before < 2_048, "KiB"
    assert packer.dirty == packer.waiting == []


ASK_MEANWHILE = """
from threading import Thread
import epcore

packer = epcore.Packer()
packer.replace([{"metadata": {"name": "db", "namespace": "shop"}, "spec": {"ports": [{"port": 5432}]}}], kind="Service")
endpoints = b",".join(b'"10.%d.%d.%d"' % (n >> 16, n >> 8 & 255, n & 255) for n in range(1, 400_001))
packer.publish("db", b"[%s]" % endpoints, namespace="shop")
plans = []
thread = Thread(target=lambda: plans.append(packer.plan("db", namespace="shop")))
thread.start()
while thread.is_alive():
    assert packer.dirty == [("shop", "db")]
assert len(plans[0]) == 4_000
"""


ASK_A_VIEW_MEANWHILE = """
from threading import Thread
import epcore

view = epcore.View()
for number in range(40):
    addresses = range(number << 14, number + 1 << 14)
    endpoints = b",".join(b'{"addresses":["10.%d.%d.%d"]}' % (n >> 16, n >> 8 & 255, n & 255) for n in addresses)
    wanted = epcore.EndpointSet.from_json(b"[%s]" % endpoints)
    template = {"metadata": {"generateName": f"w{number}-"}, "addressType": "IPv4", "endpoints": [], "ports": []}
    view.feed(epcore.pack(wanted, template=template, naming="deterministic").result())
thread = Thread(target=view.checkout)
thread.start()
while thread.is_alive():
    assert view.resource_version is None
"""


TRACK_MEANWHILE = """
from threading import Thread
import epcore

endpoints = [{"addresses": [f"10.0.0.{n}"]} for n in range(200)]
slice_ = {"metadata": {"name": "a", "generation": 1}, "addressType": "IPv4", "endpoints": endpoints, "ports": []}
tracker = epcore.SliceTracker()
for call in (tracker.update, tracker.expect_deletion):
    threads = [Thread(target=lambda: [call(slice_) for _ in range(300)]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

class Asks:
    def to_dict(self):
        tracker.update(slice_)
        return slice_

tracker.update(Asks())
tracker.expect_deletion(Asks())
"""


@pytest.mark.parametrize("script", [ASK_MEANWHILE, ASK_A_VIEW_MEANWHILE, TRACK_MEANWHILE])
def test_threads_may_ask_while_another_works_for_long(script: str) -> None:
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_no_python_object_is_made_for_an_endpoint_read_from_bytes() -> None:
    def blocks(count: int) -> int:
        wanted = [
            {"addresses": [f"10.{index >> 16}.{index >> 8 & 255}.{index & 255}"]} for index in range(1, count + 1)
        ]
        text = epcore.EndpointSet.from_objects(wanted).to_json()
        existing = epcore.pack(text, template=TEMPLATE, naming="deterministic").result().to_json()
        before = sys.getallocatedblocks()
        plan = epcore.pack(text, existing, template=TEMPLATE)
        delta = epcore.diff(existing, plan.result())
        held = sys.getallocatedblocks() - before
        assert not plan
        assert not delta
        return held

    blocks(10)
    assert abs(blocks(20_000) - blocks(100)) < 20
