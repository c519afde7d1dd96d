"""Use cases of the catalogue: register a contract, declare a dataset, publish a release, search.

Each write is one log unit: the rows and their entry commit together. What was sent before and comes again
byte for byte gets the same answer and writes nothing, so a node may repeat after a crash.
"""

from audit.commitment import new_salt
from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from contracts import library
from contracts.canonical import Json
from contracts.messages import (
    Catalog,
    CatalogEntry,
    ContractRef,
    ContractRegistration,
    DatasetRecord,
    Manifest,
    MemberStatus,
    ReleaseEntry,
    ReleaseList,
    Sharing,
)
from contracts.schema import Contract, parse_contract
from exchange.catalog import model, store
from exchange.catalog.quality import check_findings, judge_event
from exchange.catalog.tables import AdoptionRow, DatasetRow, RecordRow, ReleaseRow
from exchange.corrections.linking import check_link, link
from exchange.evidence import check_speaker, conceal, log_statement
from exchange.identity import Caller
from exchange.incidents.flow import record_alarm
from exchange.members.store import list_members
from exchange.parts import Parts
from exchange.transfers.store import received_under
from exchange.versions import flow as versions
from exchange.versions import model as versions_model
from nodes.publishing.datasets import contract_of
from nodes.publishing.onward import OnwardSharing
from nodes.publishing.terms import check_terms
from nodes.signed import Signed, peek_statement, read_statement


async def register_contract(parts: Parts, caller: Caller, envelope: str) -> str:
    """Adopt a contract version for the caller; give the registration's envelope.

    Another provider may adopt a version with equal digest; a version never changes. Raises OtherSigner,
    ContractRefused, ContractReserved, ContractMismatch, ContractChanged, or what
    ``exchange.versions.flow.check_registration`` raises.
    """
    signed = read_statement(envelope, ContractRegistration, caller.key)
    registration = signed.statement
    check_speaker(registration.provider, caller.participant)
    contract = parse_contract(registration.document.encode())
    if contract.ref() != registration.contract or contract.canonical().decode() != registration.document:
        raise model.ContractMismatch("id, version, digest or spelling differ from the document")
    if contract.id in library.names() and contract.digest != library.load(contract.id).digest:
        raise model.ContractReserved(f"{contract.id} is a shipped contract, and this is not its text")
    line = await versions.check_registration(parts, caller, contract, signed.text)
    await parts.log.commit(lambda unit: _adopt(unit, signed, contract, line))
    return signed.text


async def register_dataset(parts: Parts, caller: Caller, envelope: str) -> CatalogEntry:
    """Take the next record of a dataset; give its catalog entry.

    Raises OtherSigner, DatasetTaken, WrongNumber, ContractUnknown, ContractChanged, FieldUnknown,
    TermsUnfit, NoticeMissing or NoticeRunning.
    """
    signed = read_statement(envelope, DatasetRecord, caller.key)
    check_speaker(signed.statement.provider, caller.participant)
    contract = _registered(parts, signed.statement.contract)
    step = await versions.step_of(parts, signed.statement, contract)
    committed = await parts.log.commit(lambda unit: _declare(unit, signed, contract, step))
    return committed.value


async def publish_release(parts: Parts, caller: Caller, dataset: str, envelope: str) -> ReleaseEntry:
    """Take the next release of a feed; give its number and place in the log.

    Raises OtherSigner, DatasetUnknown, DatasetTaken, WrongNumber, WrongPrevious, WrongContract,
    CountsDisagree, FindingsDisagree, OnwardSharing, CorrectionUnfit or ObjectionNotVerified.
    """
    signed = read_statement(envelope, Manifest, caller.key)
    check_speaker(signed.statement.provider, caller.participant)
    if signed.statement.dataset != dataset:
        raise model.DatasetUnknown("the manifest is about another dataset than the address")
    contract = _registered(parts, signed.statement.contract)
    entry, event = (await parts.log.commit(lambda unit: _publish(parts, unit, signed, contract))).value
    if event is not None:
        parts.mailbox.announce(events=event)
    return entry


def contract_registration(parts: Parts, contract: str, version: str) -> str:
    """Give the envelope under which a contract version was first registered; raise ContractUnknown."""
    with parts.database.read() as session:
        envelope = store.contract_envelope(session, contract, version)
    if envelope is None:
        raise model.ContractUnknown(f"{contract} {version} is not registered")
    return envelope


def dataset_entry(parts: Parts, dataset: str) -> CatalogEntry:
    """Give one dataset's catalog entry; raise DatasetUnknown."""
    with parts.database.read() as session:
        row = store.find_dataset(session, dataset)
        quality = store.newest_quality(session, [dataset])
    if row is None:
        raise model.DatasetUnknown(f"{dataset} is not in the catalogue")
    return store.catalog_entry(row, quality.get(dataset))


def search(parts: Parts, words: str, sharing: Sharing | None) -> Catalog:
    """Find datasets of active providers whose id, titles, theme or place hold ``words``."""
    with parts.database.read() as session:
        active = [m.participant for m in list_members(session) if m.status is MemberStatus.ACTIVE]
        found = store.search(session, words.strip().casefold(), sharing.value if sharing else None, active)
    return Catalog(datasets=found)


def releases(parts: Parts, dataset: str, since: int) -> ReleaseList:
    """List a feed's releases with a number above ``since``; raise DatasetUnknown."""
    with parts.database.read() as session:
        if store.find_dataset(session, dataset) is None:
            raise model.DatasetUnknown(f"{dataset} is not in the catalogue")
        return ReleaseList(releases=store.releases_since(session, dataset, since))


