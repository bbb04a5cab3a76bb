"""What proxies are told: the same bytes while nothing changed, the right endpoints, what their checkers accept."""

import ipaddress
import json
import pickle
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import dns.zone
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import epcore
from epcore.proxy import Locality, ServicePort, envoy, haproxy, nginx, ports_of, prometheus, usable
from epcore.proxy import dns as names
from programs import needs, program
from reader_strategies import readable
from strategies import Json

HTTP = ServicePort("shop", "web", "http")
AUTHORITY = "epcore"


def slice_of(name: str, *endpoints: Json, family: str = "IPv4", ports: list[Json] | None = None) -> Json:
    labels = {"kubernetes.io/service-name": "web"}
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "addressType": family,
        "ports": [{"name": "http", "port": 80}] if ports is None else ports,
        "endpoints": list(endpoints),
    }


def view_of(*slices: Json) -> epcore.View:
    view = epcore.View()
    view.replace(list(slices))
    return view


def endpoint(number: int, conditions: Json | None = None, **more: Any) -> Json:
    return {"addresses": [f"10.0.0.{number}"], "conditions": conditions, **more}


LEAVING = {"ready": False, "serving": True, "terminating": True}
IDLE = {"ready": False}


def texts(view: epcore.View) -> list[str]:
    """Every output of a view."""
    ports = ports_of(view, None)
    services = names.services_of(ports)
    delta = epcore.diff([], view.slices())
    backends = [haproxy.Backend(port) for port in ports_of(view)]
    return [
        envoy.eds(view, ports, draining=True),
        json.dumps(envoy.delta_eds(view, delta, ports)),
        json.dumps(envoy.leds(view, ports, authority=AUTHORITY)),
        *(nginx.upstream(view, port) for port in ports),
        prometheus.file_sd(view, ports),
        names.hosts(view, services),
        names.records(view, services),
        *(str(backend.replace(view)) + backend.section() for backend in backends),
    ]


@given(readable(), st.randoms(use_true_random=False))
def test_the_same_endpoints_are_the_same_bytes_however_they_are_sliced(slices: list[Json], random: Any) -> None:
    before = view_of(*slices)
    shuffled: list[Json] = json.loads(json.dumps(slices))
    for slice_ in shuffled:
        slice_["metadata"]["resourceVersion"] = str(random.randint(1, 99))
        slice_["metadata"]["labels"]["other"] = str(random.random())
        random.shuffle(slice_["ports"] or [])
    random.shuffle(shuffled)
    assert texts(view_of(*shuffled)) == texts(before)
    half = [{**one, "endpoints": one["endpoints"][part::2]} for one in slices for part in (0, 1)]
    renamed = [
        {**one, "metadata": {**one["metadata"], "name": f"{one['metadata']['name']}-{index % 2}"}}
        for index, one in enumerate(half)
    ]
    random.shuffle(renamed)
    if not before.explain_duplicates():
        assert texts(view_of(*renamed)) == texts(before)


@given(readable())
def test_every_output_sends_traffic_to_what_is_reachable_and_to_nothing_else(slices: list[Json]) -> None:
    view = view_of(*slices)
    for port in ports_of(view, None):
        found = view.reachable(port.service, port.name, namespace=port.namespace, node="", protocol=port.protocol)
        wanted = sorted(f"{one.address}:{one.port}" for one in found.endpoints)
        assert sorted(re.findall(r"server (10\.\S+);", nginx.upstream(view, port))) == wanted
        assignment = envoy.cluster_load_assignment(view, port)
        assert sorted(hosts_of(assignment, "HEALTHY")) == wanted
        if port.protocol != "TCP":
            continue
        backend = haproxy.Backend(port)
        backend.replace(view)
        assert sorted(re.findall(r"server s\d+ (10\.\S+)$", backend.section(), re.MULTILINE)) == wanted


def hosts_of(assignment: Json, *health: str) -> list[str]:
    sockets = [
        host["endpoint"]["address"]["socket_address"]
        for locality in assignment["endpoints"]
        for host in locality["lb_endpoints"]
        if host["health_status"] in health
    ]
    return [f"{socket['address']}:{socket['port_value']}" for socket in sockets]


