"""Use cases of notices: who would be affected, giving notice that a contract version ends, answering it."""

import structlog
from sqlmodel import Session

from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from contracts.canonical import Json
from contracts.clock import epoch_ms, rfc3339
from contracts.messages import (
    CONTRACT_DEPRECATED,
    Acknowledgement,
    ContractRef,
    Deprecation,
    DeprecationList,
    DeprecationView,
    Impact,
    ImpactList,
    Severity,
    Text,
)
from contracts.schema import Contract
from exchange.catalog.model import ContractChanged
from exchange.evidence import check_speaker, log_statement
from exchange.identity import Caller
from exchange.incidents.flow import record_alarm
from exchange.parts import Alarm, Parts
from exchange.versions import model, store
from exchange.versions.flow import compare_in_turn, registered_contract
from exchange.versions.impact import Compared, read_impact
from exchange.versions.tables import AcknowledgementRow, DeprecationRow
from nodes.signed import Signed, peek_statement, read_statement

DAY_MS = 86_400_000

log = structlog.get_logger(__name__)

Named = tuple[str, str]  # a contract's id and version


async def impacts(parts: Parts, caller: Caller, successor: Named, instead_of: Named | None) -> ImpactList:
    """Say what a contract version takes from whom, for each version that the caller's datasets follow now.

    ``instead_of`` names one version, of any contract. Raises ContractUnknown.
    """
    new = registered_contract(parts, *successor)
    steps = [instead_of] if instead_of else []
    if instead_of is None:
        with parts.database.read() as session:
            used = store.versions_in_use(session, caller.participant, new.id)
        steps = [(new.id, version) for version in used if version != new.version]
    found: list[Impact] = []
    for step in steps:
        compared = await _compared(caller, registered_contract(parts, *step), new)
        with parts.database.read() as session:
            found.append(read_impact(session, caller.participant, compared, parts.clock.now()))
    return ImpactList(impacts=found)


async def deprecate(parts: Parts, caller: Caller, envelope: str) -> DeprecationView:
    """Take a provider's notice; the same one again changes nothing.

    Raises OtherSigner, ContractUnknown, ContractChanged, NoticePointless, NoticeWindow, ImpactChanged,
    TooManyNotices or ComparisonsBusy.
    """
    signed = read_statement(envelope, Deprecation, caller.key)
    notice = signed.statement
    check_speaker(notice.provider, caller.participant)
    steps = _as_named(parts, notice.contract), _as_named(parts, notice.successor)
    compared = await _compared(caller, *steps)

    def unit(unit: Unit) -> int | None:
        if store.find_notice(unit.session, signed.digest) is not None:
            return None
        impact = read_impact(unit.session, caller.participant, compared, unit.now)
        same = compared.old.id == compared.new.id  # a person approves steps within one contract
        approved = same and store.is_approved(unit.session, compared.new.digest)
        breaking = model.is_breaking(compared.found, approved=approved)
        model.check_notice(notice, unit.now, breaking=breaking, users_digest=impact.users_digest())
        given = store.count_notices_since(unit.session, notice.provider, epoch_ms(unit.now) - DAY_MS)
        if given >= model.MAX_NOTICES_A_DAY:
            raise model.TooManyNotices(f"{given} notices within a day")
        return _give(parts, unit, signed)

    event = (await parts.log.commit(unit)).value
    if event is not None:
        parts.mailbox.announce(events=event)
        log.info("contract_deprecated", contract=notice.contract.id, version=notice.contract.version)
    return notice_for(parts, caller, signed.digest)


async def acknowledge(parts: Parts, caller: Caller, envelope: str) -> DeprecationView:
    """Take a subscriber's answer to a notice; raise OtherSigner, NoticeUnknown or NoticeMismatch."""
    signed = read_statement(envelope, Acknowledgement, caller.key)
    check_speaker(signed.statement.consumer, caller.participant)
    await parts.log.commit(lambda unit: _acknowledge(unit, signed))
    return notice_for(parts, caller, signed.statement.deprecation)


def notice_for(parts: Parts, caller: Caller, digest: str) -> DeprecationView:
    """Give one notice as the caller may see it; raise NoticeUnknown."""
    with parts.database.read() as session:
        row = store.find_notice(session, digest)
        view = None if row is None else _view(session, parts, row, caller.participant)
    if view is None:
        raise model.NoticeUnknown(f"{digest} does not concern {caller.participant}")
    return view


