"""Declaring: contracts and records are signed, numbered, and sent again after a crash."""

import pytest
from sqlmodel import select

from audit.keys.signing import PublicKey
from contracts.errors import Conflict
from contracts.messages import DatasetRecord, PurposeFields
from nodes.broker import ExchangeSilent
from nodes.publishing.datasets import (
    ContractNotRegistered,
    ContractVersionTaken,
    DatasetNotDeclared,
    FieldUnknown,
    PurposesOpen,
    RecordNumbersBehind,
    declare_dataset,
    own_record,
    register_contract,
)
from nodes.publishing.publish import publish
from nodes.sharing_tables import ContractRow, DatasetRow
from nodes.signed import read_statement
from tests.nodes.sharing import CONTRACT, DATASET, World, declaration, rows, write_source


def test_a_record_is_signed_by_the_node_and_numbered_from_one(world: World) -> None:
    """The exchange gets a record under the provider's key, and each change gets the next number."""
    first = world.declare()
    second = world.declare(place="Brisbane River, Queensland")

    key = PublicKey.from_text(world.exchange.members[world.provider.participant].node_key)
    assert read_statement(world.exchange.records[DATASET].text, DatasetRecord, key).digest == second.digest
    assert (first.statement.number, second.statement.number) == (1, 2)


def test_the_same_words_again_make_no_new_record(world: World) -> None:
    """Declaring is idempotent."""
    first = world.declare()

    assert world.declare().digest == first.digest


def test_a_record_needs_a_registered_contract(world: World) -> None:
    """A dataset cannot stand under a contract that this node has not adopted."""
    with pytest.raises(ContractNotRegistered):
        declare_dataset(world.provider, declaration())


def test_a_purpose_names_only_fields_of_the_contract(world: World) -> None:
    """A misspelt field would silently hide or show the wrong column, so it is refused."""
    fields = [PurposeFields(purpose="any-use", fields=["ph", "acidity"])]

    with pytest.raises(FieldUnknown):
        world.declare(purposes=["any-use"], purpose_fields=fields)


def test_what_is_hidden_from_one_purpose_is_not_open_to_all_others(world: World) -> None:
    """A record that hides fields names its purposes, or a consumer would see all by naming another one."""
    fields = [PurposeFields(purpose="green-credit", fields=["ph"])]

    with pytest.raises(PurposesOpen):
        world.declare(purpose_fields=fields)


def test_a_record_that_did_not_arrive_is_sent_again_byte_for_byte(world: World) -> None:
    """A crash between signing and sending leaves one record, not two."""
    register_contract(world.provider, CONTRACT)

    def crash(_record: str) -> None:
        raise ExchangeSilent("the record was lost")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.provider.broker, "register_dataset", crash)
        with pytest.raises(ExchangeSilent):
            declare_dataset(world.provider, declaration())
    with world.provider.database.read() as session:
        signed = session.exec(select(DatasetRow.envelope)).one()

    world.clock.advance(30)
    declare_dataset(world.provider, declaration())

    assert world.exchange.records[DATASET].text == signed


def test_a_record_that_the_exchange_refuses_frees_its_number(world: World) -> None:
    """What was never taken does not block the next try."""
    world.declare()
    taken = world.exchange.records.pop(DATASET)
    with pytest.raises(Conflict):
        world.declare(place="elsewhere")
    world.exchange.records[DATASET] = taken

    assert world.declare(place="elsewhere").statement.number == 2


def test_a_restored_snapshot_is_noticed_by_its_record_number(world: World) -> None:
    """A node that forgot its newest record does not sign another one under the same number."""
    world.declare()
    world.declare(place="elsewhere")
    with world.provider.database.transaction() as session:
        newest = session.get(DatasetRow, (DATASET, 2))
        assert newest is not None
        session.delete(newest)

    with pytest.raises(RecordNumbersBehind):
        world.declare(place="a third place")


def test_a_contract_version_never_changes(world: World) -> None:
    """Another document under a registered version is refused."""
    register_contract(world.provider, CONTRACT)
    with world.provider.database.transaction() as session:
        row = session.exec(select(ContractRow)).one()
        row.digest = "sha256:" + "1" * 64
        session.add(row)

    with pytest.raises(ContractVersionTaken):
        register_contract(world.provider, CONTRACT)


def test_publishing_needs_a_declared_dataset(world: World) -> None:
    """A release belongs to a dataset with a record."""
    source = write_source(world.folder / "a.ndjson", rows(1))

    with pytest.raises(DatasetNotDeclared):
        publish(world.provider, source, DATASET)


def test_the_own_record_is_read_under_the_own_key(world: World) -> None:
    """The current record is the newest registered one."""
    world.declare()
    newest = world.declare(place="elsewhere")

    assert own_record(world.provider, DATASET).digest == newest.digest
