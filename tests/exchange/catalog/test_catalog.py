"""The catalogue: who may write what, in which order, and what it answers."""

from collections.abc import Callable
from typing import Any

import pytest

from audit.formats.dsse import EnvelopeInvalid
from audit.keys.signing import SignatureInvalid
from audit.log.entry import EntryKind
from contracts.errors import HeadwatersError
from contracts.messages import (
    BadMessage,
    Condition,
    ContractRegistration,
    Counts,
    Duty,
    Mask,
    MaskNull,
    MemberStatus,
    PurposeFields,
    Sharing,
)
from contracts.schema import Contract, parse_contract
from exchange.catalog import flow, model
from exchange.evidence import OtherSigner, envelope_text, reveal
from nodes.publishing.terms import TermsUnfit
from nodes.signed import sign_statement
from tests.exchange.trading import CONTRACT, DATASET, Alliance

OTHER = CONTRACT.model_copy(update={"update_frequency": "changed"})


def _edited(**changes: str) -> Contract:
    return parse_contract(CONTRACT.model_copy(update=changes).canonical())


def test_registers_a_contract_once(alliance: Alliance) -> None:
    """A registration is logged once, however often it comes, and is given back as it was signed."""
    node = alliance.join()
    envelope = alliance.registration(node)

    for _ in range(2):
        alliance.run(flow.register_contract(alliance.parts, node.caller, envelope))

    (entry,) = alliance.entries(EntryKind.CONTRACT_PUBLISH)
    assert entry.fields["part"] == node.id
    assert entry.fields["dig"] == CONTRACT.digest
    assert flow.contract_registration(alliance.parts, CONTRACT.id, CONTRACT.version) == envelope


def test_second_provider_adopts_an_equal_contract(alliance: Alliance) -> None:
    """Another provider may adopt a version with equal digest, and that is logged too."""
    for node in (alliance.join(), alliance.join()):
        alliance.run(flow.register_contract(alliance.parts, node.caller, alliance.registration(node)))

    assert len(alliance.entries(EntryKind.CONTRACT_PUBLISH)) == 2


def test_registered_version_never_changes(alliance: Alliance) -> None:
    """The same version with other content is refused."""
    first, second = alliance.join(), alliance.join()
    alliance.declare(first)

    own = _edited(id="own-contract")
    changed = _edited(id="own-contract", theme="another")
    alliance.run(flow.register_contract(alliance.parts, first.caller, alliance.registration(first, own)))

    with pytest.raises(model.ContractChanged):
        alliance.run(
            flow.register_contract(alliance.parts, second.caller, alliance.registration(second, changed))
        )


def test_a_shipped_contract_keeps_its_text(alliance: Alliance) -> None:
    """Nobody registers another text, of any version, under the name of a shipped contract."""
    member = alliance.join()
    for forged in (_edited(theme="another"), _edited(version="9.0.0")):
        with pytest.raises(model.ContractReserved):
            alliance.run(
                flow.register_contract(alliance.parts, member.caller, alliance.registration(member, forged))
            )


def test_registration_agrees_with_its_document(alliance: Alliance) -> None:
    """Id, version and digest of a registration are those of the document in it."""
    node = alliance.join()
    statement = ContractRegistration(
        provider=node.id,
        contract=OTHER.ref(),
        document=CONTRACT.canonical().decode(),
        at=alliance.clock.now(),
    )

    with pytest.raises(model.ContractMismatch):
        alliance.run(
            flow.register_contract(alliance.parts, node.caller, sign_statement(statement, node.key).text)
        )


def test_unknown_contract_is_not_found(alliance: Alliance) -> None:
    """Asking for a version that nobody registered says so."""
    with pytest.raises(model.ContractUnknown):
        flow.contract_registration(alliance.parts, "nothing", "1.0.0")


def test_statement_is_signed_by_its_sender(alliance: Alliance) -> None:
    """A record under another key than the sender's is refused, and so is one in another's name."""
    node, other = alliance.join(), alliance.join()
    record = alliance.record(node)

    with pytest.raises(SignatureInvalid):
        alliance.run(
            flow.register_dataset(alliance.parts, node.caller, sign_statement(record, other.key).text)
        )
    with pytest.raises(OtherSigner):
        alliance.run(
            flow.register_dataset(alliance.parts, other.caller, sign_statement(record, other.key).text)
        )


