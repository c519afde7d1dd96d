"""A correcting release: linked before it is signed, heeded by whoever holds what it replaces."""

from typing import Any

import pytest

from contracts.messages import CorrectionNews, Corrects, Manifest, ObjectionState
from nodes.correcting.hearing import UNSOUND, hear_news
from nodes.correcting.linking import Correction, NoSuchRelease, NothingCorrected, ObjectionUnsettled
from nodes.correcting.replaced import REPLACED, heed, replaced_by
from nodes.correcting.stepping import NoSuchObjection, refresh
from nodes.publishing.publish import own_releases, publish
from nodes.receiving.pull import pull
from nodes.signed import sign_statement
from tests.nodes.correcting.disputes import correct, dispute, exchange_of, received, verified
from tests.nodes.sharing import DATASET, World, rows, write_source


def told_of(world: World) -> list[dict[str, Any]]:
    """Read the consumer's alarms about replaced releases."""
    return [dict(one.facts) for one in world.consumer.alarms.after() if one.event_class == REPLACED]


def test_a_correction_names_what_it_replaces_and_settles(world: World) -> None:
    """The manifest that the provider signs holds number and digest of the release, and the objection."""
    name = verified(received(world))
    (first,) = own_releases(world.provider, DATASET)
    done = correct(world, name)

    assert done.manifest.statement.corrects == Corrects(
        number=1, manifest=first.content_digest(), objections=[name]
    )
    assert refresh(world.consumer, name).state == ObjectionState.CORRECTED.value
    assert refresh(world.consumer, name).correction == 2


def test_a_correction_needs_no_objection(world: World) -> None:
    """A provider that finds the fault by itself corrects just so."""
    corrects = correct(received(world)).manifest.statement.corrects

    assert corrects is not None
    assert corrects.objections == []


def test_the_holder_hears_of_it_and_is_told_once(world: World) -> None:
    """By news or by the feed: the old release is marked, and the people here are told once."""
    manifest = correct(received(world)).manifest
    for _ in range(2):
        hear_news(world.consumer, CorrectionNews(objections=[], corrections=[manifest.text]))
    marked = replaced_by(world.consumer)
    pull(world.consumer, DATASET)

    assert marked == {(DATASET, 1): 2}
    assert told_of(world) == [{"dataset": DATASET, "release": 1, "replaced_by": 2}]


def test_a_pull_marks_what_is_replaced_by_itself(world: World) -> None:
    """An exchange that keeps the news back gains nothing: the provider's manifest says so."""
    correct(received(world))
    pull(world.consumer, DATASET)

    assert replaced_by(world.consumer, DATASET) == {(DATASET, 1): 2}
    assert replaced_by(world.consumer, "other-data") == {}
    assert len(told_of(world)) == 1


def test_a_chain_leads_to_the_newest(world: World) -> None:
    """What replaced a release may be replaced itself."""
    correct(received(world))
    correct(world, release=2, count=42)
    pull(world.consumer, DATASET)

    assert replaced_by(world.consumer) == {(DATASET, 1): 3, (DATASET, 2): 3}


def test_a_release_is_replaced_once(world: World) -> None:
    """Neither one that is unknown, nor one that was replaced, is corrected."""
    received(world)
    with pytest.raises(NoSuchRelease):
        correct(world, release=7)
    correct(world)
    with pytest.raises(NoSuchRelease):
        correct(world, count=42)


def test_the_same_source_corrects_nothing(world: World) -> None:
    """A correction has other rows; the same command again gives the same release."""
    received(world)
    source = write_source(world.folder / "buoy.ndjson", rows(40))
    with pytest.raises(NothingCorrected):
        publish(world.provider, source, DATASET, corrects=Correction(1))
    first = correct(world)
    again = correct(world)

    assert (again.manifest.digest, again.repeated) == (first.manifest.digest, True)
    assert len(own_releases(world.provider, DATASET)) == 2


def test_only_verified_objections_are_settled(world: World) -> None:
    """Nothing is signed for one that is open, or that nobody made."""
    name = dispute(received(world)).objection
    with pytest.raises(ObjectionUnsettled):
        correct(world, name)
    with pytest.raises(NoSuchObjection):
        correct(world, "o-aaaaaaaaaaaa")

    assert len(own_releases(world.provider, DATASET)) == 1


def test_nobody_else_replaces_a_providers_release(world: World) -> None:
    """A manifest that another member signed, or nobody's, marks nothing and becomes an alarm."""
    manifest = correct(received(world)).manifest.statement
    forged = sign_statement(manifest, world.consumer.node_key)
    other = sign_statement(
        manifest.model_copy(update={"provider": world.consumer.participant}), world.consumer.node_key
    )
    plain = sign_statement(manifest.model_copy(update={"corrects": None}), world.provider.node_key)
    for one in (forged, other, plain):
        hear_news(world.consumer, CorrectionNews(objections=[], corrections=[one.text]))
    alarms = [alarm.event_class for alarm in world.consumer.alarms.after()]

    assert replaced_by(world.consumer) == {}
    assert set(alarms) == {UNSOUND}


def test_a_release_does_not_replace_a_later_one(world: World) -> None:
    """Such a link would make a ring of what replaces what."""
    manifest = correct(received(world)).manifest.statement
    assert manifest.corrects is not None
    backwards = manifest.model_copy(
        update={"number": 1, "corrects": manifest.corrects.model_copy(update={"number": 2})}
    )
    heed(world.consumer, [sign_statement(backwards, world.provider.node_key)])

    assert replaced_by(world.consumer) == {}


def test_an_exchange_that_settles_another_objection_is_not_believed(world: World) -> None:
    """The manifest has to name the very objection."""
    name = verified(received(world))
    done = correct(world)
    kept = exchange_of(world).objections[name]
    kept.correction, kept.state = done.manifest.text, ObjectionState.CORRECTED
    hear_news(world.consumer, CorrectionNews(objections=[exchange_of(world).view(name)], corrections=[]))
    alarms = [alarm.facts for alarm in world.consumer.alarms.after() if alarm.event_class == UNSOUND]

    assert [fact["subject"] for fact in alarms] == [name]
    assert isinstance(done.manifest.statement, Manifest)
