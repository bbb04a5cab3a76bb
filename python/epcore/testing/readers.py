"""Models of the books that readers of slices keep.

Each takes one slice after the other, as it is now, and says whom it would send the traffic of an address to. What they
do was read in the sources of the programs and measured with the programs themselves.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from epcore import EndpointSlice


class Key(NamedTuple):
    """Where traffic goes: one port of a Service, one address."""

    namespace: str
    service: str
    port_name: str
    protocol: str
    address: str
    port: int | None

    def __str__(self) -> str:
        """Write it as :attr:`epcore.Change.key` does."""
        port = "*" if self.port is None else self.port
        where = f"{self.namespace}/{self.service} {self.address}"
        return f"{where} {self.port_name} {self.protocol} {port}"


class Entry(NamedTuple):
    """Who is there."""

    target: str
    """Namespace and name of what the address belongs to; the address itself where the slice does not say."""
    ready: bool
    terminating: bool


class SliceState(NamedTuple):
    """What a slice says, as far as readers of traffic care."""

    name: tuple[str, str]
    """Namespace and name."""
    service: tuple[str, str]
    """Namespace and name of its Service, by its label."""
    entries: "Mapping[Key, Entry]"

    @classmethod
    def of(cls, slice_: "EndpointSlice", name: str | None = None) -> "SliceState":
        """Read a slice; ``name`` is for one that the API server has not named yet."""
        namespace, service = slice_.namespace or "", slice_.service or ""
        content = slice_.to_dict()
        entries: dict[Key, Entry] = {}
        for endpoint in content.get("endpoints") or ():
            conditions, target = endpoint.get("conditions") or {}, endpoint.get("targetRef") or {}
            address = endpoint["addresses"][0]
            entry = Entry(
                target=f"{target.get('namespace', '')}/{target['name']}" if target.get("name") else address,
                ready=conditions.get("ready") is not False,
                terminating=bool(conditions.get("terminating")),
            )
            for port in content.get("ports") or ():
                words = port.get("name") or "", port.get("protocol") or "TCP"
                key = Key(namespace, service, *words, address, port.get("port"))
                # The API lets one slice say an address twice: who is not terminating counts.
                if key not in entries or entries[key].terminating:
                    entries[key] = entry
        return cls((namespace, name or slice_.name or ""), (namespace, service), entries)


class Reader(ABC):
    """Somebody who follows slices."""

    programs: ClassVar[str]
    """Who keeps books in this way."""

    @abstractmethod
    def see(self, before: SliceState | None, after: SliceState | None) -> None:
        """Take one event: a slice as it was last seen, and as it is; ``None`` where it is not there."""

    def see_together(self, events: "Sequence[tuple[SliceState | None, SliceState | None]]") -> None:
        """Take events that came so close to one another that the reader handles them as one."""
        for before, after in events:
            self.see(before, after)

    @abstractmethod
    def get(self, key: Key) -> Entry | None:
        """Tell whom it would send traffic for an address to, if to anybody."""

    @abstractmethod
    def held(self) -> "Iterator[Key]":
        """Yield everything that it would send traffic to."""


class SliceUnion(Reader):
    """The union of all slices of a Service, by Service and slice; of two entries one that is not terminating counts.

    The right way, but for one thing: a slice whose Service changes stays with the old one too.
    """

    programs = "kube-proxy, CoreDNS, Prometheus"

    def __init__(self) -> None:
        self._entries: dict[Key, dict[tuple[tuple[str, str], tuple[str, str]], Entry]] = {}

    def see(self, before: SliceState | None, after: SliceState | None) -> None:
        """Take one event."""
        # What it was is looked up under the Service that the slice has now.
        known = after or before
        if known is None:
            return
        place = known.service, known.name
        if before is not None and before.service == known.service:
            for key in before.entries:
                if after is None or key not in after.entries:
                    holders = self._entries.get(key, {})
                    holders.pop(place, None)
                    if not holders:
                        self._entries.pop(key, None)
        if after is not None:
            for key, entry in after.entries.items():
                self._entries.setdefault(key, {})[place] = entry

    def get(self, key: Key) -> Entry | None:
        """Tell whom it would send traffic to."""
        entry = self._winner(list(self._entries.get(key, {}).values()))
        return entry if entry is not None and entry.ready else None

    def held(self) -> "Iterator[Key]":
        """Yield everything that it would send traffic to."""
        return (key for key in self._entries if self.get(key))

    def _winner(self, entries: list[Entry]) -> Entry | None:
        """Of several that are not terminating any may win in kube-proxy; here the one that was seen first."""
        living = [entry for entry in entries if not entry.terminating]
        return next(iter(living or entries), None)


class FirstWins(SliceUnion):
    """The union of all slices, in which the first entry of an address hides the others."""

    programs = "Istio"

    def _winner(self, entries: list[Entry]) -> Entry | None:
        """Istio's order is that of a Go map: by chance. Here the slice that was seen first, so that it is a test."""
        return entries[0] if entries else None


