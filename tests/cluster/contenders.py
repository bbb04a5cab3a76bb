"""The controllers that are compared: Kubernetes' own, and epcore's with each policy."""

import json
import sys
from pathlib import Path
from typing import Any

from cluster.control_plane import ControlPlane
from cluster.processes import Program

EMBEDDED = Path(__file__).parent / "embedded.py"
KUBERNETES = "kube-controller-manager"
OURS = "epcore.example.com"
MANAGERS = {KUBERNETES: "endpointslice-controller.k8s.io"}


def controller(
    control_plane: ControlPlane,
    kubeconfig: Path | None = None,
    *,
    name: str = "epcore",
    limits: dict[str, Any] | None = None,
    **options: Any,
) -> Program:
    """Make epcore's controller ready to start; ``options`` are those of ``ControllerOptions``."""
    chosen = {"managed_by": OURS, "with_selector": True, **options}
    config = kubeconfig or control_plane.kubeconfig()
    command = [sys.executable, str(EMBEDDED), str(config), json.dumps(chosen), json.dumps(limits or {})]
    return Program(command, control_plane.folder / f"{name}.log")


def contender(control_plane: ControlPlane, name: str, **options: Any) -> Program:
    """Make Kubernetes' controller ready to start, or epcore's with a policy."""
    if name == KUBERNETES:
        return control_plane.controller_manager()
    return controller(control_plane, policy=name, **options)
