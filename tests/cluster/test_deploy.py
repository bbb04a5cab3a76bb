"""The manifests of `deploy/` are taken by an API server, permit all that the controller does, and nothing else."""

import json
import re
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from cluster.api import Api, ApiError, Json
from cluster.contenders import command
from cluster.control_plane import ControlPlane
from cluster.objects import address, new_namespace, node, pod, running, service, start_nodes, start_pods
from cluster.processes import eventually
from cluster.proxy import Fault, Proxy, Request

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
FOLDERS = [DEPLOY, DEPLOY / "mirroring"]
ACCOUNT = ("epcore", "epcore-controller")
VERBS = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"


def manifests(*folders: Path) -> list[Json]:
    """All objects, those first that others are in."""
    found: list[Json] = []
    for folder in folders:
        for name in yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]:
            found += yaml.safe_load_all((folder / name).read_text())
    return found


def permitted(*folders: Path) -> set[tuple[str, str, str]]:
    """Group, resource and verb of each permission."""
    rules = [rule for one in manifests(*folders) if one["kind"] in ("ClusterRole", "Role") for rule in one["rules"]]
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.fixture(scope="module")
def deployed(own_control_plane: ControlPlane) -> ControlPlane:
    for one in manifests(*FOLDERS):
        own_control_plane.admin.apply(one)
    return own_control_plane


@pytest.fixture
def account(deployed: ControlPlane) -> Iterator[Api]:
    api = deployed.api(token=deployed.token(*ACCOUNT))
    yield api
    api.close()


def test_each_file_is_in_a_kustomization() -> None:
    for folder in FOLDERS:
        listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
        assert sorted(listed) == sorted(
            path.name for path in folder.glob("*.yaml") if path.name != "kustomization.yaml"
        )


def test_the_api_server_takes_each_manifest_and_knows_each_field(own_control_plane: ControlPlane) -> None:
    api = own_control_plane.admin
    first, *others = manifests(*FOLDERS)
    api.apply(first)
    for one in others:
        assert api.apply(one, dry_run=True)["metadata"]["name"] == one["metadata"]["name"]


def test_the_pod_is_as_restricted_as_the_namespace_asks(deployed: ControlPlane) -> None:
    [template] = [one["spec"]["template"] for one in manifests(DEPLOY) if one["kind"] == "Deployment"]
    metadata = {**template["metadata"], "name": "try", "namespace": "epcore"}
    made: Json = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    deployed.admin.create(made, query={"dryRun": "All", "fieldValidation": "Strict"})
    [container] = template["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    with pytest.raises(ApiError, match="violates PodSecurity"):
        deployed.admin.create({**made, "spec": {**template["spec"], "hostNetwork": True}}, query={"dryRun": "All"})


def test_nothing_is_allowed_but_what_the_roles_name(deployed: ControlPlane, account: Api) -> None:
    """Every verb of every resource that the API server has, in each kind of place, beside who has no role at all."""
    admin = deployed.admin
    admin.create({"kind": "ServiceAccount", "metadata": {"name": "nobody", "namespace": "default"}})
    nobody = deployed.api(token=deployed.token("default", "nobody"))
    resources = _resources(admin)
    assert len(resources) > 60
    places = ["", "kube-system", "epcore"]
    asked = [(*one, verb, place) for one in resources for verb in VERBS for place in places]
    asked += [("", "secrets", "get", place) for place in places] + [("*", "*", "*", "")]

    def allowed(api: Api, asked: list[tuple[str, str, str, str]]) -> list[tuple[str, str, str, str]]:
        def ask(question: tuple[str, str, str, str]) -> bool:
            group, resource, verb, place = question
            name, _, subresource = resource.partition("/")
            attributes = {
                "group": group,
                "resource": name,
                "subresource": subresource,
                "verb": verb,
                "namespace": place,
            }
            review = {"kind": "SelfSubjectAccessReview", "metadata": {}, "spec": {"resourceAttributes": attributes}}
            return bool(api.create(review)["status"]["allowed"])

        return [question for question, yes in zip(asked, api.each(ask, asked), strict=True) if yes]

    # `finalizers` is asked of by admission alone, and is in no list of resources.
    expected = {one for one in permitted(*FOLDERS) if not one[1].endswith("/finalizers")}
    found = allowed(account, asked)
    of_anybody = allowed(nobody, found)
    own = [one for one in found if one not in of_anybody]
    assert {one[:3] for one in own} == expected
    # What is of one namespace alone is not allowed in others.
    assert {one[3] for one in own if one[1] == "leases"} == {"epcore"}
    nobody.close()
    for where in ("/metrics", "/debug/pprof/", "/logs/"):
        with pytest.raises(ApiError, match="403"):
            account.raw(where)


def _resources(admin: Api) -> list[tuple[str, str]]:
    listed = admin.request("GET", "/apis")["groups"]
    groups = [("", "/api/v1"), *((one["name"], f"/apis/{one['preferredVersion']['groupVersion']}") for one in listed)]
    return [(group, one["name"]) for group, where in groups for one in admin.request("GET", where)["resources"]]


def _slice(namespace: str, name: str, manager: str) -> Json:
    labels = {"kubernetes.io/service-name": "web", **({MANAGED_BY: manager} if manager else {})}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "addressType": "IPv4",
        "endpoints": [],
        "ports": [],
    }


