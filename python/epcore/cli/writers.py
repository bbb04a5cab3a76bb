"""Who writes slices in a replay: the recorded controller, and the engine with each of its policies.

Every writer is asked for its writes at each step, starting from what it wrote itself before.
"""

import json
from typing import TYPE_CHECKING, NamedTuple, Protocol

from epcore import SliceSet, pack
from epcore.cli.catalog import compact
from epcore.cli.failure import CommandError
from epcore.cli.timeline import Wanted
from epcore.errors import EpcoreError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from epcore import EndpointSlice, Plan, Policy
    from epcore.cli.recording import Lane, SliceEvent
    from epcore.cli.timeline import Step
    from epcore.cli.witness import Ports
    from epcore.types import CohortName, PolicyName, Replace, Verb


class SliceWrite(NamedTuple):
    """One write as the API server would take it."""

    verb: "Verb"
    name: str
    endpoints: "Sequence[int]"
    """Numbers in the catalog, -1 for an endpoint that nobody wanted; empty for a delete."""


class Outcome(NamedTuple):
    """What a writer does in one step."""

    writes: "Sequence[SliceWrite]"
    bytes: int
    """What one watcher receives."""
    floor: int | None = None
    """The fewest writes that any plan without moves could need; ``None`` where the engine was not asked."""


class Writer(Protocol):
    """One row of the table."""

    @property
    def title(self) -> str:
        """How the row is called."""
        ...

    @property
    def max_endpoints(self) -> int | None:
        """Most endpoints in one object; ``None`` where that is not known."""
        ...

    @property
    def exact(self) -> bool:
        """Whether the slices have to hold exactly what was wanted after each step."""
        ...

    def start(self, step: "Step") -> Outcome:
        """Take over what was there when the recording began. It is not counted."""
        ...

    def write(self, step: "Step") -> Outcome:
        """Make the slices of the lane hold what the step wants."""
        ...


class RecordedWriter:
    """The recorded controller: its writes, as they were.

    What its slices hold is what was wanted, so there is nothing to check.
    """

    title = "recorded controller"
    max_endpoints = None
    exact = False

    def start(self, step: "Step") -> Outcome:
        """Take the slices that were there."""
        return self.write(step)

    def write(self, step: "Step") -> Outcome:
        """Repeat what was recorded."""
        events = step.sync.events
        writes = [
            SliceWrite(event.verb, event.name, () if event.verb == "delete" else event.endpoints) for event in events
        ]
        return Outcome(writes, sum(event.size for event in events))


class EngineWriter:
    """:func:`epcore.pack`, fed with its own result."""

    exact = True

    def __init__(
        self,
        title: str,
        policy: "PolicyName | Policy",
        *,
        max_endpoints: int,
        cohort: "CohortName | None" = "auto",
        replace: "Replace" = "safe",
    ) -> None:
        self.title = title
        self._policy = policy
        self.max_endpoints = max_endpoints
        self._cohort = cohort
        self._replace = replace
        self._slices: dict[Lane, dict[Ports, SliceSet]] = {}

    def start(self, step: "Step") -> Outcome:
        """Take over the recorded slices, names and all."""
        events: dict[Ports, list[SliceEvent]] = {}
        for event in step.slices:
            events.setdefault(event.ports, []).append(event)
        self._slices[step.lane] = {
            ports: SliceSet.from_json(b"[" + b",".join(_recorded(step, event) for event in group) + b"]")
            for ports, group in events.items()
        }
        return Outcome([SliceWrite("create", event.name, event.endpoints) for event in step.slices], 0)

    def write(self, step: "Step") -> Outcome:
        """Plan each group of the lane, and carry the plans out."""
        plans = self.plan(step)
        writes = [
            SliceWrite(write.verb, write.name or "", () if write.verb == "delete" else _numbers(step, write.to_json()))
            for plan in plans
            for write in plan.writes
        ]
        return Outcome(
            writes,
            sum(plan.stats.bytes for plan in plans) + step.overhead * len(writes),
            sum(plan.stats.write_floor for plan in plans),
        )

    def plan(self, step: "Step") -> "list[Plan]":
        """Plan each group of the lane, and take the results for granted."""
        held = self._slices.get(step.lane, {})
        groups = step.groups or {step.sync.events[-1].ports: Wanted.of(step.template, (), step.catalog)}
        existing: dict[Ports, SliceSet | list[EndpointSlice]] = {
            ports: held.get(ports, SliceSet.from_json(b"[]")) for ports in groups
        }
        stale = [found for ports, found in held.items() if ports not in groups]
        if stale:  # another group takes their place: the one that needs most
            heir = max(groups, key=lambda ports: len(groups[ports].endpoints) - sum(map(len, held.get(ports, ()))))
            existing[heir] = [item for found in (held.get(heir, ()), *stale) for item in found]
        plans = {ports: self._pack(step, wanted, existing[ports], wanted.template) for ports, wanted in groups.items()}
        creating = [ports for ports, plan in plans.items() if plan.stats.creates]
        taken = {one.name for known in existing.values() for one in known} if creating else set()
        for ports in creating:
            plans[ports] = self.with_free_names(plans[ports], step, groups[ports], existing[ports], taken)
            taken |= _created(plans[ports])
        self._slices[step.lane] = {ports: plan.result() for ports, plan in plans.items()}
        return list(plans.values())

    def with_free_names(
        self,
        plan: "Plan",
        step: "Step",
        wanted: Wanted,
        existing: "SliceSet | list[EndpointSlice]",
        taken: "AbstractSet[str | None]",
    ) -> "Plan":
        """Give new slices names that are free: one that another group took over has the name that its content had."""
        template = wanted.template
        while not taken.isdisjoint(_created(plan)):
            pattern = json.loads(template)
            pattern["metadata"]["generateName"] = f"{pattern['metadata'].get('generateName') or ''}x-"
            template = compact(pattern)
            plan = self._pack(step, wanted, existing, template)
        return plan

    def _pack(
        self, step: "Step", wanted: Wanted, existing: "SliceSet | list[EndpointSlice]", template: bytes
    ) -> "Plan":
        try:
            return pack(
                wanted.parsed,
                existing,
                template=template,
                max_endpoints=self.max_endpoints,
                policy=self._policy,
                cohort=self._cohort,
                replace=self._replace,
                naming="deterministic",
            )
        except EpcoreError as error:
            raise CommandError(f"{self.title}, {step.time:.3f} s, {step.lane.service}: {error}") from None


def _recorded(step: "Step", event: "SliceEvent") -> bytes:
    slice_ = json.loads(event.template)
    slice_["metadata"]["name"] = event.name
    return compact(slice_).replace(b'"endpoints":[]', b'"endpoints":' + step.catalog.array(event.endpoints), 1)


def _numbers(step: "Step", text: bytes) -> "Sequence[int]":
    return [step.catalog.find(endpoint) for endpoint in json.loads(text).get("endpoints") or ()]


def _created(plan: "Plan") -> set[str | None]:
    return {write.name for write in plan.writes if write.verb == "create"}
