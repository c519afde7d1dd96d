"""Releases that a later one replaces, as their provider signed it: what a consumer should use no more.

A node learns of it from the exchange's news and from the feed itself; either way the provider's manifest says
so, and nobody else's word counts.
"""

from collections.abc import Iterable

from sqlmodel import col, select

from contracts.clock import epoch_ms
from contracts.messages import Manifest, Severity, Text
from nodes.correcting.tables import ReplacedRow
from nodes.node import Node
from nodes.sharing_tables import ReceivedRow
from nodes.signed import Signed

REPLACED = "correction.replaced"


def heed(node: Node, manifests: Iterable[Signed[Manifest]]) -> None:
    """Note what verified manifests replace, and tell the people here where this node holds it.

    The caller has verified that each is signed by the provider of its dataset.
    """
    for manifest in manifests:
        corrects = manifest.statement.corrects
        if corrects is not None:
            _note(node, manifest, corrects.number)


def replaced_by(node: Node, dataset: str | None = None) -> dict[tuple[str, int], int]:
    """Tell which releases were replaced, by dataset and number, each by the newest in its place."""
    wanted = [] if dataset is None else [col(ReplacedRow.dataset) == dataset]
    with node.database.read() as session:
        rows = session.exec(select(ReplacedRow).where(*wanted)).all()
    direct = {(row.dataset, row.number): row.by for row in rows}
    newest = {}
    for (name, number), first in direct.items():
        by = first
        while (name, by) in direct:  # a correction is later than what it replaces, so this ends
            by = direct[name, by]
        newest[name, number] = by
    return newest


def _note(node: Node, manifest: Signed[Manifest], number: int) -> None:
    said = manifest.statement
    if number >= said.number:
        return
    with node.database.transaction() as session:
        known = session.get(ReplacedRow, (said.dataset, number))
        if known is None:
            session.add(
                ReplacedRow(
                    dataset=said.dataset,
                    number=number,
                    by=said.number,
                    manifest=manifest.digest,
                    at=epoch_ms(node.clock.now()),
                )
            )
        held = session.exec(
            select(ReceivedRow.grant_id).where(
                ReceivedRow.dataset == said.dataset, ReceivedRow.number == number
            )
        ).first()
    if held is not None:
        title = Text(zh="已接收的批次被更正,请接收新批次", en="A release that was received here is corrected")
        facts: dict[str, int | str] = {"dataset": said.dataset, "release": number, "replaced_by": said.number}
        node.alarms.raise_alarm(REPLACED, Severity.MEDIUM, title, facts)
