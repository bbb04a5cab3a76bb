"""Which credentials there are for a cluster: a kubeconfig, or the account of a Pod."""

import os
from pathlib import Path


def has_kubeconfig(places: str) -> bool:
    """Tell whether there is one in the usual place, or in one of those that ``KUBECONFIG`` names."""
    return any(Path(one).expanduser().exists() for one in places.split(os.pathsep))


def is_in_pod(places: str) -> bool:
    """Tell whether there is the account of a Pod, and no kubeconfig."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and not has_kubeconfig(places)
