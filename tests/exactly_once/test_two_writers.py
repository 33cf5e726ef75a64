"""Several writers for the same data: one request with the recipe; without it one each, none unnamed."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from exactly_once.schedules import Schedule, Script, Writer, random_schedule
from exactly_once.simulation import Tally, play

SEEDS = 180  # of each test


@pytest.fixture(autouse=True)
def no_logs(caplog):
    """Spare the log of thousands of tries."""
    caplog.set_level(logging.CRITICAL)


@pytest.fixture(params=[False, True], ids=["re-trigger", "start"])
def played(request, service, hook, clock):
    """Return a function that plays a schedule, and returns what happened and its story."""

    def run(schedule):
        schedule = replace(schedule, is_start=request.param)
        tally, world = play(schedule, service, hook, clock)
        return tally.counts, world.text()

    return run


# What has been seen to go wrong


@pytest.mark.parametrize("hidden_for", [0, 8])
def test_two_dag_runs_at_once_send_two_requests_and_each_names_that_of_the_other(
    played, hidden_for
):
    writers = [Writer("A"), Writer("B", start=0.005 if hidden_for == 0 else 0.04)]

    counts, story = played(Schedule("twins", False, writers, hidden_for=hidden_for))

    assert (counts["requests"], counts["duplicates"], counts["named"]) == (2, 1, 1), story


@pytest.mark.parametrize("hidden_for", [0, 8])
def test_with_the_recipe_they_send_one(played, hidden_for):
    writers = [Writer("A"), Writer("B", start=0.005)]

    counts, story = played(Schedule("twins", True, writers, hidden_for=hidden_for))

    assert (counts["requests"], counts["skipped"]) == (1, 1), story


@pytest.mark.parametrize("person_at", [0, 30], ids=["before", "after"])
def test_a_run_that_a_person_begins_meanwhile_is_named(played, person_at):
    writers = [Writer("A", start=20)]

    counts, story = played(
        Schedule(
            "a person",
            True,
            writers,
            person_at=[person_at],
            run_seconds=100,
            shows_asked=False,  # or the task goes on with the run of the person
        )
    )

    assert (counts["duplicates with a person"], counts["named"]) == (1, 1), story


@pytest.mark.parametrize("step", ["after set", "before the call", "connecting"])
def test_a_try_frozen_before_its_request_does_not_send_it_after_its_retry_has(played, step):
    steps = ["before retrigger_run", "before start_run"] if step == "before the call" else [step]
    frozen = Script({("A", 1, each): 400 for each in steps})

    counts, story = played(
        Schedule("frozen", True, [Writer("A")], heartbeat_timeout=120, chaos=frozen)
    )

    assert (counts["tries"], counts["requests"], counts["duplicates"]) == (2, 1, 0), story


@pytest.mark.parametrize("is_deferrable", [True, False], ids=["deferred", "running"])
def test_a_clear_that_drops_the_state_goes_on_with_a_run_that_is_not_shown_yet(
    played, is_deferrable
):
    cleared = Schedule(
        "cleared",
        True,
        [Writer("A")],
        drops_state=True,
        is_deferrable=is_deferrable,
        hidden_for=50,
        clears=[(10, "A")],
    )

    counts, story = played(cleared)

    assert (counts["clears"], counts["duplicates"]) == (1, 0), story


@pytest.mark.parametrize("ahead", [0, 100])
def test_a_clear_goes_on_with_a_run_that_is_not_shown_yet_whatever_the_clock_of_the_machine(
    played, ahead
):
    writers = [Writer("A", skews=(0, ahead))]

    counts, story = played(
        Schedule("skewed", True, writers, is_deferrable=True, hidden_for=50, clears=[(10, "A")])
    )

    assert (counts["clears"], counts["requests"]) == (1, 1), story


@pytest.mark.parametrize("uses_recipe", [True, False], ids=["recipe", "no recipe"])
@pytest.mark.parametrize("drops_state", [False, True], ids=["kept", "dropped"])
@pytest.mark.parametrize("seconds", [20, 35, 50])
@pytest.mark.parametrize("way", ["before list_runs", "after list_runs"], ids=["there", "back"])
def test_lists_that_are_always_slow_hold_up_nobody_for_ever(
    service, hook, clock, way, seconds, drops_state, uses_recipe
):
    """The lists of a busy flow have many pages, each with a timeout and retries of its own."""
    slow = Schedule(
        "slow lists",
        uses_recipe,
        [Writer("A"), Writer("B", start=0.005)],
        drops_state=drops_state,
        hidden_for=50,
        clears=[(200, "A")],
        chaos=Script(latencies={way: seconds}),
    )

    tally, world = play(slow, service, hook, clock)

    assert not tally.violations, world.text()
    assert tally.counts["clears"] == 1
    assert tally.counts["requests"] >= 1, world.text()


# Random schedules: too many requests for HTTP


@pytest.mark.once
@pytest.mark.parametrize("uses_recipe", [True, False], ids=["recipe", "no recipe"])
def test_the_same_happens_over_http_and_without(service, hook, direct_hook, clock, uses_recipe):
    for seed in range(6):
        (one, _), (other, _) = (
            play(random_schedule(seed, uses_recipe), service, each, clock)
            for each in (hook, direct_hook)
        )

        assert one.counts == other.counts
        assert one.counts["steps"] > 10


@pytest.mark.once
@pytest.mark.timeout(300)  # seconds on a free machine
@pytest.mark.parametrize(
    ("uses_recipe", "first", "is_start"),
    [
        *[(True, first, False) for first in (0, 180, 360)],
        (False, 0, False),
        *[(uses_recipe, 0, True) for uses_recipe in (True, False)],
    ],
)
def test_no_random_schedule_doubles_a_request_unnamed(
    service, direct_hook, clock, uses_recipe, first, is_start, tell
):
    total = Tally()
    for seed in range(first, first + SEEDS):
        schedule = random_schedule(seed, uses_recipe, is_start)
        tally, _ = play(schedule, service, direct_hook, clock)
        total.add(tally)

    figures = ", ".join(f"{name} {count}" for name, count in sorted(total.counts.items()))
    kind = "starts" if is_start else "re-triggers"
    tell(f"{kind} {'with' if uses_recipe else 'without'} the recipe: {figures}")
    assert total.counts["schedules"] == SEEDS
    assert total.counts["requests"] >= SEEDS / 2
    assert not total.violations, "\n\n".join(
        [f"{len(total.violations)} wrong", *total.violations[:3]]
    )
