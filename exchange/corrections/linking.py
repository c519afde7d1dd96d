"""A correcting release in the catalogue's unit: the link to what it replaces, and everything that follows.

The release, its entry, the entries that say what it corrects, the state of each objection that it settles,
and the list of earlier recipients to be told commit together or not at all.
"""

from audit.commitment import new_salt
from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from contracts.canonical import Json
from contracts.clock import epoch_ms
from contracts.messages import Manifest, ObjectionState
from exchange.catalog.store import find_release
from exchange.corrections import model, store
from exchange.evidence import conceal


def check_link(unit: Unit, manifest: Manifest) -> None:
    """Raise CorrectionUnfit or ObjectionNotVerified unless a release may replace the one that it names."""
    corrects = manifest.corrects
    if corrects is None:
        return
    session = unit.session
    before = find_release(session, manifest.dataset, corrects.number)
    replaced = store.replaced(session, manifest.dataset)
    manifests = {} if before is None else {before.number: before.digest}
    model.check_correction(manifest, corrects, manifests=manifests, replaced=replaced)
    settled = model.ancestors(corrects.number, replaced) | {corrects.number}
    for name in corrects.objections:
        row = store.find(session, name)
        model.check_settled(None if row is None else store.standing(row), manifest, settled)


def link(unit: Unit, manifest: Manifest, digest: str) -> None:
    """Write what a correcting release leads to; the release itself is on record already."""
    corrects = manifest.corrects
    if corrects is None:
        return
    session, dataset, number = unit.session, manifest.dataset, manifest.number
    store.add_correction(session, dataset, corrects.number, number=number, now=unit.now)
    earlier = model.ancestors(number, store.replaced(session, dataset))
    whom = store.recipients(session, dataset, earlier)
    store.owe_word(session, dataset, number, whom)
    names: list[str | None] = [*corrects.objections] or [None]
    for name in names:
        fields: dict[str, Json] = {
            "part": manifest.provider,
            "obj": name,
            "dsc": conceal(session, dataset.encode(), salt=new_salt(), now=unit.now),
            "old": corrects.manifest,
            "man": digest,
            "n": len(whom),
        }
        unit.append(Entry(EntryKind.CORRECTION, unit.now, fields))
    for name in corrects.objections:
        row = store.find(session, name)
        if row is not None:
            row.state, row.correction = ObjectionState.CORRECTED.value, number
            row.answered_at = epoch_ms(unit.now)
            store.save(session, row)
            store.owe_news(session, row.objector, name)
            store.owe_news(session, row.provider, name)
