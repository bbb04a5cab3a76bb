"""Sources as people write them: one text, and options by name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import unquote, urlsplit

from epcore.controller.sources import Assigned, SourceError

if TYPE_CHECKING:
    from epcore.controller.sources import Source

Read: TypeAlias = Callable[[object], Any]
"""Reads the value of an option. Raises ``ValueError``, which says what it should be."""


def assigned_of(text: str, *, may_empty: bool = False) -> Assigned:
    """Read ``NAMESPACE/SERVICE=SOURCE``. Raises :class:`SourceError`."""
    service, equals, source = text.partition("=")
    namespace, slash, name = service.partition("/")
    if not equals or not slash or not namespace or not name or "/" in name or not source:
        raise SourceError(f"{text}: not NAMESPACE/SERVICE=SOURCE")
    return Assigned(namespace, name, source_of(source), may_empty)


def source_of(text: str, options: Mapping[str, object] | None = None) -> "Source":
    """Read a source, with its options by name.

    A file or folder by ``file:///PATH`` or as ``PATH`` alone, ``dns:NAME`` and ``dns:NAME:PORT``,
    ``srv:_SERVICE._tcp.NAME``, ``https://...``, ``python:MODULE:FUNCTION`` or ``python:ENTRYPOINT``. Raises
    :class:`SourceError`, which names the option where it is about one.
    """
    scheme, colon, rest = text.partition(":")
    if has_kind(text):
        return _KINDS[scheme](text, rest, _Options(text, options or {}))
    if colon and "/" not in scheme and not Path(text).exists():
        known = ", ".join(f"{name}:" for name in _KINDS)
        raise SourceError(f"{text}: no kind of source, and no file; there are {known} and paths")
    return _file(text, text, _Options(text, options or {}))


def has_kind(text: str) -> bool:
    """Tell whether a text says what kind of source it is, and is no path alone."""
    scheme, colon, _ = text.partition(":")
    return bool(colon) and scheme in _KINDS


class _Options:
    """The options of one source, each of which must be known."""

    def __init__(self, source: str, given: Mapping[str, object]) -> None:
        self._source = source
        self._given = given

    def read(self, known: Mapping[str, Read]) -> dict[str, Any]:
        """Read them by their names; those of the parameters are in Python's spelling."""
        for name in self._given:
            if name not in known:
                raise SourceError(f"{self._source}: option {name} is not known; there are {', '.join(sorted(known))}")
        made = {}
        for name, value in self._given.items():
            try:
                made[_snake(name)] = known[name](value)
            except ValueError as error:
                raise SourceError(f"{self._source}: option {name}: {error}, found {value!r}") from None
        return made


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _file(text: str, rest: str, options: _Options) -> "Source":
    from epcore.controller.sources.files import File  # noqa: PLC0415 - each kind needs a library of its own

    path = rest
    if text.startswith("file:"):
        url = urlsplit(text)
        if url.netloc not in {"", "localhost"} or url.query or url.fragment or not url.path.startswith("/"):
            raise SourceError(f"{text}: not file:///PATH")
        path = unquote(url.path)
    if path == "-":
        raise SourceError("-: standard input cannot be followed")
    return File(Path(path), **options.read({"interval": _seconds, "settle": _seconds, "largest": _whole}))


def _dns(text: str, rest: str, options: _Options) -> "Source":
    from epcore.controller.sources.names import MOST_PORT, Addresses, check_name  # noqa: PLC0415

    name, colon, port = rest.partition(":")
    if colon and not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= MOST_PORT):
        raise SourceError(f"{text}: {port!r} is no port: 1 to {MOST_PORT}")
    check_name(name)
    return Addresses(name=name, port=int(port) if colon else None, **options.read(_NAMES))


def _srv(text: str, rest: str, options: _Options) -> "Source":
    from epcore.controller.sources.names import Services, check_name  # noqa: PLC0415

    del text
    check_name(rest)
    known = {**_NAMES, "priorities": lambda value: _choice(value, {"first", "all"})}
    return Services(name=rest, **options.read(known))


def _web(text: str, rest: str, options: _Options) -> "Source":
    from epcore.controller.sources.web import Document  # noqa: PLC0415

    del rest
    known = {"interval": _seconds, "timeout": _seconds, "largest": _whole, "caFile": _path, "tokenFile": _path}
    return Document(text, **options.read(known))


def _python(text: str, rest: str, options: _Options) -> "Source":
    from epcore.controller.sources.functions import Function, provider_of  # noqa: PLC0415

    given = options.read({"interval": _seconds, "timeout": _seconds, "arguments": _mapping})
    return Function(provider_of(rest), text, **given)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 86_400:  # noqa: PLR2004 - a day
        raise ValueError("expected seconds, more than 0 and at most 86400")
    return float(value)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("expected a whole number, 1 or more")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("expected a text")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise ValueError("expected a list of texts")
    return tuple(value)


def _nameservers(value: object) -> tuple[str, ...]:
    from epcore.controller.sources.names import nameserver_of  # noqa: PLC0415

    texts = _texts(value)
    for text in texts:
        nameserver_of(text)
    return texts


def _choice(value: object, known: set[str]) -> str:
    if value not in known:
        raise ValueError(f"expected one of {', '.join(sorted(known))}")
    return str(value)


def _choices(value: object, known: set[str]) -> tuple[str, ...]:
    return tuple(_choice(item, known) for item in _texts(value))


def _path(value: object) -> Path:
    return Path(_text(value))


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError("expected names and values")
    return value


_NAMES: Final[dict[str, Read]] = {
    "families": lambda value: _choices(value, {"IPv4", "IPv6"}),
    "nameservers": _nameservers,
    "atLeast": _seconds,
    "atMost": _seconds,
    "timeout": _seconds,
    "zone": _text,
}
_KINDS: Final[dict[str, "Callable[[str, str, _Options], Source]"]] = {
    "file": _file,
    "dns": _dns,
    "srv": _srv,
    "http": _web,
    "https": _web,
    "python": _python,
}