def test_statement_of_another_type_is_refused(alliance: Alliance) -> None:
    """A manifest is no dataset record, whoever signed it."""
    node = alliance.join()
    envelope = sign_statement(alliance.manifest(node), node.key).text

    with pytest.raises(EnvelopeInvalid):
        alliance.run(flow.register_dataset(alliance.parts, node.caller, envelope))


def test_envelope_is_text() -> None:
    """Bytes beyond ASCII are no envelope."""
    with pytest.raises(EnvelopeInvalid):
        envelope_text(b"\xff")


def test_leaf_hides_the_dataset_and_evidence_opens_it(alliance: Alliance) -> None:
    """A dataset stands in the leaf as a salted commitment, which the evidence opens."""
    alliance.declare(alliance.join())

    (entry,) = alliance.entries(EntryKind.DATASET_PUBLISH)
    with alliance.parts.database.read() as session:
        opened = reveal(session, str(entry.fields["dsc"]))
        unknown = reveal(session, str(entry.fields["dig"]))
    assert DATASET.encode() not in entry.encode()
    assert opened is not None
    assert opened[1] == DATASET.encode()
    assert unknown is None


def test_records_are_numbered(alliance: Alliance) -> None:
    """The next record has the next number; an old one that comes again changes nothing."""
    node = alliance.join()
    first = alliance.declare(node)
    second = alliance.record(node, number=2, place="Mianyang")

    def send(record: object) -> object:
        envelope = sign_statement(record, node.key).text  # type: ignore[type-var]  # a record each time
        return alliance.run(flow.register_dataset(alliance.parts, node.caller, envelope))

    with pytest.raises(model.WrongNumber):
        send(alliance.record(node, number=3))
    after = send(second)

    assert send(first) == after
    assert [entry.fields["n"] for entry in alliance.entries(EntryKind.DATASET_PUBLISH)] == [1, 2]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"number": 2}, model.WrongNumber),
        ({"contract": OTHER.ref()}, model.ContractChanged),
        (
            {"contract": CONTRACT.ref().model_copy(update={"version": "9.0.0"})},
            model.ContractUnknown,
        ),
        (
            {"purpose_fields": [PurposeFields(purpose="joint-control", fields=["nonsense"])]},
            model.FieldUnknown,
        ),
        ({"conditions": [Condition(networks=["10.0.0.1/8"])]}, TermsUnfit),
        (
            {"duties": [Duty(obligation=Mask(field="nonsense", how=MaskNull(method="null")))]},
            TermsUnfit,
        ),
    ],
)
def test_record_that_does_not_fit(
    alliance: Alliance, changes: dict[str, Any], error: type[HeadwatersError]
) -> None:
    """A record with a wrong number, contract or field is refused and leaves no trace."""
    node = alliance.join()
    alliance.run(flow.register_contract(alliance.parts, node.caller, alliance.registration(node)))
    envelope = sign_statement(alliance.record(node, **changes), node.key).text

    with pytest.raises(error):
        alliance.run(flow.register_dataset(alliance.parts, node.caller, envelope))

    assert alliance.entries(EntryKind.DATASET_PUBLISH) == []


def test_dataset_name_belongs_to_its_first_provider(alliance: Alliance) -> None:
    """Another participant can neither declare nor publish under a name that is taken."""
    owner, other = alliance.join(), alliance.join()
    alliance.declare(owner)
    record = sign_statement(alliance.record(other, number=2), other.key).text
    manifest = sign_statement(alliance.manifest(other), other.key).text

    with pytest.raises(model.DatasetTaken):
        alliance.run(flow.register_dataset(alliance.parts, other.caller, record))
    with pytest.raises(model.DatasetTaken):
        alliance.run(flow.publish_release(alliance.parts, other.caller, DATASET, manifest))


def test_releases_are_numbered_and_chained(alliance: Alliance) -> None:
    """A feed's releases are numbered from 1 and name each other; the totals add up."""
    node = alliance.join()
    alliance.declare(node)
    first, second = alliance.publish(node, 2)

    listed = flow.releases(alliance.parts, DATASET, since=1).releases
    entry = flow.dataset_entry(alliance.parts, DATASET)
    entries = alliance.entries(EntryKind.RELEASE_PUBLISH)
    assert [release.number for release in listed] == [2]
    assert (entry.latest_release, entry.rows_published, entry.rows_quarantined) == (2, 16, 4)
    assert [e.fields["man"] for e in entries] == [first.content_digest(), second.content_digest()]
    assert entries[1].fields["prev"] == first.content_digest()


