"""What people are shown of quality: at the provider, at who received the rows, and at who only searches."""

from collections.abc import Iterator
from typing import Any

import pytest

from nodes.quality.showing import ReleaseNotListed, Wanted, show_quality
from nodes.receiving.pull import PullOptions, pull
from tests.nodes.flows.test_local_routes import Person
from tests.nodes.sharing import DATASET, World, rows


@pytest.fixture
def person(ruled_world: World) -> Iterator[Person]:
    """Give somebody at the provider's node."""
    someone = Person(ruled_world, ruled_world.provider)
    with someone.client:
        yield someone


def shown_to(world: World, **query: Any) -> Any:
    someone = Person(world, world.consumer)
    with someone.client:
        return someone.get(f"quality/{DATASET}", **query)


def test_datasets_are_listed_with_their_newest_release(ruled_world: World, person: Person) -> None:
    """A dataset without a release is listed too."""
    assert [one["dataset"] for one in person.get("quality")["datasets"]] == [DATASET]
    ruled_world.publish()

    (line,) = person.get("quality")["datasets"]

    assert (line["release"], line["error"], line["info"], line["warning"]) == (1, 40, 40, 0)
    assert (line["examined"], line["completeness"]) == (True, 100)


def test_the_provider_sees_every_finding_page_by_page(ruled_world: World, person: Person) -> None:
    """Findings of one rule, some at a time, with the rows they name."""
    ruled_world.publish()

    shown = person.get(f"quality/{DATASET}", rule="stuck-temperature", limit=1)

    assert shown["report"]["rows"] == 40
    assert [one["records"] for one in shown["findings"]] == [40]
    assert shown["findings"][0]["rows"] == list(range(1, 11))
    assert person.get(f"quality/{DATASET}", rule="stuck-temperature", offset=1)["findings"] == []


def test_promises_stand_beside_what_was_measured(ruled_world: World, person: Person) -> None:
    """The wait since the newest release is part of the frequency."""
    ruled_world.publish()
    ruled_world.clock.advance(90_000)

    levels = {one["level"]: one for one in person.get(f"quality/{DATASET}")["levels"]}

    assert (levels["frequency"]["promised"], levels["frequency"]["kept"]) == (86_400, False)
    assert levels["completeness"] == {
        "level": "completeness", "promised": 50, "measured": 100, "kept": True,
    }  # fmt: skip
    assert levels["latency"]["promised"] is None


def test_each_release_has_its_counts(ruled_world: World, person: Person) -> None:
    """An older release can be asked for."""
    ruled_world.publish()
    ruled_world.publish(rows(3, first=50), "second.ndjson")

    shown = person.get(f"quality/{DATASET}", release=1)

    assert [(one["release"], one["error"]) for one in shown["releases"]] == [(1, 40), (2, 0)]
    assert shown["report"]["rows"] == 40


def test_whoever_received_the_rows_examines_them_again(ruled_world: World) -> None:
    """The findings come from the received file and agree with what the provider signed."""
    ruled_world.publish()
    ruled_world.agree()
    pull(ruled_world.consumer, DATASET, PullOptions(connect=ruled_world.direct))

    shown = shown_to(ruled_world)

    assert shown["differing"] == []
    assert len(shown["findings"]) == 2


def test_whoever_has_no_rows_sees_signed_counts_alone(ruled_world: World) -> None:
    """Series and values stay with the rows."""
    ruled_world.publish()

    shown = shown_to(ruled_world)

    assert shown["report"] is None
    assert (shown["findings"], shown["series"]) == ([], [])
    assert {one["rule"]: one["records"] for one in shown["rules"]} == {"stuck-temperature": 40, "late": 40}


def test_a_release_that_does_not_exist_is_not_found(ruled_world: World) -> None:
    """Neither a number that was not published, nor any before the first release."""
    for wanted in (Wanted(), Wanted(release=3)):
        with pytest.raises(ReleaseNotListed):
            show_quality(ruled_world.provider, DATASET, wanted)


def test_the_page_names_the_rules_that_found_something(ruled_world: World, person: Person) -> None:
    """Whoever looks at the node's page sees it without asking."""
    ruled_world.publish()

    page = person.client.get("/").text

    assert "stuck-temperature 40, late 40" in page
