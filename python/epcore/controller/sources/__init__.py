"""Sources: where the endpoints of Services without selector come from.

A source is followed, and hands out whole sets of endpoints. One that cannot be read, or makes no sense, says so and
changes nothing: what was found before stays true until something else is found.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from epcore.errors import EpcoreError

PublishedEndpoint: TypeAlias = str | Mapping[str, Any]
"""What :func:`epcore.publish` takes for one endpoint."""


@dataclass(frozen=True)
class Found:
    """The endpoints that a source has, all of them, as :func:`epcore.publish` takes them."""

    endpoints: list[PublishedEndpoint]

    def __post_init__(self) -> None:
        """Keep a list of its own: what comes one by one comes once, and who made a list may go on changing it."""
        object.__setattr__(self, "endpoints", [*self.endpoints])


@dataclass(frozen=True)
class Failed:
    """A source cannot tell its endpoints for now; nothing changes, and it goes on trying. One line, for people."""

    message: str


class SourceError(EpcoreError):
    """A source, or what is said about one, makes no sense. The message is one line and names what it is about."""


class Source(Protocol):
    """Somewhere endpoints come from."""

    def follow(self) -> AsyncIterator[Found | Failed]:
        """Yield how it is, then again whenever that changes. Never ends by itself; cancel it, or close the iterator."""


@dataclass(frozen=True)
class Assigned:
    """A Service, and the source of its endpoints."""

    namespace: str
    service: str
    source: Source
    may_empty: bool = False
    """Whether the source may take the last endpoint of the Service away."""
