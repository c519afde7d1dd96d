"""Erase what stands behind the log, after its time and by an administrator: the log itself stays as it is.

The act is an entry before anything is gone. Values then go a page at a time; a run that breaks off is run
again. What is left of an old transfer are its leaves, whose salted commitments nobody can open any more.
"""

from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import TypeAlias

import structlog
from sqlmodel import Session

from audit.commitment import new_salt
from audit.log.unit import Unit
from contracts.canonical import canonical_bytes
from contracts.clock import epoch_ms
from exchange.evidence import admin_act, conceal
from exchange.identity import Person
from exchange.parts import Parts
from exchange.retention import store
from exchange.retention.model import ERASE, Erased, cutoff_of
from exchange.retention.store import Key, Page

log = structlog.get_logger(__name__)

_Eraser: TypeAlias = Callable[[Session, int, Key | None], Page]

# Transfers go before their agreements, and agreements before their applications.
_ERASERS: dict[str, _Eraser] = {
    "evidence": store.erase_values,
    "transfers": store.erase_transfers,
    "agreements": store.erase_agreements,
    "applications": store.erase_applications,
    "denials": store.erase_denials,
    "decisions": store.erase_decisions,
    "emergency_uses": store.erase_emergency_uses,
    "objections": store.erase_objections,
}


async def erase(parts: Parts, person: Person, before: date) -> tuple[int, Erased]:
    """Erase evidence of days before ``before`` (UTC+8); give the place of the act's entry, and the counts.

    Raises TooYoung, and LogSealed while the log takes no entry: then nothing is erased.
    """
    cutoff = cutoff_of(before, now=parts.clock.now(), retention_years=parts.settings.retention_years)
    act = await parts.log.commit(partial(_record, person, before))
    counts: dict[str, int] = {}
    for name, eraser in _ERASERS.items():
        counts[name] = await _run(parts, eraser, cutoff)
    parts.database.empty_journal()
    log.info("evidence_erased", before=before.isoformat(), **counts)
    return act.value, Erased(**counts)


async def _run(parts: Parts, eraser: _Eraser, cutoff: datetime) -> int:
    total, after = 0, None
    while True:
        page = (await parts.log.commit(partial(_one_page, eraser, epoch_ms(cutoff), after))).value
        total, after = total + page.erased, page.last
        if after is None:
            return total


def _one_page(eraser: _Eraser, cutoff_ms: int, after: Key | None, unit: Unit) -> Page:
    store.overwrite(unit.session.connection())
    return eraser(unit.session, cutoff_ms, after)


def _record(person: Person, before: date, unit: Unit) -> int:
    said = canonical_bytes({"before": before.isoformat()})
    commitment = conceal(unit.session, said, salt=new_salt(), now=unit.now)
    return unit.append(admin_act(unit, person, ERASE, commitment))
