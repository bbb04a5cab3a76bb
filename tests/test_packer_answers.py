"""What becomes of writes of a packer: answers that are lost or late, and slices that are not what was wanted."""

from itertools import count
from typing import Any

import pytest

import epcore
from epcore.types import Outcome
from packer_parts import MANAGED_BY, SERVICE, Json, made, packer_of


def test_a_create_whose_answer_was_lost_waits_for_news_and_is_not_sent_twice() -> None:
    packer = packer_of("10.9.0.1")
    (write,) = packer.plan("db", namespace="shop").writes
    packer.answer(write, "unknown")
    assert (packer.dirty, packer.waiting) == ([], [("shop", "db")])
    packer.apply({"type": "ADDED", "object": made(write, "db-x", 6)}, kind="EndpointSlice")
    assert packer.waiting == []
    assert not packer.plan("db", namespace="shop")
    lost = packer_of("10.9.0.1")
    (write,) = lost.plan("db", namespace="shop").writes
    lost.answer(write, "unknown")
    lost.replace([], kind="EndpointSlice")
    assert lost.dirty == [("shop", "db")], "the list says that it was never made"


def test_a_refused_write_waits_for_news_of_its_slice() -> None:
    packer = packer_of("10.9.0.1", naming="deterministic")
    (write,) = packer.plan("db", namespace="shop").writes
    assert write.name is not None
    packer.answer(write, "conflict")
    assert packer.waiting == [("shop", "db")]
    packer.apply({"type": "ADDED", "object": made(write, write.name, 6)}, kind="EndpointSlice")
    assert packer.waiting == []
    assert not packer.plan("db", namespace="shop")


@pytest.mark.parametrize("outcome", ["conflict", "unknown", "accepted"])
@pytest.mark.parametrize("naming", ["generate", "deterministic"])
def test_news_of_a_create_that_came_before_its_answer_are_not_waited_for(outcome: Outcome, naming: Any) -> None:
    packer = packer_of("10.9.0.1", naming=naming)
    (write,) = packer.plan("db", namespace="shop").writes
    packer.apply({"type": "ADDED", "object": made(write, write.name or "db-x", 6)}, kind="EndpointSlice")
    packer.answer(write, outcome)
    assert packer.waiting == []
    assert not packer.plan("db", namespace="shop"), "nothing is made twice"
    packer.upsert("db", ["10.9.0.2"], namespace="shop")
    assert [one.verb for one in packer.plan("db", namespace="shop").writes] == ["update"]


@pytest.mark.parametrize("outcome", ["conflict", "unknown", "accepted"])
@pytest.mark.parametrize("naming", ["generate", "deterministic"])
@pytest.mark.parametrize("becomes", ["gone", "gone by a list", "another"])
def test_news_of_a_create_are_not_waited_for_whatever_became_of_its_slice_since(
    outcome: Outcome, naming: Any, becomes: str
) -> None:
    packer = packer_of("10.9.0.1", naming=naming)
    (write,) = packer.plan("db", namespace="shop").writes
    found = made(write, write.name or "db-x", 6)
    packer.apply({"type": "ADDED", "object": found}, kind="EndpointSlice")
    if becomes == "another":
        packer.apply({"type": "MODIFIED", "object": {**made(write, write.name or "db-x", 7), "endpoints": []}})
    elif becomes == "gone":
        packer.apply({"type": "DELETED", "object": made(write, write.name or "db-x", 7)}, kind="EndpointSlice")
    else:
        packer.replace([], kind="EndpointSlice", resource_version="7")
    packer.answer(write, outcome)
    assert (packer.dirty, packer.waiting) == ([("shop", "db")], [])
    (again,) = packer.plan("db", namespace="shop").writes
    assert (again.verb, len(again.slice)) == ("update" if becomes == "another" else "create", 1)


