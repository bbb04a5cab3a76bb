"""What a change costs does not depend on how many Services there are that did not change."""

from cluster.api import Api
from cluster.contenders import command
from cluster.control_plane import ControlPlane
from cluster.crowd import Crowd

FEW, MANY, TURNS = 20, 300, 50


def test_a_change_costs_the_same_among_many_services_as_among_few(
    control_plane: ControlPlane, api: Api, namespace: str
) -> None:
    crowd = Crowd(api, namespace, each=2)
    crowd.prepare(MANY)
    options = ["--namespace", namespace, "--with-selector", "--kube-api-qps", "1000", "--log-level", "warning"]
    program = command(control_plane, *options, "--metrics-address", "none", name="epcore-size")
    program.start()
    try:
        crowd.open(0, FEW)
        crowd.wait()
        among_few = crowd.cost_of_change(program, TURNS)
        crowd.open(FEW, MANY)
        crowd.wait()
        among_many = crowd.cost_of_change(program, TURNS)
        memory = program.memory()
    finally:
        program.stop()
    assert among_many < 2 * among_few + 0.001
    assert among_many < 0.02
    assert memory < 200e6
