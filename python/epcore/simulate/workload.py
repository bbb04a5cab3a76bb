"""What all workloads share: their parameters, what they refuse, and how they become a load."""

from dataclasses import dataclass, fields
from random import Random
from typing import TYPE_CHECKING, ClassVar, Final

from epcore.simulate.cluster import Cluster
from epcore.simulate.load import Load, LoadError, build_load

if TYPE_CHECKING:
    from epcore.simulate.load import Event, Telling

MOST_CHANGES: Final = 10_000_000
"""Changes in one copy of a workload: more take more memory than most machines have, at 600 bytes each."""

_MOST: Final = 1e12
"""What no parameter is above, so that no sum of them is without end."""

_MAY_BE_0: Final = (
    *("startup", "grace", "max_surge", "max_unavailable", "pause", "drained", "noise", "tolerance", "stabilization"),
    *("restless", "failures", "detection", "toleration", "forgotten", "settle", "steps"),
)


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What all workloads share."""

    name: ClassVar[str] = ""
    copyable: ClassVar[bool] = True
    telling: "ClassVar[Telling]" = "node"
    """What tells which endpoints change next."""
    pods: int = 500
    """Pods at the beginning, or in all."""
    nodes: int = 30
    startup: float = 5.0
    """Mean seconds from a Pod's address to its readiness; each takes half to one and a half of it."""
    grace: float = 30.0
    """Most seconds that a Pod takes to leave; each takes a tenth of it to all."""
    rate: float = 20.0
    """Most Pods a second that are created or deleted."""

    def __post_init__(self) -> None:
        """Refuse what cannot be. Raises ``ValueError``."""
        for one in fields(self):
            value = getattr(self, one.name)
            for number in value if isinstance(value, tuple) else (value,):
                # Nothing may take no time at all, or it would happen without end.
                if not (0 if one.name in _MAY_BE_0 else 1e-6) <= number <= _MOST:
                    least = "0 or more" if one.name in _MAY_BE_0 else "more than 0"
                    raise ValueError(f"{one.name} must be {least}, and at most {_MOST:g}: {value!r}")
        if self.expected > MOST_CHANGES:
            told = f"about {self.expected:.2g} changes, more than {MOST_CHANGES:,}"
            raise ValueError(f"{self.name} with these parameters would be {told}")

    @property
    def expected(self) -> float:
        """About how many changes there will be, and looks at which nothing changes."""
        return self.pods

    def load(self, seed: int, copies: tuple[int, ...] = (0,)) -> Load:
        """Make the load. Each copy has Services and chances of its own. Raises :class:`LoadError` for too many Pods."""
        try:
            events = [event for copy in copies for event in self.events(seed, copy)]
            return build_load(self.name, sorted(events, key=lambda event: event.time), self.telling)
        except LoadError as error:
            raise LoadError(f"{self.name} {error}") from None

    def events(self, seed: int, copy: int = 0) -> "list[Event]":
        """Make the events of one copy, in the order of time."""
        # A text as seed: Python takes the same from it in every process, and on every platform.
        random = Random(f"{self.name} {seed} {copy}")  # noqa: S311 - not a secret
        cluster = Cluster(random, self.nodes, self.startup, self.grace, self.rate)
        return self.drive(cluster, f"{self.name}-{copy}")

    def drive(self, cluster: Cluster, service: str) -> "list[Event]":
        """Let it happen."""
        raise NotImplementedError