@pytest.mark.parametrize("is_deletion", [False, True])
@pytest.mark.parametrize("outcome", ["conflict", "accepted"])
def test_news_of_a_slice_that_came_before_the_answer_are_not_waited_for(outcome: Outcome, is_deletion: Any) -> None:
    packer = packer_of("10.9.0.1")
    (create,) = packer.plan("db", namespace="shop").writes
    packer.answer(create, "accepted", made(create, "db-x", 6))
    packer.upsert("db", ["10.9.0.2"], namespace="shop")
    (update,) = packer.plan("db", namespace="shop").writes
    event = "DELETED" if is_deletion else "MODIFIED"
    packer.apply({"type": event, "object": made(create, "db-x", 7)}, kind="EndpointSlice")
    packer.answer(update, outcome)
    assert packer.waiting == []
    (again,) = packer.plan("db", namespace="shop").writes
    assert (again.verb, len(again.slice)) == ("create" if is_deletion else "update", 2)


def test_a_slice_that_is_as_it_was_is_news_for_who_waits_for_it() -> None:
    packer = packer_of("10.9.0.1")
    (create,) = packer.plan("db", namespace="shop").writes
    held = made(create, "db-x", 6)
    packer.answer(create, "accepted", held)
    packer.upsert("db", ["10.9.0.2"], namespace="shop")
    (update,) = packer.plan("db", namespace="shop").writes
    packer.answer(update, "conflict")
    assert packer.waiting == [("shop", "db")]
    packer.take_news()
    packer.apply(held, kind="EndpointSlice")
    assert packer.waiting == []
    assert packer.dirty == packer.take_news() == [("shop", "db")]


@pytest.mark.parametrize("is_first", [False, True])
def test_a_slice_that_says_what_a_create_makes_is_no_second_one(is_first: Any) -> None:
    packer = packer_of("10.9.0.1")
    (write,) = packer.plan("db", namespace="shop").writes
    other = {"type": "ADDED", "object": made(write, "db-other", 7)}
    if is_first:
        packer.apply(other, kind="EndpointSlice")
    packer.answer(write, "accepted", made(write, "db-mine", 8))
    if not is_first:
        packer.apply(other, kind="EndpointSlice")
    assert packer.dirty == [("shop", "db")]
    assert [one.verb for one in packer.plan("db", namespace="shop").writes] == ["delete"]


@pytest.mark.parametrize("is_listed", [False, True])
def test_a_create_whose_slice_is_given_to_another_service_at_once_is_planned_again(
    is_listed: bool,  # noqa: FBT001
) -> None:
    packer = packer_of("10.9.0.1")
    (write,) = packer.plan("db", namespace="shop").writes
    given = made(write, "db-x", 7)
    given["metadata"]["labels"]["kubernetes.io/service-name"] = "other"
    if is_listed:
        packer.replace([given], kind="EndpointSlice", resource_version="7")
    packer.answer(write, "accepted", made(write, "db-x", 6) if is_listed else given)
    assert ("shop", "db") in packer.dirty
    assert [one.verb for one in packer.plan("db", namespace="shop").writes] == ["create"]


def test_a_create_that_was_lost_is_known_again_whatever_was_planned_since() -> None:
    packer = packer_of("10.9.0.1", "10.9.0.2", max_endpoints=1)
    first, second = packer.plan("db", namespace="shop").writes
    for write in (first, second):
        packer.answer(write, "unknown")
    packer.publish("db", ["10.9.0.3"], namespace="shop")
    assert len(packer.plan("db", namespace="shop")) == 1
    packer.apply({"type": "ADDED", "object": made(first, "db-x", 6)}, kind="EndpointSlice")
    assert packer.waiting == [("shop", "db")], "one of them is lost still"
    packer.apply({"type": "ADDED", "object": made(second, "db-y", 7)}, kind="EndpointSlice")
    assert packer.waiting == []
    assert {write.verb for write in packer.plan("db", namespace="shop").writes} == {"delete", "update"}


