"""Use cases of versions: hold a registration to its line, show who is affected, give notice and answer it.

Comparing takes its time, so it is done beside the event loop and before the unit; the unit then checks that
what was compared is still what stands.
"""

import asyncio

import structlog

from audit.commitment import new_salt
from audit.log.unit import Unit
from contracts import library
from contracts.canonical import canonical_bytes
from contracts.clock import epoch_ms
from contracts.compatibility.comparison import Comparison
from contracts.messages import ContractRef, ContractRegistration, DatasetRecord
from contracts.schema import Contract
from exchange.catalog import store as catalog_store
from exchange.catalog.model import ContractUnknown
from exchange.evidence import admin_act, conceal
from exchange.identity import Caller, Person
from exchange.parts import Parts
from exchange.versions import apart, model, store
from exchange.versions.model import ReviewState, Step
from exchange.versions.tables import ReviewRow
from nodes.publishing.datasets import contract_of
from nodes.signed import peek_statement

log = structlog.get_logger(__name__)

Line = dict[str, str]  # digest by version, as it stood when a registration was checked


async def check_registration(parts: Parts, caller: Caller, contract: Contract, envelope: str) -> Line:
    """Hold a new version to those before it; give the line that it was held to.

    A version that nobody can judge is kept for a person. Raises ContractOfOthers, VersionLies,
    ContractBreaks, ContractUndetermined, TooManyVersions, TooManyReviews or ComparisonsBusy.
    """
    with parts.database.read() as session:
        line = store.registered(session, contract.id)
        if not line or contract.version in line:
            return line
        own = contract.id in library.names() or store.has_adopted_any(
            session, contract.id, caller.participant
        )
        approved = store.is_approved(session, contract.digest)
        before = model.predecessor(line, contract.version)
        texts = {version: catalog_store.contract_envelope(session, contract.id, version) for version in line}
    if not own:
        raise model.ContractOfOthers(f"{contract.id} was not adopted by {caller.participant}")
    earlier = {version: _contract_in(text) for version, text in texts.items() if text is not None}
    held_to = model.line_of(earlier, before, contract.version)
    try:
        await asyncio.to_thread(_check_apart, caller.participant, held_to, contract, approved)
    except model.ContractUndetermined:
        await parts.log.commit(lambda unit: _ask_for_review(unit, caller, contract, envelope))
        raise
    return line


async def compare_in_turn(participant: str, old: Contract, new: Contract) -> Comparison:
    """Compare two contracts for a participant in a process apart; raise ComparisonsBusy."""

    def compared() -> Comparison:
        with apart.TURNS.turn(participant) as turn:
            return turn.compare(old, new)

    return await asyncio.to_thread(compared)


def check_line(unit: Unit, contract: str, line: Line) -> None:
    """Raise LineageMoved unless the versions of a contract are those that were compared."""
    if store.registered(unit.session, contract) != line:
        raise model.LineageMoved(f"{contract} has another version by now")


async def step_of(parts: Parts, record: DatasetRecord, contract: Contract | None) -> Step | None:
    """Compare the contract that a dataset follows with the one its next record names; None for no step."""
    with parts.database.read() as session:
        row = catalog_store.find_dataset(session, record.dataset)
        if row is None or contract is None or row.contract_ref() == record.contract:
            return None
        before = row.contract_ref()
    old = registered_contract(parts, before.id, before.version)
    with parts.database.read() as session:
        # What a person approved is a version in the line of its own contract, and no step from another one.
        approved = old.id == contract.id and store.is_approved(session, contract.digest)
    comparison = await compare_in_turn(record.provider, old, contract)
    return Step(before, record.contract, model.is_breaking(comparison, approved=approved))


def check_move(unit: Unit, record: DatasetRecord, standing: ContractRef | None, step: Step | None) -> None:
    """Let the next record of a dataset name another contract.

    Raises LineageMoved, NoticeMissing or NoticeRunning.
    """
    if standing is None or standing == record.contract:
        return
    if step is None or step.before != standing:
        raise model.LineageMoved(f"{record.dataset} follows another contract by now")
    subscribed = store.active_subscriptions(unit.session, record.dataset, unit.now)
    notice = store.newest_notice(unit.session, record.provider, step.before.digest, step.after.digest)
    model.check_move(step, {row.consumer for row, _ in subscribed}, notice, unit.now)


def registered_contract(parts: Parts, contract: str, version: str) -> Contract:
    """Read a registered contract; raise ContractUnknown."""
    with parts.database.read() as session:
        envelope = catalog_store.contract_envelope(session, contract, version)
    if envelope is None:
        raise ContractUnknown(f"{contract} {version} is not registered")
    return _contract_in(envelope)


def reviews(parts: Parts) -> list[ReviewRow]:
    """List the versions that wait for a person, and those that were settled, newest first."""
    with parts.database.read() as session:
        return store.reviews(session)


async def settle_review(parts: Parts, person: Person, digest: str, *, approved: bool, why: str) -> ReviewRow:
    """Put on record what a named person says of an undetermined version; raise ReviewUnknown."""

    def unit(unit: Unit) -> ReviewRow:
        row = store.find_review(unit.session, digest)
        if row is None or row.state != ReviewState.OPEN:
            raise model.ReviewUnknown(f"{digest} does not wait for a person")
        said = canonical_bytes({"contract": digest, "approved": approved, "why": why})
        secret = conceal(unit.session, said, salt=new_salt(), now=unit.now)
        unit.append(admin_act(unit, person, "contract.review", secret))
        state = ReviewState.APPROVED if approved else ReviewState.REFUSED
        settled = {
            "state": state.value,
            "settled_by": person.name,
            "why": why,
            "settled_at": epoch_ms(unit.now),
        }
        fresh = ReviewRow(**(row.model_dump() | settled))
        store.save_review(unit.session, fresh)
        return ReviewRow(**fresh.model_dump())

    settled = (await parts.log.commit(unit)).value
    log.info("contract_review_settled", contract=digest, approved=approved)
    return settled


def _check_apart(
    participant: str, line: list[Contract], contract: Contract, approved: bool
) -> None:  # a thread's arguments
    with apart.TURNS.turn(participant) as turn:
        model.check_successor(line, contract, approved=approved, compare_by=turn.compare)


def _ask_for_review(unit: Unit, caller: Caller, contract: Contract, envelope: str) -> None:
    if store.find_review(unit.session, contract.digest) is not None:
        return
    if store.count_open_reviews(unit.session, caller.participant) >= model.MAX_OPEN_REVIEWS:
        raise model.TooManyReviews(f"{model.MAX_OPEN_REVIEWS} versions wait already")
    store.save_review(
        unit.session,
        ReviewRow(
            digest=contract.digest,
            contract=contract.id,
            version=contract.version,
            provider=caller.participant,
            state=ReviewState.OPEN.value,
            envelope=envelope,
            at=epoch_ms(unit.now),
        ),
    )


def _contract_in(envelope: str) -> Contract:
    return contract_of(peek_statement(envelope, ContractRegistration).statement.document)
