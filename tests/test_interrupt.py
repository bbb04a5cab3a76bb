"""Ctrl-C ends a long call, and nothing is half done then.

Time is that of the processor, so that a busy machine does not matter.
"""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from inspect import getclosurevars
from typing import Any, Self

import pytest

import epcore
from signals import signalled_after

LONG = 1.0
"""Seconds of a call that is worth ending."""


def document(service: str) -> bytes:
    """20,000 endpoints of one Service."""
    slices = []
    for number in range(200):
        endpoints = b",".join(b'{"addresses":["10.0.%d.%d"]}' % (number, last) for last in range(100))
        head = f'{{"metadata":{{"name":"{service}-{number}","labels":{{"kubernetes.io/service-name":"{service}"}}}},'
        slices.append(head.encode() + b'"addressType":"IPv4","ports":[{"port":80}],"endpoints":[%s]}' % endpoints)
    return b"[%s]" % b",".join(slices)


def interrupted_after(seconds: float) -> AbstractContextManager[None]:
    """Raise in this thread, as Ctrl-C does, when the process has worked for so long."""
    return signalled_after(seconds, signal.default_int_handler)


def seconds_of(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def long_call(make: Callable[[int], Callable[[], object]]) -> tuple[Callable[[], object], float]:
    """Make the input larger until the call takes long; with the seconds that it takes."""
    for services in (8, 16, 32, 64, 128, 256):
        seconds = seconds_of(make(services))
        if seconds >= LONG:
            return make(services), seconds
    raise AssertionError("no call takes long")


def slices_of(services: int) -> epcore.SliceSet:
    return epcore.SliceSet.from_pages(document(f"web-{number}") for number in range(services))


def a_diff(services: int) -> Callable[[], object]:
    slices = slices_of(services)
    return lambda: epcore.diff(b"[]", slices, key="address")


def a_checkout(services: int) -> Callable[[], object]:
    view = epcore.View()
    view.feed_list(slices_of(services))
    return view.checkout


def a_list(services: int) -> Callable[[], object]:
    slices, view = slices_of(services), epcore.View()

    def feed() -> bool:
        view.feed_list(slices)
        return len(view.slices()) == len(slices)

    return feed


def wanted_of(services: int, block: int = 10) -> bytes:
    """20,000 endpoints for each."""
    numbers = range(1, 20_000 * services + 1)
    one = b'{"addresses":["%d.%d.%d.%d"]}'
    return b"[%s]" % b",".join(one % (block, n >> 16, n >> 8 & 255, n & 255) for n in numbers)


SERVICE = {"metadata": {"name": "db", "namespace": "shop"}, "spec": {"ports": [{"port": 80}]}}


def a_pack(services: int) -> Callable[[], object]:
    template = {"metadata": {"generateName": "web-"}, "addressType": "IPv4", "endpoints": [], "ports": []}
    others = epcore.pack(wanted_of(services, 11), template=template, naming="deterministic").result()
    # Each call has a handle of its own, in which nothing is known yet.
    handles = iter([epcore.EndpointSet.from_json(wanted_of(services)) for _ in range(3)])
    return lambda: epcore.pack(next(handles), others, template=template)


def a_publish(services: int) -> Callable[[], object]:
    options: Any = {"managed_by": "db-sync", "naming": "deterministic"}
    others = epcore.publish(SERVICE, wanted_of(services, 11), **options).result()
    endpoints = epcore.EndpointSet.from_json(wanted_of(services))
    return lambda: epcore.publish(SERVICE, endpoints, others, **options)


def a_packer(services: int) -> Callable[[], object]:
    packer = epcore.Packer()
    packer.replace([SERVICE], kind="Service")
    packer.publish("db", wanted_of(services), namespace="shop")
    return lambda: packer.plan("db", namespace="shop")


def a_lint(services: int) -> Callable[[], object]:
    slices = b"[%s]" % b",".join(document(f"web-{number}")[1:-1] for number in range(services))
    return lambda: epcore.lint(slices)


def dicts(services: int) -> Callable[[], object]:
    # The same ones again and again: they are read each time.
    slices = json.loads(document("web")) * (8 * services)
    return lambda: epcore.SliceSet.from_objects(slices)


def telling(services: int) -> Callable[[], object]:
    packer = epcore.Packer()
    endpoints = epcore.EndpointSet.from_json(wanted_of(services))

    def tell() -> bool:
        packer.publish("db", endpoints, namespace="shop")
        return True

    return tell


@pytest.mark.parametrize("make", [a_diff, a_checkout, a_list, a_pack, a_publish, a_packer, telling, a_lint, dicts])
def test_a_signal_ends_a_long_call(make: Callable[[int], Callable[[], object]]) -> None:
    call, seconds = long_call(make)
    start = time.process_time()
    with pytest.raises(KeyboardInterrupt), interrupted_after(0.05):
        call()
    assert time.process_time() - start < seconds / 2
    # And the same call works as if nothing had been.
    assert call()


def test_changes_are_told_later_where_a_signal_ends_their_checkout() -> None:
    call, _ = long_call(a_checkout)
    view = call.__self__  # type: ignore[attr-defined]
    one = {"metadata": {"name": "new"}, "addressType": "IPv4", "endpoints": [{"addresses": ["10.9.9.9"]}]}
    with pytest.raises(KeyboardInterrupt), interrupted_after(0.05):
        view.apply(one)
    assert view.pending
    assert len(view.checkout().added) == 100 * (len(view) - 1) + 1


@pytest.mark.parametrize("make", [a_checkout, a_packer])
def test_a_signal_handler_that_asks_what_is_at_work_is_refused(make: Callable[[int], Callable[[], object]]) -> None:
    call, _ = long_call(make)
    engine = getattr(call, "__self__", None) or getclosurevars(call).nonlocals["packer"]

    def ask(*_: object) -> None:
        repr(engine)

    with pytest.raises(RuntimeError, match="signal handler"), signalled_after(0.05, ask):
        call()
    assert "<" in repr(engine)
    assert call()


def test_a_page_is_read_at_a_time() -> None:
    alive: list[str] = []

    class Page(str):
        __slots__ = ()

        def __new__(cls, text: str) -> Self:
            alive.append(text)
            return super().__new__(cls, text)

        def __del__(self) -> None:
            alive.pop()

    def pages() -> Iterator[str]:
        for number in range(5):
            assert not alive
            yield Page(document(f"web-{number}").decode())

    slices = epcore.SliceSet.from_pages(pages())
    assert len(slices) == 1_000
    assert slices == epcore.SliceSet.from_json(b"".join(document(f"web-{number}") for number in range(5)))


@pytest.mark.parametrize("form", [bytes, list, epcore.SliceSet])
def test_pages_may_be_in_any_form(form: Any) -> None:
    one = {"addressType": "IPv4", "endpoints": [], "ports": []}
    forms: dict[Any, Any] = {bytes: b'{"addressType":"IPv4","endpoints":[],"ports":[]}', list: [one]}
    page = forms.get(form) or epcore.SliceSet.from_objects(one)
    assert epcore.SliceSet.from_pages([page, page]) == epcore.SliceSet.from_objects([one, one])
    assert epcore.SliceSet.from_pages([]) == epcore.SliceSet.from_objects([])


def test_an_error_tells_the_page_and_the_place_in_it() -> None:
    with pytest.raises(epcore.InvalidInputError) as caught:
        epcore.SliceSet.from_pages([document("web"), b'[{"addressType":"IPv7"}]'])
    assert (caught.value.path, caught.value.offset) == ("slices[0].addressType", 16)
    assert caught.value.__notes__ == ["in page 1 of the list"]


def test_what_the_pages_raise_is_raised() -> None:
    def pages() -> Iterator[bytes]:
        yield document("web")
        raise ConnectionError("the server went away")

    with pytest.raises(ConnectionError, match="went away"):
        epcore.SliceSet.from_pages(pages())
    with pytest.raises(TypeError):
        epcore.SliceSet.from_pages(7)  # type: ignore[arg-type]