@given(st.lists(readable(), min_size=1, max_size=4))
def test_what_deltas_tell_adds_up_to_what_a_new_proxy_is_told(steps: list[list[Json]]) -> None:
    view = epcore.View()
    endpoints: dict[str, Json] = {}
    assignments: dict[str, Json] = {}
    known: set[ServicePort] = set()
    for slices in steps:
        delta = view.replace(slices)
        known.update(ports_of(view))
        changed = envoy.delta_leds(delta, authority=AUTHORITY)
        for name in changed["removed_resources"]:
            del endpoints[name]
        endpoints.update({one["name"]: one["resource"] for one in changed["resources"]})
        whole = envoy.leds(view, known, authority=AUTHORITY)
        assert endpoints == {one["name"]: one["resource"] for one in whole["resources"]}
        told = envoy.delta_eds(view, delta, known)["resources"]
        assignments.update({one["name"]: one["resource"] for one in told})
        empty = {"@type": envoy.ASSIGNMENT, "endpoints": []}
        for port in known:
            name = port.joined("/")
            assert assignments.get(name, {**empty, "cluster_name": name}) == envoy.cluster_load_assignment(view, port)


def test_a_port_whose_endpoints_are_all_leaving_keeps_them_until_one_is_ready() -> None:
    view = view_of(slice_of("web-1", endpoint(1, LEAVING), endpoint(2, IDLE)))
    assert [one.address for one in usable(view, HTTP)] == ["10.0.0.1"]
    assert hosts_of(envoy.cluster_load_assignment(view, HTTP), "HEALTHY") == ["10.0.0.1:80"]
    view.replace([slice_of("web-1", endpoint(1, LEAVING), endpoint(3))])
    assert [one.address for one in usable(view, HTTP)] == ["10.0.0.3"]
    both = envoy.cluster_load_assignment(view, HTTP, draining=True)
    assert (hosts_of(both, "HEALTHY"), hosts_of(both, "DRAINING")) == (["10.0.0.3:80"], ["10.0.0.1:80"])


def test_of_two_families_one_is_used_and_hints_are_followed_where_we_say_where_we_are() -> None:
    hinted = {**endpoint(1, zone="a"), "hints": {"forZones": [{"name": "a"}]}}
    other = {**endpoint(2, zone="b"), "hints": {"forZones": [{"name": "b"}]}}
    view = view_of(slice_of("web-1", hinted, other), slice_of("web-2", {"addresses": ["fd00::1"]}, family="IPv6"))
    assert [one.address for one in usable(view, HTTP)] == ["10.0.0.1", "10.0.0.2"]
    assert [one.address for one in usable(view, HTTP, Locality(zone="b"))] == ["10.0.0.2"]
    view.remove("web-1", "shop")
    assert "server [fd00::1]:80;" in nginx.upstream(view, HTTP)
    zones = envoy.cluster_load_assignment(view_of(slice_of("web-1", hinted, other)), HTTP)["endpoints"]
    assert [one["locality"] for one in zones] == [{"zone": "a"}, {"zone": "b"}]


def test_a_port_without_endpoints_is_still_there() -> None:
    empty = epcore.View()
    assert "down" in nginx.upstream(empty, HTTP)
    assert json.loads(envoy.eds(empty, [HTTP]))["resources"][0]["endpoints"] == []
    assert haproxy.Backend(HTTP, block=1).section() == "backend shop_web_http\n    server s1 127.0.0.1:1 disabled\n"
    assert prometheus.file_sd(empty, [HTTP]) == "[]\n"
    assert names.hosts(empty, [("shop", "web")]) == names.records(empty, [("shop", "web")]) == ""


NO_PORTS = ["", "web", "/web", "shop/", "shop/web:http/", "shop", "a/b/c", ":http/UDP", "shop/:http", "shop/web:a:b"]


@pytest.mark.parametrize("text", [*NO_PORTS, "shop/web:http/tcp", "shop/web:http/XXX", "shop/web: ", "shop/web\n"])
def test_what_names_no_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not NAMESPACE/SERVICE.* TCP, UDP, SCTP"):
        ServicePort.parse(text)
    assert ServicePort.parse("shop/web") == ServicePort.parse("shop/web:") == ServicePort("shop", "web")
    assert ServicePort.parse("shop/web:http/SCTP") == ServicePort("shop", "web", "http", "SCTP")