class FlatSet(Reader):
    """One flat map for each port, by target: minus all of the slice as it was, plus all of it as it is.

    What is told to connected proxies is the difference: first what came, then what went, by target; a target whose
    address is the same is told as the same, whatever its port.
    """

    programs = "Linkerd"

    def __init__(self) -> None:
        self._targets: dict[tuple[str, ...], Key] = {}
        self._told: dict[Key, Entry] = {}

    def see(self, before: SliceState | None, after: SliceState | None) -> None:
        """Take one event."""
        known = after or before
        if known is None:
            return
        is_same_service = before is not None and before.service == known.service
        old = self._by_target(before) if is_same_service else {}
        new = self._by_target(after)
        came = []
        for target, (key, entry) in new.items():
            was = self._targets.get(target)
            if was is None or was.address != key.address:
                came.append((key, entry))
        gone = (old.keys() - new.keys()) & self._targets.keys()
        went = [self._targets.pop(target) for target in gone]
        self._targets.update({target: key for target, (key, _) in new.items()})
        self._told.update(came)
        for key in went:
            self._told.pop(key, None)

    def _by_target(self, state: SliceState | None) -> dict[tuple[str, ...], tuple[Key, Entry]]:
        entries = state.entries.items() if state else ()
        return {
            (key.namespace, key.service, key.port_name, key.protocol, entry.target): (key, entry)
            for key, entry in entries
            if entry.ready
        }

    def get(self, key: Key) -> Entry | None:
        """Tell whom connected proxies send traffic to."""
        return self._told.get(key)

    def held(self) -> "Iterator[Key]":
        """Yield everything that they send traffic to."""
        return iter(self._told)


class Windowed(Reader):
    """One set of backends for each Service: what a slice no longer lists is released, whoever else lists it.

    Events that come within one window are taken together: all releases, then all that is there.
    """

    programs = "Cilium"

    def __init__(self) -> None:
        self._backends: dict[Key, Entry] = {}

    def see(self, before: SliceState | None, after: SliceState | None) -> None:
        """Take one event that has a window of its own."""
        self.see_together([(before, after)])

    def see_together(self, events: "Sequence[tuple[SliceState | None, SliceState | None]]") -> None:
        """Take the events of one window."""
        for before, after in events:
            known = after or before
            if known is not None and before is not None and before.service == known.service:
                for key in before.entries:
                    if after is None or key not in after.entries:
                        self._backends.pop(key, None)
        for _, after in events:
            if after is not None:
                self._backends.update(after.entries)

    def get(self, key: Key) -> Entry | None:
        """Tell whom it would send traffic to."""
        entry = self._backends.get(key)
        return entry if entry is not None and entry.ready else None

    def held(self) -> "Iterator[Key]":
        """Yield everything that it would send traffic to."""
        return (key for key in self._backends if self.get(key))


READERS: "tuple[type[Reader], ...]" = (SliceUnion, FirstWins, Windowed, FlatSet)
"""All models."""
