"""How a controller works: what it may touch, how it packs, how fast it goes."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from epcore.controller.sync import MANAGED_BY

if TYPE_CHECKING:
    from epcore import Policy
    from epcore.types import PolicyName

MOST_WORKERS: Final = 50
"""As Kubernetes' own controller has it (``ValidateEndpointSliceControllerConfiguration``: 1 to 50)."""
_LABEL_VALUE: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class ControllerOptions:
    """How slices are made, and how fast.

    :param managed_by: value of the label ``endpointslice.kubernetes.io/managed-by`` of the slices that are ours; no
        other slice is ever touched.
    :param controller: the same for slices of Services with selector; left out, ``managed_by``. With Kubernetes' own
        name, ``endpointslice-controller.k8s.io``, its slices are taken over: only where its controller is off.
    :param namespace: the only one that is looked at; ``None`` for all.
    :param with_selector: all Services with selector, and not only those that ask for it by the label
        ``epcore.dev/reconcile``.
    :param mirror: make slices of Endpoints that somebody wrote for a Service without selector and source.
    :param batch_period: seconds for which changes of Pods and sources are collected: the first fixes the time.
    :param concurrency: Services that are written at the same time, 1 to 50; one Service never twice.
    :param trigger_time: tell in an annotation of each written slice when that happened which led to the write.
    :param retry_base: seconds until a Service that failed is tried again; doubled each time.
    :param retry_longest: most seconds between two tries.
    :param retries: tries after which a failing Service waits for news.
    :param retry_rate: tries again for each second, over all Services, with ``retry_burst`` at once.
    :param source_timeout: seconds that a single run waits for a source to tell its endpoints.
    :param page: objects in one answer of a list.
    :param watch_silence: seconds without a byte, bookmarks too, after which a watch is taken for dead and all is listed
        anew. The API server sends a bookmark each minute.
    """

    managed_by: str = MANAGED_BY
    controller: str | None = None
    namespace: str | None = None
    with_selector: bool = False
    mirror: bool = False
    max_endpoints: int = 100
    policy: "PolicyName | Policy" = "balanced"
    batch_period: float = 0.0
    concurrency: int = 5
    trigger_time: bool = True
    retry_base: float = 1.0
    retry_longest: float = 1000.0
    retries: int = 15
    retry_rate: float = 10.0
    retry_burst: int = 100
    source_timeout: float = 30.0
    page: int = 500
    watch_silence: float = 90.0

    def __post_init__(self) -> None:
        for writer in self.writers:
            if not _LABEL_VALUE.fullmatch(writer):
                raise ValueError(f"managed_by: {writer!r} cannot be the value of a label")
        if not 1 <= self.concurrency <= MOST_WORKERS:
            raise ValueError(f"concurrency: {self.concurrency} is not from 1 to {MOST_WORKERS}")
        for name in ("batch_period", "retry_base", "retry_longest", "source_timeout", "watch_silence"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: {getattr(self, name)} is less than nothing")
        if self.page < 1 or self.retries < 0 or self.retry_rate <= 0 or self.retry_burst < 1:
            raise ValueError("page, retry_rate and retry_burst are at least 1, retries is at least 0")

    @property
    def reconciler(self) -> str:
        """Who writes the slices of Services with selector."""
        return self.controller or self.managed_by

    @property
    def mirrorer(self) -> str:
        """Who writes the slices that mirror Endpoints; another, so that each takes only its own away."""
        return f"{self.managed_by}-mirroring"

    @property
    def writers(self) -> tuple[str, ...]:
        """All names under which slices are ours."""
        names = [self.managed_by, self.reconciler, *([self.mirrorer] if self.mirror else [])]
        return tuple(dict.fromkeys(names))
