"""One watcher of slices, as each node has one: what it is sent, and when it knows what."""

import threading
import time
from collections import defaultdict
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Self, TypeAlias

import urllib3

import epcore
from cluster.api import Api

State: TypeAlias = tuple[bool, bool, bool] | None
"""Ready, serving, terminating; ``None`` for an endpoint that no slice has."""
PROTOBUF = "application/vnd.kubernetes.protobuf;stream=watch"
BROKEN = (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError)
"""How reading ends where another thread closes the connection."""


@dataclass
class Sent:
    """What was sent to the watcher."""

    events: int = 0
    bytes: int = 0
    """As JSON."""
    protobuf: int = 0
    """As the protobuf that kube-proxy asks for, with the frames."""
    moved: int = 0
    """Endpoints that take traffic and were sent in another slice than before."""


class Observer:
    """Watches the slices of a namespace while the block lasts, from what is there at its begin.

    :param labels: a selector; of slices that several controllers write, those of one.
    """

    def __init__(self, api: Api, namespace: str, labels: str = "") -> None:
        self._api, self._namespace, self._labels = api, namespace, labels
        self._view = epcore.View(key="target", fields="all")
        self.sent = Sent()
        self.seen: dict[str, list[tuple[float, State]]] = defaultdict(list)
        """What was known of each Pod, and since when."""
        self.last = time.monotonic()
        """When something came last."""
        self._threads: list[threading.Thread] = []
        self._answers: list[urllib3.BaseHTTPResponse] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for form, follow in (("application/json", self._follow), (PROTOBUF, self._count)):
            answer = self._stack.enter_context(
                self._api.watching("endpointslices", self._namespace, labels=self._labels, form=form)
            )
            self._answers.append(answer)
            thread = threading.Thread(target=follow, args=(answer,))
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        for answer in self._answers:
            # Closing it would wait for the thread that reads.
            answer.shutdown()
        for thread in self._threads:
            thread.join()
        self._stack.close()

    def states(self) -> dict[str, State]:
        """What is known of each Pod now."""
        # A list may be empty for the moment in which the other thread makes it.
        return {name: told[-1][1] for name, told in list(self.seen.items()) if told and told[-1][1] is not None}

    def delay(self, pod: str, wanted: State, since: float) -> float | None:
        """Seconds from a moment until the watcher knew a state of a Pod; ``None`` if it never did."""
        told = self.seen.get(pod, [])
        before = [state for moment, state in told if moment < since]
        if (before[-1] if before else None) == wanted:
            return 0.0
        return next((moment - since for moment, state in told if moment >= since and state == wanted), None)

    def _follow(self, answer: urllib3.BaseHTTPResponse) -> None:
        rest = b""
        with suppress(*BROKEN):
            for chunk in answer.stream(1 << 16):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._take(line, time.monotonic())

    def _take(self, line: bytes, now: float) -> None:
        if b'"type":"BOOKMARK"' in line[:20]:
            return
        delta = self._view.apply(line)
        for change in (*delta.added, *delta.updated):
            assert change.after is not None
            after = change.after
            self.seen[after.target_name or ""].append((now, _state(after)))
        for change in delta.removed:
            assert change.before is not None
            self.seen[change.before.target_name or ""].append((now, None))
        for change in (*delta.moved, *delta.updated):
            is_live = change.before is not None and bool(change.before.ready)
            self.sent.moved += is_live and change.slice_before != change.slice_after
        self.sent.bytes += len(line) + 1
        self.sent.events += 1
        self.last = now

    def _count(self, answer: urllib3.BaseHTTPResponse) -> None:
        with suppress(*BROKEN):
            for chunk in answer.stream(1 << 16):
                self.sent.protobuf += len(chunk)


def _state(endpoint: epcore.Endpoint) -> State:
    return bool(endpoint.ready), bool(endpoint.serving), bool(endpoint.terminating)


@dataclass
class Delays:
    """Seconds from a change of a Pod until a watcher knew it."""

    seconds: list[float] = field(default_factory=list)

    def quantile(self, part: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0
