"""Large inputs fit into memory that is known: the peak of a process that does all of it."""

import subprocess
import sys
import textwrap


def peak(program: str) -> int:
    """Bytes of the process at its peak, above those of one that imports the same."""
    measured = []
    for code in ("", program):
        # `ru_maxrss` would count the process that this one was made by.
        tell = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
        text = f"import epcore\n{textwrap.dedent(code)}\n{tell}"
        run = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=300)
        assert run.returncode == 0, run.stderr
        measured.append(1024 * int(run.stdout))
    return measured[1] - measured[0]


MANY = r"""
def slice(service, number, first, count):
    head = (b'{"metadata":{"name":"%s-%06d","namespace":"shop","labels":{"kubernetes.io/service-name":"%s",'
            b'"endpointslice.kubernetes.io/managed-by":"epcore"}},"addressType":"IPv4",'
            b'"ports":[{"name":"http","port":80,"protocol":"TCP"}],"endpoints":[' % (service, number, service))
    return head + b",".join(
        b'{"addresses":["10.%d.%d.%d"],"conditions":{"ready":true},"targetRef":{"kind":"Pod","namespace":"shop",'
        b'"name":"web-7d9c5f6b8d-%05x","uid":"76aab8c4-8e74-4648-8491-%012x"},"nodeName":"node-%d","zone":"zone-%d"}'
        % (at >> 16, at >> 8 & 255, at & 255, at, at, at % 300, at % 3) for at in range(first, first + count)) + b"]}"
"""


def test_a_million_endpoints_of_one_service_fit_a_known_peak() -> None:
    """From bytes to handles, plans, deltas, a view and a packer, one after the other; the JSON is 270 bytes of each."""
    program = MANY + textwrap.dedent(
        """
        text = b"[" + b",".join(slice(b"web", number, 100 * number, 100) for number in range(10_000)) + b"]"
        slices, wanted = epcore.SliceSet.from_json(text), epcore.EndpointSet.from_json(text)
        assert sum(map(len, slices)) == len(wanted) == 1_000_000
        del text
        assert not epcore.diff(slices, slices)
        template = {"metadata": {"generateName": "web-", "namespace": "shop",
                    "labels": slices[0].labels}, "addressType": "IPv4",
                    "ports": [{"name": "http", "port": 80, "protocol": "TCP"}], "endpoints": []}
        assert not epcore.pack(wanted, slices, template=template)
        view = epcore.View()
        assert len(view.replace(slices).added) == 1_000_000
        assert not view.replace(slices)
        del view
        packer = epcore.Packer()
        packer.apply({"type": "ADDED", "object": {"kind": "Service", "metadata": {"name": "web", "namespace": "shop"},
                      "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "http", "port": 80}]}}})
        packer.replace(slices.to_json(), kind="EndpointSlice")
        packer.publish("web", wanted, namespace="shop")
        assert len(packer.plan("web", namespace="shop")) == 0
        """
    )
    assert peak(program) / 1_000_000 < 2_500


def test_ten_thousand_services_of_ten_endpoints_fit_a_known_peak() -> None:
    program = MANY + textwrap.dedent(
        """
        names = [b"web%05d" % number for number in range(10_000)]
        text = b"[" + b",".join(slice(name, 0, 10 * at, 10) for at, name in enumerate(names)) + b"]"
        slices = epcore.SliceSet.from_json(text)
        view = epcore.View()
        assert len(view.replace(slices).added) == 100_000
        packer = epcore.Packer()
        packer.replace([{"metadata": {"name": name.decode(), "namespace": "shop"},
                         "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "http", "port": 80}]}}
                        for name in names], kind="Service")
        packer.replace(slices.to_json(), kind="EndpointSlice")
        for at, name in enumerate(names):
            packer.publish(name.decode(), slices[at].endpoints, namespace="shop")
        assert len(packer.dirty) <= 10_000
        assert all(not packer.plan(name.decode(), namespace="shop") for name in names)
        """
    )
    assert peak(program) / 10_000 < 25_000


def test_an_address_of_many_targets_fits_a_known_peak() -> None:
    program = """
        def endpoints(name):
            return [{"addresses": ["10.0.0.1"], "targetRef": {"name": f"{name}-{at}"}} for at in range(10_000)]
        held = endpoints("web")
        existing = [{"metadata": {"name": f"web-{first}"}, "addressType": "IPv4", "ports": [],
                     "endpoints": held[first:first + 100]} for first in range(0, 10_000, 100)]
        assert epcore.pack(endpoints("db"), existing).stats.updates == 100
        """
    assert peak(program) < 100_000_000


def test_an_address_of_many_ports_fits_a_known_peak() -> None:
    """All its ports pass to another target."""
    program = """
        service = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"ports": [{"port": 80}]}}
        def published(target, existing=()):
            endpoints = [{"address": f"10.0.0.1:{port + 1}", "targetRef": {"name": target}} for port in range(2_000)]
            return epcore.publish(service, endpoints, existing, managed_by="sync.example.com", naming="deterministic")
        assert published("web-2", published("web-1").result()).stats.updates == 2_000
        """
    assert peak(program) < 100_000_000
