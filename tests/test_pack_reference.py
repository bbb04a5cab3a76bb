"""``pack`` beside a slow and obvious reference: the same writes, in the same order, with the same endpoints."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import epcore
from epcore.types import CompactionOrder
from parts import examples_of
from reference_pack import Settings, order_key, pack
from strategies import TEMPLATE, Json, groups

EXAMPLES = settings().max_examples

options = st.builds(
    Settings,
    max_endpoints=st.integers(1, 7),
    policy=st.sampled_from(["balanced", "dense", "lean", "upstream", 0.25]),
    cohort=st.sampled_from(["auto", "node", "zone", "revision", None]),
    epsilon=st.sampled_from([None, None, None, 0.0, 0.5]),
    max_moves=st.sampled_from([None, 3]),
    break_first=st.booleans(),
    recycle=st.booleans(),
)


def planned(wanted: list[Json], existing: list[Json], chosen: Settings) -> Any:
    policy = chosen.policy if isinstance(chosen.policy, str) else epcore.Policy(threshold=chosen.policy)
    compaction = None
    if chosen.epsilon is not None:
        order: CompactionOrder = "break-before-make" if chosen.break_first else "make-before-break"
        compaction = epcore.Compaction(epsilon=chosen.epsilon, max_moves=chosen.max_moves, order=order)
    plan = epcore.pack(
        wanted,
        existing,
        template=TEMPLATE,
        max_endpoints=chosen.max_endpoints,
        policy=policy,  # type: ignore[arg-type]
        cohort=chosen.cohort,
        compaction=compaction,
        replace="recycle" if chosen.recycle else "safe",
    )
    stats = plan.stats

    def listed(write: epcore.Write) -> list[Any]:
        held: Any = write.to_dict()["endpoints"]
        return [] if write.verb == "delete" else [order_key(endpoint) for endpoint in held]

    writes = [(write.verb, write.name, listed(write)) for write in plan.writes]
    return {
        "writes": writes,
        "write_floor": stats.write_floor,
        "moved": stats.endpoints_moved,
        "updated": stats.endpoints_updated,
        "resent": stats.endpoints_resent,
    }


# Ten runs of a thousand in CI (of 250 by default), so that a failure names the part of the space it is in.
@pytest.mark.parametrize("part", range(10))
def test_plans_what_the_reference_plans(part: int) -> None:
    @examples_of(part)
    @settings(max_examples=5 * EXAMPLES)
    @given(groups(), options)
    def agrees(group: tuple[list[Json], list[Json]], chosen: Settings) -> None:
        wanted, existing = group
        if chosen.upstream:
            chosen.epsilon = None
        assert planned(wanted, existing, chosen) == pack(wanted, existing, TEMPLATE, chosen)

    agrees()
