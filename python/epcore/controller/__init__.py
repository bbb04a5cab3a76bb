"""The controller: what should be there, read from where it is kept, and slices written until they say it.

:class:`Controller` works on a cluster and needs the extra ``epcore[controller]``; ``epcore sync --dir`` does the same
work on a folder and needs ``epcore[cli]``. The engine itself needs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from epcore.controller.api import Api, ApiError
    from epcore.controller.controller import Controller, ControllerError
    from epcore.controller.folder import Change
    from epcore.controller.metrics import Metrics
    from epcore.controller.options import ControllerOptions
    from epcore.controller.replica import Replica

__all__ = ["Api", "ApiError", "Change", "Controller", "ControllerError", "ControllerOptions", "Metrics", "Replica"]

_HOMES: Final = {
    "Api": "api",
    "ApiError": "api",
    "Change": "folder",
    "Controller": "controller",
    "ControllerError": "controller",
    "ControllerOptions": "options",
    "Metrics": "metrics",
    "Replica": "replica",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - of each name there is another type
    """Import what is asked for: a folder needs no Kubernetes client."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
