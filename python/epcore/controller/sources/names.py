"""Endpoints by DNS: the addresses of a name, or the targets of its SRV records."""

import asyncio
import re
import time
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from epcore.controller.sources import SourceError
from epcore.controller.sources.document import checked
from epcore.controller.sources.polled import Look, Polled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dns.rdtypes.IN.SRV import SRV

    from epcore.types import FamilyName

Priorities: TypeAlias = Literal["first", "all"]

_RECORDS: "Final[dict[FamilyName, dns.rdatatype.RdataType]]" = {
    "IPv4": dns.rdatatype.A,
    "IPv6": dns.rdatatype.AAAA,
}
_FOREIGN: Final = re.compile(r"[\s:/\[\]]")
"""What is in no domain name, but in other things that are written in its place, such as an address with a port."""
MOST_PORT: Final = 65535
_MOST_TARGETS: Final = 1_000
_AT_ONCE: Final = 16
"""Questions that are under way at a time."""


@dataclass(kw_only=True)
class _Names(Polled):
    """What both have in common.

    A name that is not there has no endpoints; a server that fails or keeps silent says nothing. Answers that do not fit
    into a datagram are asked for again by TCP.

    :param families: which addresses are asked for. All of them must be answered.
    :param nameservers: ``ADDRESS`` or ``ADDRESS:PORT``; none for those of the system.
    :param at_least: seconds between two looks, however short the records may be kept.
    :param at_most: the same, however long.
    :param timeout: seconds for one question, retries and TCP included.
    :param zone: of all the endpoints.
    """

    families: "tuple[FamilyName, ...]" = ("IPv4", "IPv6")
    nameservers: tuple[str, ...] = ()
    at_least: float = 5.0
    at_most: float = 300.0
    timeout: float = 10.0
    zone: str | None = None

    @property
    def patience(self) -> float:
        """Look again when it would be time anyway."""
        return self.at_most

    def _look(self, name: str, found: "Iterable[tuple[str, int | None]]", seconds: float) -> Look:
        made = [
            {
                "address": address,
                **({} if port is None else {"port": port}),
                **({} if self.zone is None else {"zone": self.zone}),
            }
            # The order of an answer means nothing.
            for address, port in sorted(set(found), key=lambda one: (one[0], one[1] or 0))
        ]
        return Look(checked(made, name), min(max(seconds, self.at_least), self.at_most))

    def _resolver(self) -> dns.asyncresolver.Resolver:
        """Read the settings of the system, which may have changed."""
        try:
            resolver = dns.asyncresolver.Resolver(configure=not self.nameservers)
        except (dns.exception.DNSException, OSError) as error:
            raise SourceError(f"the system's name servers: {error}") from None
        if self.nameservers:
            try:
                resolver.nameservers = [nameserver_of(text) for text in self.nameservers]
            except ValueError as error:
                raise SourceError(str(error)) from None
        resolver.lifetime = self.timeout
        resolver.timeout = min(resolver.timeout, max(self.timeout / 3, 0.1))
        return resolver

    async def _addresses(self, resolver: dns.asyncresolver.Resolver, name: dns.name.Name) -> "_Answer":
        answers = [await _ask(resolver, name, _RECORDS[family]) for family in self.families]
        return _Answer([text for answer in answers for text in answer.texts], min(answer.ttl for answer in answers))


@dataclass(kw_only=True)
class Addresses(_Names):
    """The addresses of a name.

    :param port: of all of them; without one, that of the Service holds.
    """

    name: str
    port: int | None = None

    async def look(self) -> Look:
        """Ask for the addresses."""
        answer = await self._addresses(self._resolver(), _absolute(self.name))
        return self._look(f"dns:{self.name}", ((text, self.port) for text in answer.texts), answer.ttl)


@dataclass(kw_only=True)
class Services(_Names):
    """The targets of SRV records, each with its port.

    Slices know no priorities and no weights. Of the targets those of the first priority (the lowest number) are taken,
    which clients are to try before any other, or ``all``; what the weight says is lost, with 0 as with any other.
    """

    name: str
    priorities: Priorities = "first"

    async def look(self) -> Look:
        """Ask for the records, then for the addresses of their targets."""
        resolver = self._resolver()
        records = await _ask(resolver, _absolute(self.name), dns.rdatatype.SRV)
        first = min((record.priority for record in records.services), default=0)
        targets = [
            record
            for record in records.services
            # The root stands for a service that is not offered (RFC 2782).
            if record.target != dns.name.root and (self.priorities == "all" or record.priority == first)
        ]
        names = sorted({record.target for record in targets})
        if len(names) > _MOST_TARGETS:
            raise SourceError(f"srv:{self.name}: {len(names):,} targets, more than {_MOST_TARGETS:,}")
        answers = await self._of_all(resolver, names)
        found = ((text, record.port) for record in targets for text in answers[record.target].texts)
        seconds = min([records.ttl, *(answer.ttl for answer in answers.values())])
        return self._look(f"srv:{self.name}", found, seconds)

    async def _of_all(
        self, resolver: dns.asyncresolver.Resolver, names: list[dns.name.Name]
    ) -> "dict[dns.name.Name, _Answer]":
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(name: dns.name.Name) -> _Answer:
            async with turns:
                return await self._addresses(resolver, name)

        asked = [asyncio.create_task(one(name)) for name in names]
        try:
            return dict(zip(names, await asyncio.gather(*asked), strict=True))
        finally:
            for task in asked:
                task.cancel()