def test_release_may_come_again(alliance: Alliance) -> None:
    """The same manifest again gets the same answer and no second entry."""
    node = alliance.join()
    alliance.declare(node)
    (manifest,) = alliance.publish(node)
    envelope = sign_statement(manifest, node.key).text

    again = alliance.run(flow.publish_release(alliance.parts, node.caller, DATASET, envelope))

    assert again.manifest_envelope == envelope
    assert len(alliance.entries(EntryKind.RELEASE_PUBLISH)) == 1
    assert flow.dataset_entry(alliance.parts, DATASET).rows_published == 8


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"number": 3}, model.WrongNumber),
        ({"number": 1}, model.WrongNumber),
        ({"previous": None}, model.WrongPrevious),
        ({"previous": "sha256:" + "0" * 64}, model.WrongPrevious),
        ({"contract": OTHER.ref()}, model.WrongContract),
        ({"counts": Counts(read=10, published=8, quarantined=1)}, model.CountsDisagree),
        ({"dataset": "never-declared"}, model.DatasetUnknown),
    ],
)
def test_release_that_does_not_fit(
    alliance: Alliance, changes: dict[str, Any], error: type[HeadwatersError]
) -> None:
    """A release with a wrong number, predecessor, contract, count or dataset is refused."""
    node = alliance.join()
    alliance.declare(node)
    (first,) = alliance.publish(node)
    good: dict[str, Any] = {"number": 2, "previous": first.content_digest()}
    manifest = alliance.manifest(node, **{**good, **changes, "at": alliance.clock.now()})
    alliance.clock.advance(1)

    with pytest.raises(error):
        alliance.run(
            flow.publish_release(
                alliance.parts,
                node.caller,
                manifest.dataset,
                sign_statement(manifest.model_copy(update={"at": alliance.clock.now()}), node.key).text,
            )
        )

    assert len(alliance.entries(EntryKind.RELEASE_PUBLISH)) == 1


def test_release_is_about_the_addressed_dataset(alliance: Alliance) -> None:
    """A manifest sent to another dataset's address is refused."""
    node = alliance.join()
    alliance.declare(node)
    envelope = sign_statement(alliance.manifest(node), node.key).text

    with pytest.raises(model.DatasetUnknown):
        alliance.run(flow.publish_release(alliance.parts, node.caller, "other-air", envelope))


def test_unknown_dataset_is_not_found(alliance: Alliance) -> None:
    """Reading a dataset that nobody declared says so."""
    for read in (flow.dataset_entry, lambda parts, name: flow.releases(parts, name, 0)):
        with pytest.raises(model.DatasetUnknown):
            read(alliance.parts, "nothing-here")


@pytest.mark.parametrize(
    ("words", "found"),
    [("", 1), ("空气", 1), ("CITY", 1), ("city-a", 1), ("chengdu", 1), ("water", 0), ("%", 0)],
)
def test_search_looks_into_names_titles_theme_and_place(alliance: Alliance, words: str, found: int) -> None:
    """A search finds substrings of id, titles, theme and place, without wildcards."""
    alliance.declare(alliance.join())

    assert len(flow.search(alliance.parts, words, None).datasets) == found


def test_search_shows_active_providers_only(alliance: Alliance) -> None:
    """A suspended provider's datasets disappear from the search, and the sharing class filters."""
    node = alliance.join()
    alliance.declare(node)
    search: Callable[[Sharing | None], int] = lambda sharing: len(  # noqa: E731  # used three times
        flow.search(alliance.parts, "", sharing).datasets
    )

    assert (search(Sharing.CONDITIONAL), search(Sharing.NOT_SHARED)) == (1, 0)
    alliance.set_status(node, MemberStatus.SUSPENDED)
    assert search(None) == 0


def test_payload_has_one_spelling(alliance: Alliance) -> None:
    """A signed payload of another shape is refused before anything is written."""
    node = alliance.join()
    text = sign_statement(alliance.record(node), node.key).text

    with pytest.raises((BadMessage, EnvelopeInvalid, HeadwatersError)):
        alliance.run(flow.register_dataset(alliance.parts, node.caller, text.replace("payload", "Payload")))

    assert alliance.entries(EntryKind.DATASET_PUBLISH) == []
