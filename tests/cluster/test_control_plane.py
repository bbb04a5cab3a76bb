"""The control plane of the tests does what the tests lean on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.api import Api, ApiError
from cluster.control_plane import ControlPlane
from cluster.objects import address, node, pod, running, service, start_nodes, start_pods
from cluster.processes import Program, eventually
from programs import needs


def test_pods_have_the_status_that_a_test_gives_them(api: Api, namespace: str) -> None:
    start_nodes(api, [node(f"{namespace}-node", "a")])
    pods = [(pod(f"web-{i}", namespace, f"{namespace}-node"), running(address(i))) for i in range(1, 41)]
    started = start_pods(api, pods)
    assert [one["status"]["podIP"] for one in started] == [address(i) for i in range(1, 41)]
    assert len(api.items("pods", namespace)) == 40


def test_a_deleted_pod_terminates_until_its_grace_is_taken(api: Api, namespace: str) -> None:
    [started] = start_pods(api, [(pod("web", namespace, "somewhere"), running("10.0.0.1"))])
    assert "deletionTimestamp" in api.delete(started)["metadata"]
    assert api.items("pods", namespace)
    api.delete(started, grace=0)
    assert not api.items("pods", namespace)


def test_who_has_no_role_may_do_nothing(control_plane: ControlPlane, api: Api, namespace: str) -> None:
    api.create({"kind": "ServiceAccount", "metadata": {"name": "nobody", "namespace": namespace}})
    for nobody in (control_plane.api("nobody"), control_plane.api(token=control_plane.token(namespace, "nobody"))):
        with pytest.raises(ApiError) as refused:
            nobody.items("services", namespace)
        assert refused.value.status == 403
        nobody.close()


def test_a_token_is_refused_when_it_has_expired(control_plane: ControlPlane, api: Api, namespace: str) -> None:
    api.create({"kind": "ServiceAccount", "metadata": {"name": "late", "namespace": namespace}})
    late = control_plane.api(token=control_plane.token(namespace, "late", seconds=-1))
    with pytest.raises(ApiError) as refused:
        late.items("services", namespace)
    assert refused.value.status == 401
    late.close()


@needs("kube-controller-manager")
def test_kubernetes_own_controller_writes_slices(own_control_plane: ControlPlane) -> None:
    api = own_control_plane.admin
    start_nodes(api, [node("node")])
    start_pods(api, [(pod("web", "default", "node", labels={"app": "web"}), running("10.0.0.1"))])
    api.create(service("web", "default", selector={"app": "web"}))
    manager = own_control_plane.controller_manager()
    manager.start()

    def written() -> list[str]:
        slices = api.items("endpointslices", "default", labels="kubernetes.io/service-name=web")
        return [address for one in slices for endpoint in one["endpoints"] for address in endpoint["addresses"]]

    try:
        manager.wait_until(lambda: written() == ["10.0.0.1"], "the slice")
        assert manager.cpu_seconds() > 0
        assert manager.memory() > 10_000_000
    finally:
        manager.stop()


def test_a_program_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """Also where that is killed, and nothing of it could end the program."""
    starts = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from pathlib import Path
from cluster.processes import Program
program = Program(["/bin/sleep", "60"], Path({str(tmp_path / "log")!r}))
program.start()
print(program.process.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", starts], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.send_signal(signal.SIGKILL)

    def is_gone() -> bool:
        try:
            state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        return state == "Z"

    eventually(is_gone, "the end of the child")


def test_a_program_that_does_not_come_up_shows_its_log(tmp_path: Path) -> None:
    program = Program(["/bin/sh", "-c", "echo no such thing; exit 3"], tmp_path / "log")
    program.start()
    with pytest.raises(AssertionError, match="ended with 3:\nno such thing"):
        program.wait_until(lambda: False, "anything")
    program.stop()