@pytest.mark.parametrize("other", [{"deletionTimestamp": "2026-01-02T03:04:05Z"}, {"ownerReferences": []}])
@pytest.mark.parametrize("by_event", [False, True])
def test_a_slice_that_is_not_what_was_wanted_leaves_its_service_dirty(other: Json, by_event: Any) -> None:
    packer = epcore.Packer(managed_by=MANAGED_BY)
    packer.apply({**SERVICE, "metadata": {**SERVICE["metadata"], "uid": "u"}})
    packer.publish("db", ["10.9.0.1"], namespace="shop")
    (write,) = packer.plan("db", namespace="shop").writes
    answer, changed = made(write, "db-x", 6), made(write, "db-x", 7)
    changed["metadata"] |= other
    if by_event:
        packer.apply([answer, changed], kind="EndpointSlice")
    packer.answer(write, "accepted", answer if by_event else changed)
    assert packer.dirty == [("shop", "db")]


def test_a_slice_that_was_made_anew_outlives_the_answer_to_the_old_ones_delete() -> None:
    packer = packer_of("10.9.0.1")
    (create,) = packer.plan("db", namespace="shop").writes
    packer.answer(create, "accepted", made(create, "db-x", 6))
    packer.publish("db", [], namespace="shop")
    (delete,) = packer.plan("db", namespace="shop").writes
    anew = {"type": "ADDED", "object": made(create, "db-x", 20)}
    packer.apply([{"type": "DELETED", "object": made(create, "db-x", 8)}, anew], kind="EndpointSlice")
    outcomes: list[Outcome] = ["accepted", "gone"]
    for outcome in outcomes:
        packer.answer(delete, outcome)
        (held,) = packer.slices("db", namespace="shop").to_dicts()
        assert held["metadata"]["resourceVersion"] == "20"
    assert [write.verb for write in packer.plan("db", namespace="shop").writes] == ["delete"]


@pytest.mark.parametrize("outcome", ["accepted", "gone"])
def test_an_event_from_before_an_answered_delete_brings_no_slice_back(outcome: Outcome) -> None:
    packer = packer_of("10.9.0.1")
    (create,) = packer.plan("db", namespace="shop").writes
    held = made(create, "db-x", 6)
    packer.answer(create, "accepted", held)
    packer.publish("db", [], namespace="shop")
    (delete,) = packer.plan("db", namespace="shop").writes
    packer.answer(delete, outcome)
    packer.apply({"type": "MODIFIED", "object": held}, kind="EndpointSlice")
    assert len(packer.slices("db", namespace="shop")) == 0
    assert packer.dirty == []


@pytest.mark.parametrize("naming", ["generate", "deterministic"])
def test_a_slice_that_a_list_knows_to_be_gone_is_made_again_however_late_it_is_answered(naming: Any) -> None:
    packer = packer_of("10.9.0.1", naming=naming)
    (write,) = packer.plan("db", namespace="shop").writes
    answer = made(write, write.name or "db-x", 6)
    packer.replace([], kind="EndpointSlice", resource_version="7")
    packer.take_news()
    packer.answer(write, "accepted", answer)
    assert packer.dirty == packer.take_news() == [("shop", "db")]
    (again,) = packer.plan("db", namespace="shop").writes
    assert (again.verb, len(again.slice)) == ("create", 1)


def test_a_create_that_was_refused_for_the_name_it_was_given_gets_another_one() -> None:
    packer = packer_of("10.9.0.1")
    (write,) = packer.plan("db", namespace="shop").writes
    packer.answer(write, "conflict")
    assert (packer.dirty, packer.waiting) == ([("shop", "db")], [])


def test_a_write_that_is_to_be_sent_again_is_news() -> None:
    packer = packer_of("10.9.0.1")
    (create,) = packer.plan("db", namespace="shop").writes
    packer.take_news()
    # So it is in a namespace that is not there yet.
    packer.answer(create, "gone")
    assert packer.dirty == packer.take_news() == [("shop", "db")]
    (create,) = packer.plan("db", namespace="shop").writes
    packer.answer(create, "accepted", made(create, "db-x", 6))
    packer.upsert("db", ["10.9.0.2"], namespace="shop")
    (update,) = packer.plan("db", namespace="shop").writes
    packer.take_news()
    packer.answer(update, "unknown")
    assert packer.dirty == packer.take_news() == [("shop", "db")]
    (again,) = packer.plan("db", namespace="shop").writes
    assert again.to_dict() == update.to_dict()


