"""Sources as people write them: one text, or a file, whose mistakes are told with their place."""

from pathlib import Path

import pytest

from epcore.controller.sources import Assigned, SourceError
from epcore.controller.sources.config import read_config
from epcore.controller.sources.files import File
from epcore.controller.sources.functions import Function
from epcore.controller.sources.names import Addresses, Services
from epcore.controller.sources.text import assigned_of, source_of
from epcore.controller.sources.web import Document


def test_each_kind_has_its_text() -> None:
    file = source_of("file:///etc/my%20db.yaml")
    assert isinstance(file, File)
    assert file.path == Path("/etc/my db.yaml")
    plain = source_of("lists/db.yaml")
    assert isinstance(plain, File)
    assert plain.path == Path("lists/db.yaml")
    assert source_of("dns:db.example.org:5432") == Addresses(name="db.example.org", port=5432)
    assert source_of("dns:db.example.org") == Addresses(name="db.example.org")
    assert source_of("srv:_sql._tcp.example.org") == Services(name="_sql._tcp.example.org")
    assert source_of("https://example.org/db?x=1") == Document("https://example.org/db?x=1")
    function = source_of("python:os:listdir", {"arguments": {"path": "/"}})
    assert isinstance(function, Function)
    assert function.arguments == {"path": "/"}
    assert assigned_of("shop/db=dns:a=b.test", may_empty=True) == Assigned(
        "shop", "db", Addresses(name="a=b.test"), may_empty=True
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dns:", "'' is no domain name"),
        ("dns:.", "'.' is no domain name"),
        ("dns:a..b", "'a..b' is no domain name"),
        ("dns:10.0.0.5", "'10.0.0.5' is no domain name: it ends as an address"),
        ("dns:10.0.0.5.:80", "'10.0.0.5.' is no domain name: it ends as an address"),
        ("dns:[::1]:80", "is no port"),
        ("dns:[x]:80", "'[x]' is no domain name"),
        ("dns:x y", "'x y' is no domain name"),
        ("dns: x", "' x' is no domain name"),
        ("dns:http/x", "'http/x' is no domain name"),
        ("srv:db.example.org:53", "'db.example.org:53' is no domain name"),
        ("srv:10.0.0.5", "'10.0.0.5' is no domain name"),
        ("dns:a:0", "'0' is no port"),
        ("dns:a:http", "'http' is no port"),
        ("dns:a:99999999999999999999", "is no port"),
        ("srv:" + "a" * 64, "is no domain name"),
        ("file:db.yaml", "not file:///PATH"),
        ("file://host/db.yaml", "not file:///PATH"),
        ("-", "standard input cannot be followed"),
        ("ftp://example.org/x", "no kind of source"),
        ("consul:web", "no kind of source, and no file; there are file:, dns:, srv:, http:, https:, python: and paths"),
        ("python:nothing_there:x", "ModuleNotFoundError"),
    ],
)
def test_texts_that_say_nothing_are_refused(text: str, said: str) -> None:
    with pytest.raises(SourceError) as error:
        source_of(text)
    assert said in str(error.value)


@pytest.mark.parametrize("text", ["db=x", "shop/db", "shop/db=", "/db=x", "shop/=x", "a/b/c=x"])
def test_a_source_without_its_service_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match="not NAMESPACE/SERVICE=SOURCE"):
        assigned_of(text)


CONFIG = """\
# Where endpoints come from
services:
- service: shop/db
  source: srv:_sql._tcp.example.org
  options: {atMost: 60, atLeast: 0.5, families: [IPv4], nameservers: ["127.0.0.1:53"], priorities: all, zone: a}
  mayEmpty: true
- service: shop/web
  source: https://example.org/web.json
  options: {interval: 5, timeout: 2, caFile: /ca.pem, tokenFile: /token, largest: 1000}
- {service: shop/vm, source: /lists/vm, options: {settle: 1}}
"""


def test_a_file_says_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(CONFIG)
    db, web, vm = read_config(file)
    assert db == Assigned(
        "shop",
        "db",
        Services(
            name="_sql._tcp.example.org",
            at_most=60,
            at_least=0.5,
            families=("IPv4",),
            nameservers=("127.0.0.1:53",),
            priorities="all",
            zone="a",
        ),
        may_empty=True,
    )
    assert web.source == Document(
        "https://example.org/web.json",
        interval=5,
        timeout=2,
        ca_file=Path("/ca.pem"),
        token_file=Path("/token"),
        largest=1000,
    )
    assert isinstance(vm.source, File)
    assert (vm.source.path, vm.source.settle, vm.may_empty) == (Path("/lists/vm"), 1, False)
    file.write_text("services: []")
    assert read_config(file) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ": is empty"),
        ("services: [", ": not YAML: "),
        ("\x00", ": not YAML: "),
        ("[]", ":1: expected names and values"),
        ("{}", ":1: services is missing"),
        ("service: []", ':1: unknown field "service"; known: services'),
        ("services: {}", ":1: services: expected a list"),
        ("services:\n- x", ":2: services[0]: expected names and values"),
        ("services:\n- {service: a/b}", ":2: services[0]: source is missing"),
        ("services:\n- service: a\n  source: dns:x", ":2: services[0].service: not NAMESPACE/NAME: a"),
        ("services:\n- service: a/b\n  source: [x]", ":3: services[0].source: expected a text"),
        ("services:\n- service: a/b\n  source: dns:x:y", ":3: services[0].source: dns:x:y: 'y' is no port"),
        ("services:\n- service: a/b\n  source: dns:x\n  mayEmpty: 1", ":4: services[0].mayEmpty: expected true or"),
        (
            "services:\n- service: a/b\n  source: dns:x\n  mayempty: true",
            ':4: services[0]: unknown field "mayempty"; known: mayEmpty, options, service, source',
        ),
        ("services:\n- service: a/b\n  service: a/c\n  source: dns:x", ":3: services[0].service: is there twice"),
        (
            "services:\n- service: a/b\n  source: dns:x\n  options:\n    ttl: 3",
            ":5: services[0].options: dns:x: option ttl is not known; there are atLeast, atMost, families",
        ),
        (
            "services:\n- service: a/b\n  source: dns:x\n  options: {atMost: yes}",
            "option atMost: expected seconds, more than 0 and at most 86400, found True",
        ),
        (
            "services:\n- service: a/b\n  source: dns:x\n  options: {families: [IPv5]}",
            "option families: expected one of IPv4, IPv6",
        ),
        *(
            (
                f"services:\n- service: a/b\n  source: dns:x\n  options:\n    nameservers: ['{text}']",
                f":5: services[0].options: dns:x: option nameservers: expected name servers as ADDRESS or {said}",
            )
            for text, said in [
                ("ns.example.org", "ADDRESS:PORT; 'ns.example.org' is no address, found"),
                ("10.0.0.1:99999", "ADDRESS:PORT; '99999' is no port: 1 to 65535, found"),
                ("[::1]53", "ADDRESS:PORT; '::1]53' is no address, found"),
            ]
        ),
        ("services:\n- service: a/b\n  source: dns:x\n- {service: a/b, source: dns:y}", ":4: services[1]: a second"),
        ("services:\n- service: a/b\n  source: !!python/name:os.system x", ":3: services[0].source: "),
    ],
)
def test_mistakes_in_the_file_are_told_with_line_and_place(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(text)
    with pytest.raises(SourceError) as error:
        read_config(file)
    assert str(error.value).startswith(f"{file}:")
    assert said in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        read_config(tmp_path / "none.yaml")