def test_a_port_that_cannot_be_is_refused_where_it_is_made() -> None:
    wrong: list[Any] = [("shop", "web", 80), ("shop", "web", None), (None, "web"), ("shop", b"web")]
    for parts in wrong:
        with pytest.raises(TypeError, match="are texts"):
            ServicePort(*parts)
    for protocol in ("tcp", "", "HTTP"):
        with pytest.raises(ValueError, match="is none of TCP, UDP, SCTP"):
            ServicePort("shop", "web", "http", protocol)
    assert repr(HTTP) == "ServicePort(namespace='shop', service='web', name='http', protocol='TCP')"
    assert pickle.loads(pickle.dumps(HTTP)) == HTTP


@pytest.mark.parametrize("number", [-1, 0, 65_536, 2**31 - 1])
def test_a_port_number_that_no_packet_can_have_is_told_to_no_proxy(number: int) -> None:
    view = view_of(slice_of("web-1", endpoint(1, LEAVING)))
    services = [("shop", "web")]
    before = [*texts(view)[:-3], names.records(view, services).count("SRV")]
    odd = slice_of("web-2", endpoint(2), ports=[{"name": "http", "port": number}])
    delta = view.apply({"type": "ADDED", "object": odd})
    assert [*texts(view)[:-3], names.records(view, services).count("SRV")] == before
    assert not envoy.delta_leds(delta, authority=AUTHORITY)["resources"]
    backend = haproxy.Backend(HTTP, block=2)
    assert "10.0.0.2" not in str(backend.replace(view)) + backend.section()
    assert "10.0.0.2" in names.hosts(view, services), "a name needs no port"


def test_the_names_of_two_ports_differ_whatever_label_a_slice_has() -> None:
    # No Service can be called so, but whoever makes slices writes what they like into the label.
    labels = st.from_regex(r"[A-Za-z0-9]([-_.A-Za-z0-9]{0,3}[A-Za-z0-9])?", fullmatch=True)
    ports = st.builds(ServicePort, st.sampled_from("ab"), labels, st.sampled_from(["", "a", "b"]), st.just("TCP"))

    @given(ports, ports)
    def differ(one: ServicePort, other: ServicePort) -> None:
        for separator in "_/":
            assert (one.joined(separator) == other.joined(separator)) == (one == other)

    differ()
    assert ServicePort("shop", "web_http").joined("_") != HTTP.joined("_")


def test_ports_that_differ_in_the_protocol_alone_are_never_taken_for_one_another() -> None:
    dns_ports = [[{"name": "dns", "port": 53, "protocol": protocol}] for protocol in ("TCP", "UDP")]
    view = epcore.View()
    slices = [slice_of(f"web-{number}", endpoint(1), ports=ports) for number, ports in enumerate(dns_ports)]
    delta = view.replace(slices)
    tcp, udp = ServicePort("shop", "web", "dns"), ServicePort("shop", "web", "dns", "UDP")
    for told in (
        lambda: envoy.eds(view, [tcp, udp]),
        lambda: envoy.delta_eds(view, delta, [tcp, udp]),
        lambda: envoy.leds(view, [tcp, udp], authority=AUTHORITY),
        lambda: envoy.delta_leds(delta, authority=AUTHORITY, ports=[udp, tcp]),
    ):
        with pytest.raises(ValueError, match="shop/web/dns/UDP would have the same name as its port of TCP"):
            told()
    gone = view.replace(slices[:1])
    assert not envoy.delta_leds(gone, authority=AUTHORITY, ports=[tcp, tcp])["removed_resources"]
    assert len(envoy.delta_leds(gone, authority=AUTHORITY, ports=[udp])["removed_resources"]) == 1
    assert envoy.delta_leds(gone, authority=AUTHORITY) == envoy.delta_leds(gone, authority=AUTHORITY, ports=[udp])


