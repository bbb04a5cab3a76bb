"""From bytes to something to work with, and back."""

from typing import TYPE_CHECKING

import orjson

import epcore
from data import listed, mixed, small_services
from library import quoted

if TYPE_CHECKING:
    from library import Library
    from race import Peer, Race


def loads(data: bytes) -> "dict[str, Peer]":
    """Merely load it: nothing is checked."""
    return {
        "orjson, collector off": lambda: orjson.loads(data),
        "orjson, collector on": lambda: orjson.loads(data),
    }


def count(slices: epcore.SliceSet) -> int:
    return sum(map(len, slices))


def bench_read_JSON(race: "Race", library: "Library", size: int) -> None:  # noqa: N802
    data = listed(size)
    library.ask("keep", list=data)
    slices = race(lambda: epcore.SliceSet.from_json(data), {**loads(data), "Go": lambda: library.seconds("decode")})
    assert count(slices) == size


def bench_read_JSON_of_mixed_endpoints(race: "Race", library: "Library", size: int) -> None:  # noqa: N802
    data = mixed(size)
    library.ask("keep", list=data)
    slices = race(lambda: epcore.SliceSet.from_json(data), {**loads(data), "Go": lambda: library.seconds("decode")})
    assert count(slices) == size


def bench_read_JSON_of_small_Services(race: "Race", library: "Library", size: int) -> None:  # noqa: N802
    data = small_services(size)
    library.ask("keep", list=data)
    slices = race(lambda: epcore.SliceSet.from_json(data), {**loads(data), "Go": lambda: library.seconds("decode")})
    assert count(slices) == size
    assert len(slices) == size // 10


def bench_read_the_same_list_again(race: "Race", library: "Library", size: int) -> None:
    data = listed(size)
    library.ask("keep", list=data)
    before = epcore.SliceSet.from_json(b"[]").refresh(data)
    # Other bytes than those that are kept.
    again = bytes(bytearray(data))
    slices = race(lambda: before.refresh(again), {**loads(again), "Go": lambda: library.seconds("decode")})
    assert slices == before


def bench_read_a_list_with_one_percent_changed(race: "Race", library: "Library", size: int) -> None:
    data = listed(size, changed=True)
    library.ask("keep", list=data)
    before = epcore.SliceSet.from_json(b"[]").refresh(listed(size))
    slices = race(lambda: before.refresh(data), {**loads(data), "Go": lambda: library.seconds("decode")})
    assert slices == epcore.SliceSet.from_json(data)
    assert slices != before


def bench_read_protobuf(race: "Race", library: "Library", size: int) -> None:
    data = epcore.SliceSet.from_json(listed(size)).to_protobuf()
    library.ask("keep", protobuf=quoted(data))
    go = {"Go": lambda: library.seconds("decode", protobuf=b"true")}
    assert count(race(lambda: epcore.SliceSet.from_json(data), go)) == size


def bench_read_protobuf_of_mixed_endpoints(race: "Race", library: "Library", size: int) -> None:
    data = epcore.SliceSet.from_json(mixed(size)).to_protobuf()
    library.ask("keep", protobuf=quoted(data))
    go = {"Go": lambda: library.seconds("decode", protobuf=b"true")}
    assert count(race(lambda: epcore.SliceSet.from_json(data), go)) == size


def bench_read_the_same_protobuf_again(race: "Race", library: "Library", size: int) -> None:
    data = epcore.SliceSet.from_json(listed(size)).to_protobuf()
    library.ask("keep", protobuf=quoted(data))
    before = epcore.SliceSet.from_json(b"[]").refresh(data)
    again = bytes(bytearray(data))
    go = {"Go": lambda: library.seconds("decode", protobuf=b"true")}
    assert race(lambda: before.refresh(again), go) == before


def bench_read_protobuf_of_small_Services(race: "Race", library: "Library", size: int) -> None:  # noqa: N802
    data = epcore.SliceSet.from_json(small_services(size)).to_protobuf()
    library.ask("keep", protobuf=quoted(data))
    go = {"Go": lambda: library.seconds("decode", protobuf=b"true")}
    assert count(race(lambda: epcore.SliceSet.from_json(data), go)) == size


def bench_read_dicts(race: "Race", size: int) -> None:
    dicts = orjson.loads(listed(size))
    through = {"orjson.dumps, then from_json": lambda: epcore.SliceSet.from_json(orjson.dumps(dicts))}
    assert count(race(lambda: epcore.SliceSet.from_objects(dicts), through)) == size


def bench_write_JSON(race: "Race", library: "Library", size: int) -> None:  # noqa: N802
    data = listed(size)
    library.ask("keep", list=data)
    slices = epcore.SliceSet.from_json(data)
    dicts = slices.to_dicts()
    peers = {"orjson, collector off": lambda: orjson.dumps(dicts), "Go": lambda: library.seconds("write")}
    assert orjson.loads(race(slices.to_json, peers))["items"] == dicts


def bench_write_protobuf(race: "Race", library: "Library", size: int) -> None:
    slices = epcore.SliceSet.from_json(listed(size))
    library.ask("keep", protobuf=quoted(slices.to_protobuf()))
    go = {"Go": lambda: library.seconds("write", protobuf=b"true")}
    assert len(race(slices.to_protobuf, go)) == library.ask("write", protobuf=b"true")["bytes"]
