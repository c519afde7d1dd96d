"""A contract changes between real processes: refused, renumbered, announced, acknowledged, and moved to."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts import library
from contracts.errors import HeadwatersError
from exchange.cli.app import app
from exchange.demo.scenes_sharing import PURPOSE, apply_for, subscribe
from tests.story.small_alliance import BUOYS, CONSUMER, PROVIDER, SmallAlliance

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("story"), pytest.mark.timeout(180)]

NAME = "own-buoy"
MOVING = "moving-buoys"


def version(number: str, *, highest_ph: int = 14) -> dict[str, Any]:
    """Write a version of a contract of the provider's own."""
    document: dict[str, Any] = json.loads(library.load(BUOYS.contract).canonical())
    document |= {"id": NAME, "version": number}
    document["record"]["properties"]["ph"]["maximum"] = highest_ph
    return document


def run(home: Path, *words: str) -> Any:
    """Run a command on a node's home; give its JSON, or raise what it met."""
    result = CliRunner().invoke(app, ["contract", *words, "--home", str(home), "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return json.loads(result.stdout)


def refusal(small: SmallAlliance, path: str, body: dict[str, Any]) -> str:
    """Give the code with which the provider's node is refused."""
    with pytest.raises(HeadwatersError) as caught:
        small.alliance.node(PROVIDER.slug).post(path, body)
    return str(caught.value.facts.get("code") or caught.value.code)


def test_a_dataset_moves_when_its_subscriber_agrees(shared: SmallAlliance) -> None:
    """The whole way of a breaking change, with the commands that people type."""
    provider = shared.alliance.node(PROVIDER.slug)
    own, other = shared.homes["provider"], shared.homes["consumer"]

    def declared(number: str) -> dict[str, Any]:
        return BUOYS.declaration() | {"dataset": MOVING, "contract": f"{NAME}@{number}"}

    def document(number: str, highest_ph: int) -> dict[str, Any]:
        return {"contract": json.dumps(version(number, highest_ph=highest_ph))}

    provider.post("/local/contracts", document("1.0.0", 14))
    provider.post("/local/datasets", declared("1.0.0"))
    subscribe(
        shared.alliance, CONSUMER.slug, MOVING, apply_for(shared.alliance, CONSUMER.slug, MOVING, PURPOSE)
    )
    lying = refusal(shared, "/local/contracts", document("1.1.0", 10))
    provider.post("/local/contracts", document("2.0.0", 10))
    unannounced = refusal(shared, "/local/datasets", declared("2.0.0"))
    (impact,) = run(own, "impact", f"{NAME}@2.0.0")["impacts"]
    notice = run(
        own, "deprecate", f"{NAME}@1.0.0", "--for", f"{NAME}@2.0.0", "--why", "pH above 10 is an error"
    )
    early = refusal(shared, "/local/datasets", declared("2.0.0"))
    (heard,) = [each for each in run(other, "notices") if each["deprecation"] == notice["deprecation"]]
    run(other, "acknowledge", heard["deprecation"])
    answered = run(own, "notices")[0]
    moved = provider.post("/local/datasets", declared("2.0.0"))

    assert (lying, unannounced, early) == ("contract-breaks", "notice-missing", "notice-running")
    assert [(user["consumer"], user["touched"]) for user in impact["users"]] == [(shared.consumer_id, ["ph"])]
    assert (notice["waiting"], heard["own"], heard["why"]) == (
        [shared.consumer_id],
        False,
        "pH above 10 is an error",
    )
    assert (answered["acknowledged"], answered["waiting"]) == ([shared.consumer_id], [])
    assert (moved["contract"]["version"], moved["number"]) == ("2.0.0", 2)