def notices(parts: Parts, caller: Caller) -> DeprecationList:
    """List the notices that the caller gave, and those that its subscriptions are about; newest first."""
    with parts.database.read() as session:
        views = [_view(session, parts, row, caller.participant) for row in store.notices(session)]
    return DeprecationList(deprecations=[view for view in views if view is not None])


async def _compared(caller: Caller, old: Contract, new: Contract) -> Compared:
    return Compared(old, new, await compare_in_turn(caller.participant, old, new))


def _as_named(parts: Parts, ref: ContractRef) -> Contract:
    contract = registered_contract(parts, ref.id, ref.version)
    if contract.digest != ref.digest:
        raise ContractChanged(f"{ref.id} {ref.version} is on record under another digest")
    return contract


def _give(parts: Parts, unit: Unit, signed: Signed[Deprecation]) -> int:
    notice = signed.statement
    fields: dict[str, Json] = {
        "part": notice.provider,
        "ctr": f"{notice.contract.id}@{notice.contract.version}",
        "suc": f"{notice.successor.id}@{notice.successor.version}",
        "dig": signed.digest,
        "until": epoch_ms(notice.ends_at),
    }
    entry = log_statement(unit, signed.digest, Entry(EntryKind.CONTRACT_DEPRECATE, unit.now, fields))
    row = DeprecationRow(
        digest=signed.digest,
        provider=notice.provider,
        before=notice.contract.digest,
        after=notice.successor.digest,
        envelope=signed.text,
        ends_at=epoch_ms(notice.ends_at),
        at=epoch_ms(unit.now),
        entry=entry,
    )
    store.add_notice(unit.session, row)
    return record_alarm(parts, unit, _alarm(signed))


def _alarm(signed: Signed[Deprecation]) -> Alarm:
    """Tell the alliance that a version ends, and when; not who uses it."""
    notice = signed.statement
    name = f"{notice.contract.id} {notice.contract.version}"
    facts = {
        "deprecation": signed.digest,
        "contract": f"{notice.contract.id}@{notice.contract.version}",
        "successor": f"{notice.successor.id}@{notice.successor.version}",
        "ends_at": rfc3339(notice.ends_at),
    }
    title = Text(zh=f"契约版本将停用:{name}", en=f"A contract version ends: {name}")
    return Alarm(CONTRACT_DEPRECATED, Severity.LOW, notice.provider, title, facts)


def _acknowledge(unit: Unit, signed: Signed[Acknowledgement]) -> None:
    session, answer = unit.session, signed.statement
    row = store.find_notice(session, answer.deprecation)
    if row is None or answer.consumer not in store.consumers_under(session, row, unit.now):
        raise model.NoticeUnknown(f"{answer.deprecation} does not concern {answer.consumer}")
    notice = peek_statement(row.envelope, Deprecation).statement
    if (notice.provider, notice.contract, notice.successor) != (
        answer.provider,
        answer.contract,
        answer.successor,
    ):
        raise model.NoticeMismatch("the answer names another step than the notice")
    if answer.consumer in store.acknowledged_by(session, row.digest):
        return
    fields: dict[str, Json] = {
        "part": answer.consumer,
        "ctr": f"{answer.contract.id}@{answer.contract.version}",
        "dep": row.digest,
        "dig": signed.digest,
    }
    entry = log_statement(unit, signed.digest, Entry(EntryKind.CONTRACT_ACKNOWLEDGE, unit.now, fields))
    kept = AcknowledgementRow(
        deprecation=row.digest,
        consumer=answer.consumer,
        digest=signed.digest,
        envelope=signed.text,
        entry=entry,
    )
    store.add_acknowledgement(session, kept)


def _view(session: Session, parts: Parts, row: DeprecationRow, participant: str) -> DeprecationView | None:
    now = parts.clock.now()
    acknowledged = store.acknowledged_by(session, row.digest)
    waiting = store.consumers_under(session, row, now) - acknowledged
    if participant != row.provider:
        acknowledged, waiting = acknowledged & {participant}, waiting & {participant}
        if not acknowledged and not waiting:
            return None
    return DeprecationView(
        deprecation=row.digest,
        envelope=row.envelope,
        passed=epoch_ms(now) >= row.ends_at,
        acknowledged=sorted(acknowledged),
        waiting=sorted(waiting),
    )
