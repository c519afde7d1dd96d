"""The only SQL about a node's objections. Nothing here decides anything."""

from sqlmodel import col, func, select

from contracts.messages import AWAITS_PROVIDER, Grant, Receipt, ReceiptRole
from nodes.correcting.tables import ObjectionRow, ObjectionStepRow
from nodes.node import Node
from nodes.sharing_tables import DeliveryRow
from nodes.signed import peek_statement


def find(node: Node, objection: str) -> ObjectionRow | None:
    """Give one objection."""
    with node.database.read() as session:
        return session.get(ObjectionRow, objection)


def find_step(node: Node, objection: str, number: int) -> ObjectionStepRow | None:
    """Give one step."""
    with node.database.read() as session:
        return session.get(ObjectionStepRow, (objection, number))


def newest(node: Node, state: str | None = None) -> list[ObjectionRow]:
    """List objections, newest first."""
    wanted = [] if state is None else [col(ObjectionRow.state) == state]
    query = select(ObjectionRow).where(*wanted)
    with node.database.read() as session:
        return list(session.exec(query.order_by(col(ObjectionRow.at).desc(), col(ObjectionRow.objection))))


def awaiting_answer(node: Node) -> list[ObjectionRow]:
    """List this node's own objections that wait for the provider, and that it has sent."""
    query = select(ObjectionRow).where(
        col(ObjectionRow.role) == ReceiptRole.CONSUMER.value,
        col(ObjectionRow.sent).is_(True),
        col(ObjectionRow.state).in_([state.value for state in AWAITS_PROVIDER]),
    )
    with node.database.read() as session:
        return list(session.exec(query.order_by(col(ObjectionRow.at))))


def steps(node: Node, objection: str) -> list[ObjectionStepRow]:
    """List the steps of an objection in their order, with one that was not sent yet."""
    query = select(ObjectionStepRow).where(ObjectionStepRow.objection == objection)
    with node.database.read() as session:
        return list(session.exec(query.order_by(col(ObjectionStepRow.number))))


def count_sent(node: Node, objection: str) -> int:
    """Count the steps of an objection that the exchange has."""
    query = select(func.count()).where(
        col(ObjectionStepRow.objection) == objection, col(ObjectionStepRow.sent).is_(True)
    )
    with node.database.read() as session:
        return int(session.exec(query).one())


def unsent(node: Node) -> tuple[list[ObjectionRow], list[ObjectionStepRow]]:
    """List what was signed and is not known to have arrived, oldest first."""
    objections = select(ObjectionRow).where(col(ObjectionRow.sent).is_(False))
    waiting = select(ObjectionStepRow).where(col(ObjectionStepRow.sent).is_(False))
    with node.database.read() as session:
        return (
            list(session.exec(objections.order_by(col(ObjectionRow.at)))),
            list(session.exec(waiting.order_by(col(ObjectionStepRow.at)))),
        )


def keep(node: Node, row: ObjectionRow, rows: list[ObjectionStepRow]) -> None:
    """Write an objection and its steps in one transaction."""
    with node.database.transaction() as session:
        session.merge(row)
        for step in rows:
            session.merge(step)


def forget(node: Node, objection: str) -> None:
    """Delete an objection that the exchange refused."""
    with node.database.transaction() as session:
        row = session.get(ObjectionRow, objection)
        if row is not None and not row.sent:
            session.delete(row)


def forget_step(node: Node, objection: str, number: int) -> None:
    """Delete a step that the exchange refused."""
    with node.database.transaction() as session:
        row = session.get(ObjectionStepRow, (objection, number))
        if row is not None and not row.sent:
            session.delete(row)


def delivered(row: DeliveryRow) -> tuple[str, str, str]:
    """Give what a delivery was: its consumer, the manifest, and the digest of the bytes."""
    receipt = peek_statement(row.receipt, Receipt).statement
    return Grant.parse(row.grant.encode()).consumer, receipt.manifest, receipt.view_sha256