@dataclass(frozen=True, slots=True)
class _Answer:
    texts: list[str]
    ttl: float
    services: "tuple[SRV, ...]" = ()


async def _ask(resolver: dns.asyncresolver.Resolver, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> _Answer:
    """Ask one question. Raises :class:`SourceError` where nobody knows; that there is nothing is an answer."""
    asked = f"{name.to_text(omit_final_dot=True)} {dns.rdatatype.to_text(kind)}"
    try:
        answer = await resolver.resolve(name, kind, raise_on_no_answer=False, search=False)
    except dns.resolver.NXDOMAIN as error:
        replies = [*error.kwargs["responses"].values()]
        # How long it holds that there is nothing, the zone says (RFC 2308).
        return _Answer([], min((reply.resolve_chaining().minimum_ttl for reply in replies), default=0))
    except dns.exception.Timeout:
        raise SourceError(f"{asked}: no answer in {resolver.lifetime:g} seconds") from None
    except dns.resolver.NoNameservers as error:
        # Its text goes on and on; the last server's answer tells enough.
        server, _, _, reason, _ = error.kwargs["errors"][-1]
        raise SourceError(f"{asked}: {server}: {' '.join(str(reason).split()) or type(reason).__name__}") from None
    except (dns.exception.DNSException, OSError) as error:
        raise SourceError(f"{asked}: {' '.join(str(error).split()) or type(error).__name__}") from None
    if answer.response.flags & dns.flags.TC:  # by TCP too, which the library takes as it is
        raise SourceError(f"{asked}: the answer is truncated")
    if answer.rrset is None and _is_elsewhere(answer):
        raise SourceError(f"{asked}: the server does not know, and names others; ask one that looks further")
    records = [*(answer.rrset or ())]
    services = tuple(records) if kind == dns.rdatatype.SRV else ()
    return _Answer([record.to_text() for record in records], max(answer.expiration - time.time(), 0), services)


def _is_elsewhere(answer: dns.resolver.Answer) -> bool:
    """Tell a referral, or an alias that was not followed, from an answer that there is nothing (RFC 2308, 2.2)."""
    authority = {rrset.rdtype for rrset in answer.response.authority}
    if dns.rdatatype.SOA in authority:
        return False
    return dns.rdatatype.NS in authority or bool(answer.chaining_result.cnames)


def check_name(name: str) -> None:
    """Raise :class:`SourceError` for what is no domain name."""
    labels = _absolute(name).labels
    if labels == dns.name.root.labels or _FOREIGN.search(name):
        raise SourceError(f"{name!r} is no domain name")
    if labels[-2].isdigit():
        # No top-level domain is a number (RFC 3696, 2); a name server would say that there is no such name.
        raise SourceError(f"{name!r} is no domain name: it ends as an address")


def _absolute(name: str) -> dns.name.Name:
    try:
        return dns.name.from_text(name)
    except dns.exception.DNSException as error:
        raise SourceError(f"{name!r} is no domain name: {error}") from None


def nameserver_of(text: str) -> dns.nameserver.Nameserver:
    """Read ``ADDRESS`` or ``ADDRESS:PORT``; an address of IPv6 with a port has brackets. Raises ``ValueError``."""
    host, port = text, "53"
    if text.startswith("[") and text.endswith("]"):
        host = text[1:-1]
    elif text.startswith("["):
        host, _, port = text[1:].partition("]:")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        ip_address(host)
    except ValueError:
        raise ValueError(f"expected name servers as ADDRESS or ADDRESS:PORT; {host!r} is no address") from None
    if not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= MOST_PORT):
        raise ValueError(f"expected name servers as ADDRESS or ADDRESS:PORT; {port!r} is no port: 1 to {MOST_PORT}")
    return dns.nameserver.Do53Nameserver(host, int(port))