@pytest.mark.parametrize("name", ["a.example", "host.1", "1.2.3", "10.0.0.1"])
def test_a_proxy_is_told_no_domain_names_where_it_takes_addresses(name: str) -> None:
    """Not even those that look like addresses: at ``1.2.3`` Envoy ends."""
    view = epcore.View()
    delta = view.replace([slice_of("web-1", {"addresses": [name], "conditions": LEAVING}, family="FQDN")])
    assert [change.address_type for change in delta.added] == ["FQDN"]
    assert not envoy.leds(view, [HTTP], authority=AUTHORITY)["resources"]
    assert not envoy.leds_assignment(view, HTTP, authority=AUTHORITY, config={})["endpoints"]
    assert not envoy.delta_leds(delta, authority=AUTHORITY)["resources"]
    assert not envoy.delta_leds(view.replace([]), authority=AUTHORITY)["removed_resources"]
    view.replace([slice_of("web-1", {"addresses": [name], "conditions": LEAVING}, family="FQDN")])
    assert not envoy.cluster_load_assignment(view, HTTP, draining=True)["endpoints"]
    assert nginx.NOBODY in nginx.upstream(view, HTTP)
    with pytest.raises(ValueError, match="family of a backend must be one of IPv4, IPv6, not 'FQDN'"):
        haproxy.Backend(HTTP, family="FQDN")  # type: ignore[arg-type]
    slots = epcore.Slots("web", "http", namespace="shop", capacity=1, family="FQDN")
    assert [change.after and change.after.address for change in slots.replace(view)] == [name]


def test_a_haproxy_that_was_there_before_is_told_the_state_of_each_slot() -> None:
    # s1 points to one that went, and is in maintenance; s2 may be draining, since it was leaving and came back.
    view = view_of(slice_of("web-1", endpoint(2), endpoint(9)))
    backend = haproxy.Backend(HTTP, servers=[("10.0.0.1", 80), ("10.0.0.2", 80), None])
    assert backend.replace(view) == [
        "set server shop_web_http/s2 state ready",
        "set server shop_web_http/s1 addr 10.0.0.9 port 80",
        "set server shop_web_http/s1 state ready",
    ]
    assert not backend.replace(view)
    delta = view.apply({"type": "MODIFIED", "object": slice_of("web-1", endpoint(2), endpoint(8))})
    assert backend.apply(delta) == ["set server shop_web_http/s1 addr 10.0.0.8 port 80"]


STATE = """1
# be_id be_name srv_id srv_name srv_addr srv_port
3 shop_web_http 1 s1 10.0.0.1 80
3 shop_web_http 2 s2 10.0.0.2 80

"""


