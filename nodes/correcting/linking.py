"""The link of a correcting release to the one that it replaces, before the manifest is signed.

The exchange checks the same; here it is checked first so that nobody publishes a correction in vain.
"""

from dataclasses import dataclass

from sqlmodel import select

from contracts.errors import Conflict, NotFound
from contracts.messages import Corrects, Manifest, ObjectionState, ReceiptRole
from nodes.correcting.stepping import refresh
from nodes.node import Node
from nodes.publishing.datasets import PUBLISHED
from nodes.sharing_tables import ReleaseRow
from nodes.signed import peek_statement


class NoSuchRelease(NotFound):
    """This node has published no release of this number that could be corrected."""

    code = "no-such-release"
    title_zh = "本节点没有可更正的该批次"
    next_zh = "核对数据集与批次编号;若该批次已被更正,须更正替代它的批次。"
    next_en = "Check dataset and number; where the release was replaced, correct the one in its place."


class NothingCorrected(Conflict):
    """The same source was published before; it corrects nothing."""

    code = "nothing-corrected"
    title_zh = "该来源文件已发布过,不构成更正"
    next_zh = "改正来源文件中的数据后再发布。"
    next_en = "Mend the data in the source, then publish it."


class ObjectionUnsettled(Conflict):
    """The objection is not one that this correction can settle."""

    code = "objection-unsettled"
    title_zh = "该异议不能由此更正办结"
    next_zh = "先用 headwaters objection verify 核实;异议须针对被更正的数据集。"
    next_en = "Verify it first with headwaters objection verify; it must be about the same dataset."


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person wants a release to correct: an earlier one, and the objections that this settles."""

    release: int
    objections: tuple[str, ...] = ()


def corrects_of(node: Node, dataset: str, asked: Correction | None) -> Corrects | None:
    """Give the link for a manifest; raise NoSuchRelease, ObjectionUnsettled or NoSuchObjection."""
    if asked is None:
        return None
    with node.database.read() as session:
        rows = session.exec(
            select(ReleaseRow).where(ReleaseRow.dataset == dataset, ReleaseRow.state == PUBLISHED)
        ).all()
    manifests = {row.number: row for row in rows}
    replaced = {
        link.number
        for row in rows
        if (link := peek_statement(row.envelope, Manifest).statement.corrects) is not None
    }
    if asked.release not in manifests or asked.release in replaced:
        raise NoSuchRelease(f"release {asked.release} of {dataset} is unknown here, or was replaced")
    for name in asked.objections:
        row = refresh(node, name)
        is_ours = row.role == ReceiptRole.PROVIDER and row.dataset == dataset
        if not is_ours or row.state != ObjectionState.VERIFIED.value:
            raise ObjectionUnsettled(f"{name} is {row.state}, or is not about {dataset}")
    return Corrects(
        number=asked.release,
        manifest=manifests[asked.release].manifest,
        objections=list(dict.fromkeys(asked.objections)),
    )
