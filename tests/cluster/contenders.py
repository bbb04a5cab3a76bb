"""The controllers of the tests: epcore's, as a program or embedded, and Kubernetes' own to compare it with."""

import json
import sys
from pathlib import Path
from typing import Any

from cluster.control_plane import ControlPlane
from cluster.processes import Program

EMBEDDED = Path(__file__).parent / "embedded.py"
KUBERNETES = "kube-controller-manager"
THEIRS = "endpointslice-controller.k8s.io"
OURS = "epcore.example.com"


def controller(
    control_plane: ControlPlane,
    kubeconfig: Path | None = None,
    *,
    name: str = "epcore",
    limits: dict[str, Any] | None = None,
    **options: Any,
) -> Program:
    """Make epcore's controller ready to start, embedded; ``options`` are those of ``ControllerOptions``."""
    chosen = {"managed_by": OURS, "with_selector": True, **options}
    config = kubeconfig or control_plane.kubeconfig()
    command = [sys.executable, str(EMBEDDED), str(config), json.dumps(chosen), json.dumps(limits or {})]
    return Program(command, control_plane.folder / f"{name}.log")


def command(
    control_plane: ControlPlane, *options: str, kubeconfig: Path | None = None, name: str = "epcore"
) -> Program:
    """Make ``epcore controller`` ready to start."""
    config = kubeconfig or control_plane.kubeconfig()
    own = ["controller", "--kubeconfig", str(config)]
    return Program([sys.executable, "-m", "epcore", *own, *options], control_plane.folder / f"{name}.log")


def contender(
    control_plane: ControlPlane, name: str, *, most: int = 100, batch: float = 0.0, manager: str = OURS
) -> Program:
    """Make Kubernetes' controller ready to start, or epcore's with a policy; ``batch`` is its batch period."""
    if name == KUBERNETES:
        return control_plane.controller_manager(
            f"--max-endpoints-per-slice={most}", f"--endpointslice-updates-batch-period={batch}s"
        )
    options = [
        "--with-selector",
        "--managed-by",
        manager,
        "--policy",
        name,
        "--max-endpoints",
        str(most),
        "--batch-period",
        str(batch),
    ]
    return command(
        control_plane, *options, "--metrics-address", "none", "--log-level", "warning", name=f"epcore-{name}"
    )


def written_by(manager: str) -> str:
    """Select the slices of a writer by their label."""
    return f"endpointslice.kubernetes.io/managed-by={manager}"
