"""Which credentials there are for a cluster: a kubeconfig, or the account of a Pod."""

import os


def has_kubeconfig(places: str) -> bool:
    """Tell whether there is one in the usual place, or in one of those that ``KUBECONFIG`` names.

    None is in a place that may not be looked at, as the home of the user for whom an image was made.
    """
    # A `Path` raises for such a place until Python 3.14, and where the user has no home.
    return any(os.path.exists(os.path.expanduser(one)) for one in places.split(os.pathsep))  # noqa: PTH110, PTH111


def is_in_pod(places: str) -> bool:
    """Tell whether there is the account of a Pod, and no kubeconfig."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and not has_kubeconfig(places)
