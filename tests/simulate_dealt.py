"""Loads in which it is chance who is next: the names of endpoints that are alike are dealt anew before each sync."""

from collections.abc import Mapping
from functools import cache
from json import dumps, loads
from random import Random

from epcore.simulate import Telling, Writer, Written
from epcore.simulate.blind import Lives


class Dealt:
    """Tells a writer the same load with other names: those who were alike so far may have changed places."""

    def __init__(self, writer: Writer, telling: Telling, seed: int) -> None:
        self.lives: dict[str, Lives] = {}
        self._writer = writer
        self._telling = telling
        self._random = Random(seed)
        self._names: dict[str, dict[str, str]] = {}
        self._rests: dict[tuple[str, str], bytes] = {}

    def sync(self, service: str, template: bytes, wanted: Mapping[str, bytes]) -> Written:
        names = self._names.setdefault(service, {})
        lives = self.lives.setdefault(service, Lives(self._telling))
        alike: dict[object, list[str]] = {}
        for key, kind in lives.kinds.items():
            alike.setdefault(kind, []).append(key)
        for keys in alike.values():
            held = [names[key] for key in keys]
            self._random.shuffle(held)
            names.update(zip(keys, held, strict=True))
        for key in wanted.keys() - names.keys():
            names[key] = key
            self._rests[service, key] = rest_of(wanted[key])
        lives.step(wanted)
        for key in names.keys() - wanted.keys():
            del names[key]
        told = {names[key]: self._told(service, names[key], content) for key, content in wanted.items()}
        return self._writer.sync(service, template, told)

    def _told(self, service: str, name: str, content: bytes) -> bytes:
        """What another endpoint says of itself, in the words of this one."""
        return conditions_of(content) + self._rests[service, name]


@cache
def conditions_of(content: bytes) -> bytes:
    """Begin an endpoint in the conditions of this one."""
    return f'{{"conditions":{dumps(loads(content)["conditions"])}'.encode()


def rest_of(content: bytes) -> bytes:
    """Tell what else this one says; it has an address."""
    rest = {name: value for name, value in loads(content).items() if name != "conditions"}
    return f",{dumps(rest)[1:]}".encode()
