"""Endpoints by DNS: what is answered is true, what is not answered changes nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dns_server import Behaviour, Zone, dns_serving
from epcore.controller.sources.names import Addresses, Services, nameserver_of
from told_by import Told, told_by

QUICK: Any = {"at_least": 0.05, "at_most": 0.1, "timeout": 0.6}


def run(test: Callable[[Zone], Coroutine[Any, Any, None]], zone: Zone) -> None:
    async def served() -> None:
        async with dns_serving(zone):
            await asyncio.wait_for(test(zone), 60)

    asyncio.run(served())


@asynccontextmanager
async def addresses(zone: Zone, /, **options: Any) -> AsyncIterator[Told]:
    source = Addresses(name="db.test", nameservers=(zone.address,), **{**QUICK, **options})
    async with told_by(source) as told:
        yield told


@asynccontextmanager
async def services(zone: Zone, /, **options: Any) -> AsyncIterator[Told]:
    source = Services(name="_sql._tcp.db.test", nameservers=(zone.address,), **{**QUICK, **options})
    async with told_by(source) as told:
        yield told


def db(*texts: str) -> dict[str, list[str]]:
    return {"db.test A": [*texts]}


def test_a_name_has_the_addresses_of_both_families_in_one_order() -> None:
    async def test(zone: Zone) -> None:
        async with addresses(zone, port=5432, zone="a") as told:
            assert await told.found() == [
                {"address": "10.0.0.1", "port": 5432, "zone": "a"},
                {"address": "10.0.0.2", "port": 5432, "zone": "a"},
                {"address": "2001:db8::1", "port": 5432, "zone": "a"},
            ]
            zone.records["db.test A"].reverse()
            await told.nothing()
            zone.records["db.test A"] = ["10.0.0.3"]
            assert [one["address"] for one in await told.found()] == ["10.0.0.3", "2001:db8::1"]

    run(test, Zone({**db("10.0.0.2", "10.0.0.1"), "db.test AAAA": ["2001:db8::1"]}))


def test_an_alias_is_followed() -> None:
    async def test(zone: Zone) -> None:
        async with addresses(zone, families=("IPv4",)) as told:
            assert await told.found() == [{"address": "10.0.0.9"}]

    run(test, Zone({"db.test CNAME": ["other.test."], "other.test A": ["10.0.0.9"]}))


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("SERVFAIL", "db.test A: Do53:127.0.0.1@"),
        ("REFUSED", "REFUSED"),
        ("silent", "db.test A: no answer in 0.6 seconds"),
        ("garbage", "db.test A: "),
        ("wrong-id", "db.test A: "),
        ("truncated-always", "db.test A: "),
        ("referral", "the server does not know, and names others"),
    ],
)
def test_a_server_that_does_not_answer_changes_nothing_and_is_told_once(behaviour: Behaviour, said: str) -> None:
    async def test(zone: Zone) -> None:
        async with addresses(zone) as told:
            assert await told.found() == [{"address": "10.0.0.1"}]
            zone.behaviours["db.test A"] = behaviour
            assert said in await told.failed()
            if behaviour not in {"garbage", "wrong-id"}:  # which end by chance in a time-out or not
                await told.nothing(1.5)
            zone.behaviours.clear()
            assert await told.found() == [{"address": "10.0.0.1"}], "that it works again is told"

    run(test, Zone(db("10.0.0.1")))


def test_one_family_that_is_not_answered_takes_nothing_away() -> None:
    async def test(zone: Zone) -> None:
        async with addresses(zone) as told:
            assert len(await told.found()) == 2
            zone.behaviours["db.test AAAA"] = "SERVFAIL"
            assert "db.test AAAA: " in await told.failed()

    run(test, Zone({**db("10.0.0.1"), "db.test AAAA": ["2001:db8::1"]}))


@pytest.mark.parametrize("records", [{}, {"db.test TXT": ["x"]}])
def test_that_there_is_nothing_is_an_answer(records: dict[str, list[str]]) -> None:
    async def test(zone: Zone) -> None:
        async with addresses(zone) as told:
            assert await told.found() == [{"address": "10.0.0.1"}]
            zone.records = records
            assert await told.found() == []

    run(test, Zone(db("10.0.0.1")))


def test_an_answer_that_does_not_fit_is_asked_for_by_tcp() -> None:
    async def test(zone: Zone) -> None:
        async with addresses(zone, families=("IPv4",), timeout=10) as told:
            assert len(await told.found()) == 2_000
            assert zone.asked[:2] == ["db.test A", "db.test A TCP"]

    many = [f"10.1.{number // 250}.{number % 250 + 1}" for number in range(2_000)]
    run(test, Zone(db(*many), behaviours={"db.test A": "truncated"}))


@pytest.mark.parametrize(("ttl", "expected"), [(0, 5.0), (1, 5.0), (20, 20.0), (299, 299.0), (4_000_000, 300.0)])
def test_the_next_look_is_when_the_records_are_over(ttl: int, expected: float) -> None:
    async def test(zone: Zone) -> None:
        source = Addresses(name="db.test", nameservers=(zone.address,), families=("IPv4",))
        assert (await source.look()).seconds == pytest.approx(expected, abs=1)
        zone.records = {}
        zone.negative_ttl = ttl
        look = await source.look()
        assert look.endpoints == []
        assert look.seconds == pytest.approx(min(expected, 3600.0), abs=1)

    run(test, Zone(db("10.0.0.1"), ttls={"db.test A": ttl}))


def test_the_shortest_of_several_records_counts() -> None:
    async def test(zone: Zone) -> None:
        source = Addresses(name="db.test", nameservers=(zone.address,))
        assert (await source.look()).seconds == pytest.approx(30, abs=1)

    ttls = {"db.test A": 30, "db.test AAAA": 200}
    run(test, Zone({**db("10.0.0.1"), "db.test AAAA": ["2001:db8::1"]}, ttls=ttls))


SRV = "_sql._tcp.db.test SRV"


def test_srv_gives_ports_and_takes_the_first_priority() -> None:
    async def test(zone: Zone) -> None:
        first = [{"address": "10.0.0.1", "port": 5432}, {"address": "10.0.0.1", "port": 5433}]
        backup = [{"address": "10.0.0.2", "port": 1}]
        async with services(zone) as told, services(zone, priorities="all") as all_told:
            assert await told.found() == first, "whatever the weight, 0 included"
            assert await all_told.found() == first + backup
            zone.records[SRV] = ["20 0 1 b.test."]
            assert await told.found() == backup
            assert await all_told.found() == backup

    records = {
        SRV: ["10 0 5432 a.test.", "10 60 5433 a.test.", "20 0 1 b.test."],
        "a.test A": ["10.0.0.1"],
        "b.test A": ["10.0.0.2"],
    }
    run(test, Zone(records))


@pytest.mark.parametrize("target", ["0 0 0 .", "0 0 5432 gone.test."])
def test_a_service_that_is_not_offered_or_has_no_hosts_has_no_endpoints(target: str) -> None:
    async def test(zone: Zone) -> None:
        async with services(zone) as told:
            assert await told.found() == []

    run(test, Zone({SRV: [target]}))


def test_a_target_that_is_not_answered_takes_nothing_away() -> None:
    async def test(zone: Zone) -> None:
        async with services(zone) as told:
            assert len(await told.found()) == 2
            zone.behaviours["b.test A"] = "SERVFAIL"
            assert "b.test A: " in await told.failed()

    records = {SRV: ["1 1 1 a.test.", "1 1 1 b.test."], "a.test A": ["10.0.0.1"], "b.test A": ["10.0.0.2"]}
    run(test, Zone(records))


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "224.0.0.1", "169.254.1.1"])
def test_addresses_that_the_api_refuses_are_trouble(address: str) -> None:
    async def test(zone: Zone) -> None:
        async with addresses(zone) as told:
            assert f"dns:db.test: endpoints[0].addresses[0]: {address} is" in await told.failed()

    run(test, Zone(db(address)))


def test_name_servers_that_cannot_be_reached_are_told() -> None:
    async def test(_: Zone) -> None:
        async with told_by(Addresses(name="db.test", nameservers=("127.0.0.1:1",), **QUICK)) as told:
            assert "db.test A: " in await told.failed()

    run(test, Zone())


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("10.0.0.1", "10.0.0.1", 53),
        ("10.0.0.1:5353", "10.0.0.1", 5353),
        ("::1", "::1", 53),
        ("[::1]", "::1", 53),
        ("[fe80::1%lo]:5353", "fe80::1%lo", 5353),
    ],
)
def test_name_servers_are_addresses_with_or_without_a_port(text: str, address: str, port: int) -> None:
    found = nameserver_of(text)
    assert (found.answer_nameserver(), found.answer_port()) == (address, port)


def test_a_name_server_that_cannot_be_one_is_told() -> None:
    async def test(_: Zone) -> None:
        async with told_by(Addresses(name="db.test", nameservers=("ns.test",), **QUICK)) as told:
            assert await told.failed() == "expected name servers as ADDRESS or ADDRESS:PORT; 'ns.test' is no address"

    run(test, Zone())