@pytest.mark.parametrize("manager", ["endpointslice-controller.k8s.io", ""])
def test_slices_of_others_cannot_be_touched(deployed: ControlPlane, account: Api, manager: str) -> None:
    admin, namespace = deployed.admin, new_namespace(deployed.admin)

    def is_refused(act: Any) -> bool:
        try:
            act()
        except ApiError as error:
            return error.status == 422 and "epcore-controller-own-slices" in str(error)
        return False

    # The policy holds a moment after it was made.
    eventually(lambda: is_refused(lambda: account.create(_slice(namespace, "probe", manager))), "the policy", pause=0.3)
    theirs = admin.create(_slice(namespace, "theirs", manager))
    ours = account.create(_slice(namespace, "ours", "epcore"))
    assert is_refused(lambda: account.delete(theirs))
    assert is_refused(lambda: account.update(theirs | {"endpoints": [{"addresses": ["10.0.0.1"]}]}))
    # Neither may it make theirs its own, or its own theirs.
    swapped = [
        one | {"metadata": one["metadata"] | {"labels": other["metadata"]["labels"]}}
        for one, other in ((theirs, ours), (ours, theirs))
    ]
    assert is_refused(lambda: account.update(swapped[0]))
    assert is_refused(lambda: account.update(swapped[1]))
    assert admin.get("endpointslices", namespace, "theirs") == theirs
    account.update(ours | {"endpoints": [{"addresses": ["10.0.0.1"]}]})
    account.delete(ours)
    admin.delete(theirs)