@contextmanager
def haproxy_that_says(folder: Path, answer: str) -> Iterator[haproxy.Runtime]:
    """Answer once, whatever is asked, and go away."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen()

        def serve() -> None:
            with listener.accept()[0] as connection:
                connection.recv(65_536)
                connection.sendall(answer.encode())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield haproxy.Runtime(str(folder / "socket"))
        thread.join(10)


@pytest.mark.parametrize("length", [0, 10, STATE.index("3 shop_web_http 2"), len(STATE) - 4, len(STATE) - 1])
def test_the_half_of_an_answer_is_not_taken_for_what_haproxy_serves(length: int, tmp_path: Path) -> None:
    with (
        haproxy_that_says(tmp_path, STATE[:length]) as runtime,
        pytest.raises(haproxy.HAProxyError, match="has gone before it answered"),
    ):
        runtime.servers("shop_web_http")


def test_a_whole_answer_is_what_haproxy_serves(tmp_path: Path) -> None:
    with haproxy_that_says(tmp_path, STATE) as runtime:
        assert runtime.servers("shop_web_http") == [("10.0.0.1", 80), ("10.0.0.2", 80)]


@pytest.mark.parametrize(("answer", "is_done"), [("", False), ("\n", False), ("\n\n", True)])
def test_a_command_without_an_answer_is_not_taken_for_done(answer: str, *, is_done: bool, tmp_path: Path) -> None:
    gone = nullcontext() if is_done else pytest.raises(haproxy.HAProxyError, match="has gone before it answered")
    with haproxy_that_says(tmp_path, answer) as runtime, gone:
        runtime.send(["set server b/s1 state ready", "set server b/s2 state maint"])


def test_a_haproxy_may_write_addresses_in_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    state = """1
# be_id be_name srv_id srv_name srv_addr srv_port
3 shop_web_http 1 s1 ::1.2.3.4 80
3 shop_web_http 2 s2 127.0.0.1 1
"""
    monkeypatch.setattr(haproxy.Runtime, "_ask", lambda *_: state)
    assert haproxy.Runtime("socket").servers("shop_web_http") == [("::102:304", 80), None]


def test_of_slots_of_haproxy_that_point_to_one_address_one_goes_on() -> None:
    # s1 was freed, and kept its address; the endpoint came back in s2.
    backend = haproxy.Backend(HTTP, servers=[("10.0.0.1", 80), ("10.0.0.1", 80)])
    assert backend.replace(view_of(slice_of("web-1", endpoint(1)))) == [
        "set server shop_web_http/s1 state ready",
        "set server shop_web_http/s2 state maint",
    ]


def test_one_text_is_not_taken_for_lines() -> None:
    assert "\n    least_conn;\n" in nginx.upstream(epcore.View(), HTTP, options=("least_conn",))
    with pytest.raises(TypeError, match="a list of lines"):
        nginx.upstream(epcore.View(), HTTP, options="least_conn")
    with pytest.raises(TypeError, match="a list of lines"):
        haproxy.Backend(HTTP, options="balance leastconn")


@pytest.mark.parametrize("block", [0, -1])
def test_no_slots_at_a_time_are_refused(block: int) -> None:
    with pytest.raises(ValueError, match="blocks of 1 or more"):
        haproxy.Backend(HTTP, block=block, servers=[("10.0.0.1", 80)])


@pytest.mark.parametrize("protocol", ["UDP", "SCTP"])
def test_a_port_that_haproxy_does_not_pass_on_is_no_server_of_tcp(protocol: str) -> None:
    with pytest.raises(ValueError, match=f"shop/web/dns: HAProxy passes on no {protocol}"):
        haproxy.Backend(ServicePort("shop", "web", "dns", protocol))


def test_dns_records_are_those_of_a_headless_service() -> None:
    view = view_of(
        slice_of("web-1", endpoint(1, hostname="web-0"), endpoint(2), endpoint(3, IDLE)),
        slice_of("web-2", {"addresses": ["fd00::1"]}, family="IPv6"),
        slice_of("web-3", {"addresses": ["example.org"]}, family="FQDN"),
    )
    zone = dns.zone.from_text(names.records(view, [("shop", "web")]), origin="cluster.local.", check_origin=False)
    answers: dict[tuple[str, str], list[str]] = {}
    for name, _, record in zone.iterate_rdatas():
        answers.setdefault((str(name), record.rdtype.name), []).append(str(record))
    for found in answers.values():
        found.sort()
    assert answers == {
        ("web.shop.svc", "A"): ["10.0.0.1", "10.0.0.2"],
        ("web.shop.svc", "AAAA"): ["fd00::1"],
        ("web-0.web.shop.svc", "A"): ["10.0.0.1"],
        ("10-0-0-2.web.shop.svc", "A"): ["10.0.0.2"],
        ("fd00--1.web.shop.svc", "AAAA"): ["fd00::1"],
        ("_http._tcp.web.shop.svc", "SRV"): [
            f"0 100 80 {name}.web.shop.svc" for name in ("10-0-0-2", "fd00--1", "web-0")
        ],
    }
    # Two at one address, of which one has a name: what SRV points to is there.
    shared = view_of(
        slice_of("web-1", endpoint(1, hostname="a")), slice_of("web-2", endpoint(1), ports=[{"name": "x", "port": 81}])
    )
    said = names.records(shared, [("shop", "web")]).splitlines()
    assert {line.split()[-1] for line in said if " SRV " in line} <= {line.split()[0] for line in said if " A " in line}
    lines = names.hosts(view, [("shop", "web")]).splitlines()
    assert [str(ipaddress.ip_address(line.split()[0])) for line in lines] == ["10.0.0.1", "10.0.0.2", "fd00::1"]
    assert all("web.shop.svc.cluster.local" in line.split() for line in lines)


@needs("promtool")
@given(slices=readable())
@settings(max_examples=10)
def test_prometheus_reads_its_file_and_finds_every_endpoint(slices: list[Json], tmp_path_factory: Any) -> None:
    view = view_of(*slices)
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "targets.json").write_text(prometheus.file_sd(view, ports_of(view, None)))
    config: Json = {"scrape_configs": [{"job_name": "web", "file_sd_configs": [{"files": ["targets.json"]}]}]}
    (folder / "prometheus.yml").write_text(json.dumps(config))
    checked = run("promtool", "check", "service-discovery", "--timeout=1s", "prometheus.yml", "web", folder=folder)
    found = {one["labels"]["instance"] for one in json.loads(checked.stdout) or []}
    assert found == {f"{one.address}:{one.port}" for one in view.endpoints() if one.port in range(1, 65_536)}


@needs("nginx")
@given(slices=readable())
@settings(max_examples=10)
def test_nginx_accepts_its_upstreams(slices: list[Json], tmp_path_factory: Any) -> None:
    view = view_of(*slices)
    folder = tmp_path_factory.mktemp("nginx")
    blocks = "".join(nginx.upstream(view, port, options=["least_conn"]) for port in {HTTP, *ports_of(view, None)})
    files = f"error_log stderr; pid {folder}/pid; events {{}} http {{ access_log off;"
    paths = " ".join(f"{one}_temp_path {folder};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(f"{files} {paths} {blocks} }}")
    run("nginx", "-t", "-p", str(folder), "-c", "nginx.conf", "-e", "stderr", folder=folder)


@needs("haproxy")
@given(slices=readable())
@settings(max_examples=10)
def test_haproxy_accepts_its_backends(slices: list[Json], tmp_path_factory: Any) -> None:
    view = view_of(*slices)
    folder = tmp_path_factory.mktemp("haproxy")
    backends = [haproxy.Backend(port, block=4, options=["balance leastconn"]) for port in {HTTP, *ports_of(view)}]
    for backend in backends:
        backend.replace(view)
    defaults = "defaults\n    mode http\n    timeout connect 1s\n    timeout client 1s\n    timeout server 1s\n"
    listener = f"frontend main\n    bind unix@{folder}/socket\n    default_backend {HTTP.joined('_')}\n"
    (folder / "haproxy.cfg").write_text(defaults + listener + "\n".join(backend.section() for backend in backends))
    run("haproxy", "-c", "-f", "haproxy.cfg", folder=folder)


@needs("envoy")
@given(slices=readable())
@settings(max_examples=3)
def test_envoy_accepts_its_assignments(slices: list[Json], tmp_path_factory: Any) -> None:
    """As parts of its configuration, which it checks to the last field."""
    view = view_of(*slices)
    folder = tmp_path_factory.mktemp("envoy")
    clusters = []
    for port in {HTTP, *ports_of(view, None)}:
        assignment = envoy.cluster_load_assignment(view, port, draining=True)
        del assignment["@type"]
        clusters.append({"name": assignment["cluster_name"], "type": "STATIC", "load_assignment": assignment})
    (folder / "envoy.json").write_text(json.dumps({"static_resources": {"clusters": clusters}}))
    run("envoy", "--mode", "validate", "-c", "envoy.json", "--log-level", "error", folder=folder)


def run(name: str, *arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a checker, which must accept what it is given."""
    done = subprocess.run(
        [program(name), *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


class Asked(haproxy.Runtime):
    """HAProxy does what it is asked, and every request is kept."""

    def __init__(self) -> None:
        super().__init__("nowhere")
        self.requests: list[str] = []

    def _ask(self, request: str) -> str:
        self.requests.append(request)
        return ""


def test_commands_are_sent_in_order_in_as_few_requests_as_fit_into_the_buffer_of_haproxy() -> None:
    commands = [f"set server b/s{number} state ready" for number in range(3_000)] + ["x" * 9_000, "a", "b" * 7_998, "c"]
    runtime = Asked()
    runtime.send(commands)
    requests = runtime.requests
    assert ";".join(requests).split(";") == commands
    assert all(len(request) <= 8_000 or ";" not in request for request in requests)
    firsts = [request.partition(";")[0] for request in requests]
    assert all(len(request) + 1 + len(first) > 8_000 for request, first in zip(requests, firsts[1:], strict=False))