def _adopt(unit: Unit, signed: Signed[ContractRegistration], contract: Contract, line: versions.Line) -> None:
    session, registration = unit.session, signed.statement
    ref = registration.contract
    known = store.known_contract(session, ref.id, ref.version)
    if known is None:
        versions.check_line(unit, contract.id, line)
        classes = {field.name: field.classification for field in contract.fields}
        store.add_contract(
            session, ref.id, ref.version, digest=ref.digest, fields=classes, envelope=signed.text
        )
    else:
        model.check_contract(ref, known)
    if store.has_adopted(session, ref.id, ref.version, registration.provider):
        return
    fields: dict[str, Json] = {
        "part": registration.provider,
        "ctr": f"{ref.id}@{ref.version}",
        "dig": ref.digest,
    }
    index = unit.append(Entry(EntryKind.CONTRACT_PUBLISH, unit.now, fields))
    row = AdoptionRow(
        contract=ref.id,
        version=ref.version,
        provider=registration.provider,
        envelope=signed.text,
        entry=index,
    )
    store.add_adoption(session, row)


def _registered(parts: Parts, ref: ContractRef) -> Contract | None:
    """Read a contract before the unit: a version never changes, and reading it takes the writer's time."""
    with parts.database.read() as session:
        envelope = store.contract_envelope(session, ref.id, ref.version)
    if envelope is None:
        return None
    return contract_of(peek_statement(envelope, ContractRegistration).statement.document)


def _declare(
    unit: Unit,
    signed: Signed[DatasetRecord],
    contract: Contract | None,
    step: versions_model.Step | None,
) -> CatalogEntry:
    session, record = unit.session, signed.statement
    row = store.find_dataset(session, record.dataset)
    before = store.find_record(session, record.dataset, record.number)
    if row is not None and before is not None and before.digest == signed.digest:
        return store.catalog_entry(row)
    known = store.known_contract(session, record.contract.id, record.contract.version)
    model.check_record(record, store.standing(row), known)
    if contract is None:
        raise model.ContractUnknown(f"{record.contract.id} {record.contract.version} is not registered")
    check_terms(record, contract)
    versions.check_move(unit, record, None if row is None else row.contract_ref(), step)
    fields: dict[str, Json] = {
        "part": record.provider,
        "dsc": conceal(session, record.dataset.encode(), salt=new_salt(), now=unit.now),
        "dig": signed.digest,
        "n": record.number,
    }
    index = log_statement(unit, signed.digest, Entry(EntryKind.DATASET_PUBLISH, unit.now, fields))
    kept = RecordRow(
        dataset=record.dataset, number=record.number, digest=signed.digest, envelope=signed.text, entry=index
    )
    store.add_record(session, kept)
    fresh = _present(signed, row)
    store.put_dataset(session, fresh)
    return store.catalog_entry(fresh)


def _present(signed: Signed[DatasetRecord], before: DatasetRow | None) -> DatasetRow:
    record = signed.statement
    words = (record.dataset, record.title.zh, record.title.en, record.theme, record.place)
    return DatasetRow(
        dataset=record.dataset,
        provider=record.provider,
        number=record.number,
        record=signed.digest,
        contract=record.contract.id,
        contract_version=record.contract.version,
        contract_digest=record.contract.digest,
        envelope=signed.text,
        words="\n".join(words).casefold(),
        sharing=record.sharing.value,
        releases=before.releases if before else 0,
        manifest=before.manifest if before else None,
        rows_published=before.rows_published if before else 0,
        rows_quarantined=before.rows_quarantined if before else 0,
    )


def _check_not_received(unit: Unit, manifest: Manifest) -> None:
    """Refuse what the provider of a release itself received from another participant: it is bound to that."""
    for digest in (manifest.source.sha256, manifest.distribution.sha256):
        grant = received_under(unit.session, manifest.provider, digest)
        if grant is not None:
            raise OnwardSharing(f"the provider itself received these bytes under {grant}", grant=grant)


def _publish(
    parts: Parts, unit: Unit, signed: Signed[Manifest], contract: Contract | None
) -> tuple[ReleaseEntry, int | None]:
    session, manifest = unit.session, signed.statement
    before = store.find_release(session, manifest.dataset, manifest.number)
    if before is not None and before.digest == signed.digest:
        return store.release_entry(before), None
    dataset = store.find_dataset(session, manifest.dataset)
    model.check_release(manifest, store.standing(dataset))
    if contract is None:
        raise model.ContractUnknown(f"{manifest.contract.id} {manifest.contract.version} is not registered")
    check_findings(manifest, contract)
    _check_not_received(unit, manifest)
    check_link(unit, manifest)
    fields: dict[str, Json] = {
        "part": manifest.provider,
        "dsc": conceal(session, manifest.dataset.encode(), salt=new_salt(), now=unit.now),
        "n": manifest.number,
        "man": signed.digest,
        "prev": manifest.previous,
    }
    index = log_statement(unit, signed.digest, Entry(EntryKind.RELEASE_PUBLISH, unit.now, fields))
    row = ReleaseRow(
        dataset=manifest.dataset,
        number=manifest.number,
        digest=signed.digest,
        envelope=signed.text,
        entry=index,
    )
    store.add_release(session, row)
    store.count_release(session, manifest, signed.digest)
    store.add_quality(session, manifest)
    link(unit, manifest, signed.digest)
    alarm = judge_event(manifest, contract)
    return store.release_entry(row), None if alarm is None else record_alarm(parts, unit, alarm)
