"""A new version of a contract is held to those before it, and its number to the truth."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from audit.log.entry import EntryKind
from contracts.compatibility.bump import VersionLies
from contracts.messages import Role
from contracts.schema import Contract, parse_contract
from exchange.catalog import flow as catalog
from exchange.identity import Person
from exchange.versions import flow, model
from nodes.signed import sign_statement
from tests.exchange.signers import Participant
from tests.exchange.trading import CONTRACT, Alliance

Edit = Callable[[dict[str, Any]], object]
PERSON = Person("lin", frozenset({Role.ADMINISTRATOR}), b"s" * 32)
HARD = "^(?:[a-z]{{3}}|[0-9]{{4}}{0}){{1,700}}$"


def version(number: str, *edits: Edit, **changes: Any) -> Contract:
    """Make a version of the contract ``town-air``, with parts exchanged."""
    document = orjson.loads(CONTRACT.canonical()) | {"id": "town-air", "version": number} | changes
    for edit in edits:
        edit(document)
    return parse_contract(orjson.dumps(document))


def narrow(document: dict[str, Any]) -> None:
    """Admit less of the temperature."""
    document["record"]["properties"]["temperature"]["maximum"] = 45


def widen(document: dict[str, Any]) -> None:
    """Admit more of the temperature."""
    document["record"]["properties"]["temperature"]["maximum"] = 99


def another_unit(document: dict[str, Any]) -> None:
    """Say that temperatures are kelvins now."""
    next(field for field in document["fields"] if field["name"] == "temperature")["unit"] = "K"


def hard(more: str) -> Edit:
    """Add a field whose pattern is too large to be compared."""

    def edit(document: dict[str, Any]) -> None:
        document["record"]["properties"]["tag"] = {
            "type": ["string", "null"],
            "pattern": HARD.format(more),
            "maxLength": 3000,
        }
        title = {"zh": "标签", "en": "tag"}
        document["fields"].append({"name": "tag", "title": title, "unit": None, "classification": 1})

    return edit


def register(alliance: Alliance, node: Participant, contract: Contract) -> None:
    """Register a version as a node does."""
    envelope = alliance.registration(node, contract)
    alliance.run(catalog.register_contract(alliance.parts, node.caller, envelope))


def test_a_minor_version_that_admits_more_is_taken(alliance: Alliance) -> None:
    """Backward compatible and truly numbered: it is registered, and logged."""
    node = alliance.join()
    register(alliance, node, version("1.0.0"))
    register(alliance, node, version("1.1.0", widen))

    named = [entry.fields["ctr"] for entry in alliance.entries(EntryKind.CONTRACT_PUBLISH)]
    assert named == ["town-air@1.0.0", "town-air@1.1.0"]


def test_a_version_that_breaks_the_promise_is_refused_with_a_witness(alliance: Alliance) -> None:
    """The refusal shows a record that the old version admits and the new one refuses."""
    node = alliance.join()
    register(alliance, node, version("1.0.0"))

    with pytest.raises(model.ContractBreaks) as caught:
        register(alliance, node, version("1.1.0", narrow))

    witness = orjson.loads(str(caught.value.facts["witness"]))
    assert caught.value.facts["mode"] == "backward"
    assert caught.value.facts["lowest"] == "2.0.0"
    assert witness["temperature"] > 45


def test_a_major_version_may_break(alliance: Alliance) -> None:
    """The number warns of it; what protects users is the notice before a dataset moves."""
    node = alliance.join()
    register(alliance, node, version("1.0.0"))
    register(alliance, node, version("2.0.0", narrow))

    assert len(alliance.entries(EntryKind.CONTRACT_PUBLISH)) == 2


def test_another_unit_under_a_minor_number_is_a_lie(alliance: Alliance) -> None:
    """Every record stays valid and every value means something else: only a major number says so."""
    node = alliance.join()
    register(alliance, node, version("1.0.0"))

    with pytest.raises(VersionLies):
        register(alliance, node, version("1.1.0", another_unit))


@pytest.mark.parametrize("number", ["1.0.5", "0.9.0"])
def test_a_version_does_not_go_back(alliance: Alliance, number: str) -> None:
    """A version before one that its line already has, or before all, is refused."""
    node = alliance.join()
    register(alliance, node, version("1.0.0"))
    register(alliance, node, version("1.1.0", widen))

    with pytest.raises(VersionLies):
        register(alliance, node, version(number, theme="another"))


def test_an_older_line_is_kept_alive(alliance: Alliance) -> None:
    """After 2.0.0 the first line may still get a version, held to its own predecessor."""
    node = alliance.join()
    register(alliance, node, version("1.0.0"))
    register(alliance, node, version("2.0.0", narrow))
    register(alliance, node, version("1.1.0", widen))

    with pytest.raises(model.ContractBreaks):
        register(alliance, node, version("1.2.0", narrow))


def test_a_transitive_promise_binds_to_the_whole_line() -> None:
    """What 1.1.0 dropped without a promise, 1.2.0 may not use: it is held to 1.0.0 as well."""
    held_to_one = {"1.0.0": version("1.0.0", widen), "1.1.0": version("1.1.0", compatibility="backward")}
    held_to_all = held_to_one | {"1.1.0": version("1.1.0", compatibility="backward-transitive")}
    new = version("1.2.0", compatibility="backward-transitive")

    model.check_successor(model.line_of(held_to_one, "1.1.0", "1.2.0"), _worded(new), approved=False)
    with pytest.raises(model.ContractBreaks) as caught:
        model.check_successor(model.line_of(held_to_all, "1.1.0", "1.2.0"), new, approved=False)

    assert "1.0.0" in caught.value.detail


def _worded(contract: Contract) -> Contract:
    return contract.model_copy(update={"theme": "reworded"})


def test_a_stranger_adds_no_version(alliance: Alliance) -> None:
    """Only who stands by a version of a contract may add the next one; an adopter may."""
    founder, other = alliance.join(), alliance.join()
    register(alliance, founder, version("1.0.0"))

    with pytest.raises(model.ContractOfOthers):
        register(alliance, other, version("1.1.0", widen))

    register(alliance, other, version("1.0.0"))
    register(alliance, other, version("1.1.0", widen))
    assert len(alliance.entries(EntryKind.CONTRACT_PUBLISH)) == 3


def test_what_nobody_can_judge_waits_for_a_named_person(alliance: Alliance) -> None:
    """Undetermined is refused; once an administrator has approved this very text, it is registered."""
    node = alliance.join()
    register(alliance, node, version("1.0.0", hard("")))
    wider = version("1.1.0", hard("|A{5}"))

    for _ in range(2):
        with pytest.raises(model.ContractUndetermined):
            register(alliance, node, wider)
    (waiting,) = flow.reviews(alliance.parts)
    assert (waiting.digest, waiting.state) == (wider.digest, "open")

    alliance.run(
        flow.settle_review(alliance.parts, PERSON, wider.digest, approved=True, why="one more branch")
    )
    register(alliance, node, wider)

    (act,) = alliance.entries(EntryKind.ADMIN_ACT)
    assert act.fields["what"] == "contract.review"
    assert flow.reviews(alliance.parts)[0].settled_by == "lin"


def test_a_refused_review_opens_nothing(alliance: Alliance) -> None:
    """A version that a person refused stays refused, and is settled once."""
    node = alliance.join()
    register(alliance, node, version("1.0.0", hard("")))
    wider = version("1.1.0", hard("|A{5}"))
    with pytest.raises(model.ContractUndetermined):
        register(alliance, node, wider)
    alliance.run(flow.settle_review(alliance.parts, PERSON, wider.digest, approved=False, why="prove it"))

    with pytest.raises(model.ContractUndetermined):
        register(alliance, node, wider)
    with pytest.raises(model.ReviewUnknown):
        alliance.run(flow.settle_review(alliance.parts, PERSON, wider.digest, approved=True, why="again"))


def test_an_approval_covers_the_records_and_not_a_lie(alliance: Alliance) -> None:
    """A person says that the pattern is compatible; a unit that changed beside it still needs its number."""
    node = alliance.join()
    register(alliance, node, version("1.0.0", hard("")))
    lying = version("1.1.0", hard("|A{5}"), another_unit)
    with pytest.raises(model.ContractUndetermined):
        register(alliance, node, lying)
    alliance.run(flow.settle_review(alliance.parts, PERSON, lying.digest, approved=True, why="looked"))

    with pytest.raises(VersionLies):
        register(alliance, node, lying)


def test_an_approval_covers_no_step_from_another_contract(alliance: Alliance) -> None:
    """What a person approved in its own line is undetermined for a dataset that comes from elsewhere."""
    node = alliance.join()
    wider, other = version("1.1.0", hard("|A{5}")), version("1.0.0", hard(""), id="other-air")
    for each in (version("1.0.0", hard("")), other):
        register(alliance, node, each)
    with pytest.raises(model.ContractUndetermined):
        register(alliance, node, wider)
    alliance.run(flow.settle_review(alliance.parts, PERSON, wider.digest, approved=True, why="looked"))
    register(alliance, node, wider)
    record = alliance.record(node, contract=other.ref())
    envelope = sign_statement(record, node.key).text
    alliance.run(catalog.register_dataset(alliance.parts, node.caller, envelope))

    moved = alliance.record(node, contract=wider.ref(), number=2)
    step = alliance.run(flow.step_of(alliance.parts, moved, wider))

    assert step is not None
    assert step.breaking


def test_a_provider_has_a_limited_number_of_reviews(
    alliance: Alliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody floods the exchange's people with versions to look at."""
    monkeypatch.setattr(model, "MAX_OPEN_REVIEWS", 1)
    node = alliance.join()
    register(alliance, node, version("1.0.0", hard("")))
    with pytest.raises(model.ContractUndetermined):
        register(alliance, node, version("1.1.0", hard("|A{5}")))

    with pytest.raises(model.TooManyReviews):
        register(alliance, node, version("1.1.0", hard("|B{5}")))


def test_a_version_that_came_meanwhile_is_noticed(alliance: Alliance) -> None:
    """The unit refuses a registration that was held to another line than the one that stands."""
    node = alliance.join()
    register(alliance, node, version("1.0.0"))

    with pytest.raises(model.LineageMoved):
        alliance.parts.log.commit_blocking(lambda unit: flow.check_line(unit, "town-air", {}))


def test_a_transitive_line_has_an_end(alliance: Alliance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each version of a line costs a comparison, so a line that promised all of them ends somewhere."""
    monkeypatch.setattr(model, "MAX_LINE", 1)
    node = alliance.join()
    promise = {"compatibility": "backward-transitive"}
    register(alliance, node, version("1.0.0", **promise))
    register(alliance, node, version("1.0.1", theme="second", **promise))

    with pytest.raises(model.TooManyVersions):
        register(alliance, node, version("1.0.2", theme="third", **promise))