def test_a_refusal_of_what_was_done_already_is_news() -> None:
    packer = packer_of("10.9.0.1", naming="deterministic")
    (create,) = packer.plan("db", namespace="shop").writes
    assert create.name is not None
    packer.apply({"type": "ADDED", "object": made(create, create.name, 6)}, kind="EndpointSlice")
    packer.take_news()
    # Its client had sent it twice.
    packer.answer(create, "conflict")
    assert packer.take_news() == [("shop", "db")]
    assert not packer.plan("db", namespace="shop")
    assert packer.dirty == []


@pytest.mark.parametrize("is_gone", [False, True])
@pytest.mark.parametrize("by_event", ["before", "after", "listed"])
def test_a_name_that_a_slice_of_another_service_has_is_no_reason_to_conflict_for_ever(
    by_event: str,
    is_gone: bool,  # noqa: FBT001
) -> None:
    packer = packer_of("10.9.0.1", naming="deterministic")
    (write,) = packer.plan("db", namespace="shop").writes
    taken = made(write, str(write.name), 6)
    taken["metadata"]["labels"] = {**taken["metadata"]["labels"], "kubernetes.io/service-name": "other"}
    event = {"type": "DELETED" if is_gone else "ADDED", "object": {**taken, "kind": "EndpointSlice"}}
    if by_event == "before":
        packer.apply(event)
    packer.answer(write, "conflict")
    if by_event == "after":
        assert (packer.dirty, packer.waiting) == ([], [("shop", "db")])
        assert packer.take_news() == []
        packer.apply(event)
        assert ("shop", "db") in packer.take_news()
    elif by_event == "listed" or is_gone:
        packer.replace([] if is_gone else [taken], kind="EndpointSlice")
    assert ("shop", "db") in packer.dirty
    (again,) = packer.plan("db", namespace="shop").writes
    assert (again.verb, again.name == write.name) == ("create", is_gone)
    slices = [] if is_gone else [taken]
    whole = epcore.publish(SERVICE, ["10.9.0.1"], slices, managed_by=MANAGED_BY, naming="deterministic")
    assert whole.to_json() == packer.plan("db", namespace="shop").to_json()


@pytest.mark.parametrize("step", [1, -1])
def test_creates_may_be_answered_in_any_order(step: int) -> None:
    packer = packer_of(*[f"10.9.0.{number + 1}" for number in range(20)], max_endpoints=1)
    writes = list(enumerate(packer.plan("db", namespace="shop").writes))
    for number, write in writes[::step]:
        assert packer.dirty == [("shop", "db")]
        packer.answer(write, "accepted", made(write, f"db-{number}", 10 + number))
    assert packer.dirty == []
    assert not packer.plan("db", namespace="shop")


def test_compaction_goes_on_until_a_plan_writes_nothing() -> None:
    """Two moves a plan: no change of the Service has to come for the next ones."""
    addresses = [f"10.9.0.{number + 1}" for number in range(40)]
    packer = packer_of(*addresses, max_endpoints=4, compaction=epcore.Compaction(epsilon=0, max_moves=2))
    for number, write in enumerate(packer.plan("db", namespace="shop").writes):
        packer.answer(write, "accepted", made(write, f"db-{number}", 10))
    assert packer.dirty == [("shop", "db")]
    assert not packer.plan("db", namespace="shop")
    assert packer.dirty == []
    packer.publish("db", addresses[::4], namespace="shop")
    versions = count(11)
    while packer.take_news():
        for write in packer.plan("db", namespace="shop").writes:
            after = None if write.verb == "delete" else made(write, str(write.name), next(versions))
            packer.answer(write, "accepted", after)
    assert packer.dirty == []
    assert len(packer.slices("db", namespace="shop")) <= 10 / 4 + 2