def test_everything_works_with_the_shipped_roles_and_each_permission_is_used(
    deployed: ControlPlane, tmp_path: Path
) -> None:
    """The program as the Deployment starts it, with its account: Pods, sources, mirroring, Events, lost answers."""
    api = deployed.admin
    namespace = new_namespace(api)
    start_nodes(api, [node("deploy-node", "a")])
    pods = start_pods(
        api,
        [(pod(f"web-{i}", namespace, "deploy-node", labels={"app": "web"}), running(address(i))) for i in range(1, 4)],
    )
    api.create(service("web", namespace, selector={"app": "web"}, labels={"epcore.dev/reconcile": "true"}))
    for name in ("db", "broken", "legacy"):
        api.create(service(name, namespace))
    endpoints = tmp_path / "db.json"
    endpoints.write_text(json.dumps(["192.0.2.1:1", "192.0.2.2:2"]))
    legacy = {"kind": "Endpoints", "apiVersion": "v1", "metadata": {"name": "legacy", "namespace": namespace}}
    api.create({**legacy, "subsets": [{"addresses": [{"ip": "192.0.2.9"}], "ports": [{"name": "http", "port": 80}]}]})
    config = tmp_path / "sources.yaml"
    sources = [(f"{namespace}/db", str(endpoints)), (f"{namespace}/broken", str(tmp_path / "no-such-file.json"))]
    config.write_text(yaml.safe_dump({"services": [{"service": name, "source": source} for name, source in sources]}))

    def held() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for one in api.items("endpointslices", namespace):
            assert one["metadata"]["labels"][MANAGED_BY] in ("epcore", "epcore-mirroring")
            names = found.setdefault(one["metadata"]["labels"]["kubernetes.io/service-name"], set())
            names.update(part for endpoint in one["endpoints"] or () for part in endpoint["addresses"])
        return found

    with Proxy(deployed) as proxy:
        proxy.faults.append(Fault(lambda request: request.writes_slice, lost="cut", times=1))
        proxy.faults.append(Fault(_creates_lease, lost="cut", times=2))
        kubeconfig, _ = deployed.account_kubeconfig(*ACCOUNT, server=proxy.server)
        # In a Pod its own namespace is known.
        arguments = [*_arguments(config), "--mirror", "--lease-namespace", ACCOUNT[0]]
        program = command(deployed, *arguments, kubeconfig=kubeconfig, name="deployed")
        wanted = {"web": {address(i) for i in (1, 2, 3)}, "db": {"192.0.2.1", "192.0.2.2"}, "legacy": {"192.0.2.9"}}
        # The second time its Event is there already.
        for method in ("POST", "PATCH"):
            program.start()
            try:
                program.wait_until(lambda: held() == wanted, "the slices")
                _change(api, pods, endpoints, wanted)
                program.wait_until(lambda: held() == wanted, "the slices after changes")
                program.wait_until(partial(_has_told, proxy, method), "the Event of the broken source")
            finally:
                assert program.stop(patience=30.0) == 0
        used = {_permission(request) for request in proxy.requests}
    events = {(event["involvedObject"]["name"], event["reason"]) for event in api.items("events", namespace)}
    assert ("broken", "SourceFailed") in events
    needed = {one for one in permitted(*FOLDERS) if not one[1].endswith("/finalizers")}
    assert used == needed


def _arguments(config: Path) -> list[str]:
    """Those of the Deployment, with what is elsewhere in a test."""
    [deployment] = [one for one in manifests(DEPLOY) if one["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["epcore"]
    name, *arguments = container["args"]
    assert name == "controller"
    elsewhere = {
        "--config=/etc/epcore/sources.yaml": f"--config={config}",
        "--metrics-address=:8080": "--metrics-address=none",
    }
    assert elsewhere.keys() <= set(arguments)
    return [elsewhere.get(argument, argument) for argument in arguments]


def _change(api: Api, pods: list[Json], endpoints: Path, wanted: dict[str, set[str]]) -> None:
    """Let a Pod go and a port of the source, so that slices are changed and deleted."""
    if len(wanted["web"]) == 3:
        api.delete(pods[0], grace=0)
        endpoints.write_text(json.dumps(["192.0.2.1:1"]))
        wanted |= {"web": {address(2), address(3)}, "db": {"192.0.2.1"}}


def _creates_lease(request: Request) -> bool:
    return request.method == "POST" and "/leases" in request.path


def _has_told(proxy: Proxy, method: str) -> bool:
    return any(request.method == method and "/events" in request.path for request in list(proxy.requests))


def _permission(request: Request) -> tuple[str, str, str]:
    """Tell which permission a request needs (upstream ``RequestInfoFactory``)."""
    found = re.fullmatch(
        r"/(?:api|apis/([^/]+))/v1(?:/namespaces/[^/]+)?/([a-z]+)(/[^/]+)?", urlsplit(request.path).path
    )
    assert found, request
    group, resource, name = found.groups()
    verbs = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
    reads = "watch" if request.is_watch else "get" if name else "list"
    return group or "", resource, verbs.get(request.method, reads)


def test_the_proxy_tells_permissions_apart() -> None:
    base = "/apis/discovery.k8s.io/v1"
    told = [
        _permission(Request(method, path, time.monotonic()))
        for method, path in (
            ("GET", "/api/v1/nodes?watch=true"),
            ("GET", f"{base}/endpointslices?limit=5"),
            ("GET", f"{base}/namespaces/shop/endpointslices/web-1"),
            ("PATCH", "/api/v1/namespaces/shop/events/web.1"),
        )
    ]
    assert told == [
        ("", "nodes", "watch"),
        ("discovery.k8s.io", "endpointslices", "list"),
        ("discovery.k8s.io", "endpointslices", "get"),
        ("", "events", "patch"),
    ]
