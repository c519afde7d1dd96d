"""Declare what this province shares: contracts it adopts, and numbered records of its datasets.

Every statement is signed and stored before it is sent, and sent again byte for byte after a crash; the
exchange takes the same digest twice without a second entry. A record becomes the current one when the
exchange has it.
"""

from functools import lru_cache

from pydantic import Field
from sqlmodel import Session, col, select

from contracts import library
from contracts.clock import epoch_ms
from contracts.errors import Conflict, Invalid, NotFound, Refused
from contracts.identifiers import parse_name
from contracts.messages import (
    Condition,
    ContractRef,
    ContractRegistration,
    DatasetId,
    DatasetRecord,
    Duty,
    Long,
    PurposeFields,
    Sharing,
    Short,
    Text,
    Wire,
    utc,
)
from contracts.schema import Contract, parse_contract
from nodes.node import Node
from nodes.publishing.terms import check_terms
from nodes.sharing_tables import ContractRow, DatasetRow
from nodes.signed import Signed, peek_statement, sign_again, sign_statement

# How far what this node signed has come: written down, then taken by the exchange.
PENDING = "pending"
REGISTERED = "registered"
PUBLISHED = "published"


class ContractNotRegistered(NotFound):
    """This node has not registered the contract."""

    code = "contract-not-registered"
    title_zh = "本节点尚未登记该契约"
    next_zh = "先用 headwaters contract 登记契约,再登记数据集。"
    next_en = "Register the contract first, then declare the dataset."


class ContractVersionTaken(Conflict):
    """Another document was registered under this contract version."""

    code = "contract-version-taken"
    title_zh = "该契约版本已登记为另一内容"
    next_zh = "契约一经登记不可更改;请提高版本号。"
    next_en = "A registered contract never changes; raise its version."


class DatasetNotDeclared(NotFound):
    """This node has not declared the dataset."""

    code = "dataset-not-declared"
    title_zh = "本节点尚未登记该数据集"
    next_zh = "先登记数据集,再发布。"
    next_en = "Declare the dataset first."


class FieldUnknown(Invalid):
    """A purpose names a field that the contract does not have."""

    code = "field-unknown"
    title_zh = "用途所列字段不在契约中"


class PurposesOpen(Invalid):
    """Fields are hidden from some purposes, and any other purpose may be asked for."""

    code = "purposes-open"
    title_zh = "限定了用途可见字段,却未限定用途"
    next_zh = "在 purposes 中列出全部允许的用途;否则申请其他用途即可看到全部字段。"
    next_en = "List every purpose under purposes; otherwise another purpose would see every field."


class RecordNumbersBehind(Conflict):
    """The exchange holds a newer record of this dataset than this node does."""

    code = "record-numbers-behind"
    title_zh = "本节点的数据集登记落后于交换中心"
    next_zh = "本节点可能由旧备份恢复;停止发布,先找回最新的数据库。"
    next_en = "This node may run on a restored snapshot; stop publishing and recover its newest database."


class Declaration(Wire):
    """What a person says of a dataset; ``contract`` is ``id`` or ``id@version`` of a registered contract.

    ``conditions``, ``duties`` and ``emergency`` are what its users are held to (``nodes.publishing.terms``).
    """

    dataset: DatasetId
    contract: Short
    title: Text
    sharing: Sharing
    sharing_basis: Long
    classification: int
    purposes: list[DatasetId] = Field(default=[])
    purpose_fields: list[PurposeFields] = Field(default=[])
    place: Short
    synthetic: bool
    update_frequency: Short
    theme: Short | None = None
    conditions: list[Condition] = Field(default=[])
    duties: list[Duty] = Field(default=[])
    emergency: bool = False


def register_contract(node: Node, text: str) -> ContractRef:
    """Sign and register a contract: the name of a shipped one, or the JSON text of a document.

    Raises ContractRefused, NoSuchContract, ContractVersionTaken, or what the exchange answers.
    """
    contract = parse_contract(text.encode()) if text.lstrip().startswith("{") else library.load(text.strip())
    ref = contract.ref()
    with node.database.transaction() as session:
        row = session.get(ContractRow, (ref.id, ref.version))
        if row is not None and row.digest != ref.digest and row.state == REGISTERED:
            raise ContractVersionTaken(f"{ref.id} {ref.version} is registered with another digest")
        if row is None or row.digest != ref.digest:
            row = session.merge(_sign_contract(node, contract))
    envelope = sign_again(row.envelope, ContractRegistration, node.node_key)
    node.broker.register_contract(envelope)
    with node.database.transaction() as session:
        session.merge(ContractRow(**(row.model_dump() | {"envelope": envelope, "state": REGISTERED})))
    return ref


def declare_dataset(node: Node, declaration: Declaration) -> Signed[DatasetRecord]:
    """Sign and register the next record of a dataset; the same words again make no new record.

    Raises ContractNotRegistered, FieldUnknown, PurposesOpen, TermsUnfit, RecordNumbersBehind, or what the
    exchange answers.
    """
    contract = _registered_contract(node, declaration.contract)
    _check_purpose_fields(declaration, contract)
    check_terms(declaration, contract)
    resend_pending(node, declaration.dataset)
    latest = latest_record(node, declaration.dataset)
    number = 1 if latest is None else latest.statement.number + 1
    record = _record(node, declaration, contract, number)
    if latest is not None and _same_words(latest.statement, record):
        return latest
    _check_numbers(node, declaration.dataset, number - 1)
    signed = sign_statement(record, node.node_key)
    with node.database.transaction() as session:
        session.add(
            DatasetRow(
                dataset=record.dataset,
                number=number,
                digest=signed.digest,
                envelope=signed.text,
                state=PENDING,
                at=epoch_ms(record.at),
            )
        )
    resend_pending(node, declaration.dataset)
    return signed


def resend_pending(node: Node, dataset: str) -> None:
    """Send a record again that was signed and perhaps never arrived; the bytes are the same."""
    with node.database.read() as session:
        query = select(DatasetRow).where(DatasetRow.dataset == dataset, DatasetRow.state == PENDING)
        rows = session.exec(query.order_by(col(DatasetRow.number))).all()
    for row in rows:
        envelope = sign_again(row.envelope, DatasetRecord, node.node_key)
        try:
            node.broker.register_dataset(envelope)
        except (Invalid, Refused, Conflict, NotFound):
            # The exchange will never take it: the number is free again, and the person sees why.
            _forget(node, row)
            raise
        with node.database.transaction() as session:
            session.merge(DatasetRow(**(row.model_dump() | {"envelope": envelope, "state": REGISTERED})))


def latest_record(node: Node, dataset: str) -> Signed[DatasetRecord] | None:
    """Give the newest registered record that this node signed; None when there is none."""
    with node.database.read() as session:
        row = current_row(session, dataset)
    present = node.node_key.public
    return None if row is None else node.trust.own_statement(row.envelope, DatasetRecord, present)


def own_record(node: Node, dataset: str) -> Signed[DatasetRecord]:
    """Give the newest registered record of a dataset; raise DatasetNotDeclared."""
    record = latest_record(node, dataset)
    if record is None:
        raise DatasetNotDeclared(f"{dataset} is not declared here")
    return record


def own_contract(node: Node, ref: ContractRef) -> Contract:
    """Give a contract that this node registered; raise ContractNotRegistered."""
    with node.database.read() as session:
        row = session.get(ContractRow, (ref.id, ref.version))
    if row is None or row.digest != ref.digest:
        raise ContractNotRegistered(f"{ref.id} {ref.version} is not registered here")
    return contract_of(row.document)


@lru_cache(maxsize=64)
def contract_of(document: str) -> Contract:
    """Read a contract's document; the same text is judged once, as the meta-schema takes its time."""
    return parse_contract(document.encode())


def current_row(session: Session, dataset: str) -> DatasetRow | None:
    """Find the row of the newest registered record."""
    query = select(DatasetRow).where(DatasetRow.dataset == dataset, DatasetRow.state == REGISTERED)
    return session.exec(query.order_by(col(DatasetRow.number).desc())).first()


def own_datasets(node: Node) -> list[DatasetRecord]:
    """List the current records of this node's datasets."""
    with node.database.read() as session:
        names = session.exec(select(DatasetRow.dataset).distinct()).all()
        rows = [row for name in sorted(names) if (row := current_row(session, name)) is not None]
    return [peek_statement(row.envelope, DatasetRecord).statement for row in rows]


def _sign_contract(node: Node, contract: Contract) -> ContractRow:
    at = utc(node.clock.now())
    document = contract.canonical().decode()
    registration = ContractRegistration(
        provider=node.participant, contract=contract.ref(), document=document, at=at
    )
    return ContractRow(
        id=contract.id,
        version=contract.version,
        digest=contract.digest,
        document=document,
        envelope=sign_statement(registration, node.node_key).text,
        state=PENDING,
        at=epoch_ms(at),
    )


def _registered_contract(node: Node, text: str) -> Contract:
    name, _, version = text.partition("@")
    with node.database.read() as session:
        query = select(ContractRow).where(ContractRow.id == parse_name(name), ContractRow.state == REGISTERED)
        rows = [row for row in session.exec(query).all() if version in {"", row.version}]
    if not rows:
        raise ContractNotRegistered(f"{text} is not registered here")
    newest = max(rows, key=lambda row: tuple(map(int, row.version.split("."))))
    return contract_of(newest.document)


def _check_purpose_fields(declaration: Declaration, contract: Contract) -> None:
    if declaration.purpose_fields and not declaration.purposes:
        raise PurposesOpen(f"{declaration.dataset} hides fields and admits any purpose")
    known = {field.name for field in contract.fields}
    for entry in declaration.purpose_fields:
        strangers = sorted(set(entry.fields) - known)
        if strangers or not entry.fields:
            raise FieldUnknown(f"purpose {entry.purpose}: {contract.id} has no such field", fields=strangers)


def _record(node: Node, declaration: Declaration, contract: Contract, number: int) -> DatasetRecord:
    return DatasetRecord(
        dataset=declaration.dataset,
        provider=node.participant,
        number=number,
        title=declaration.title,
        contract=contract.ref(),
        theme=declaration.theme or contract.theme,
        sharing=declaration.sharing,
        sharing_basis=declaration.sharing_basis,
        classification=declaration.classification,
        purposes=declaration.purposes,
        purpose_fields=declaration.purpose_fields,
        place=declaration.place,
        synthetic=declaration.synthetic,
        update_frequency=declaration.update_frequency,
        at=utc(node.clock.now()),
        conditions=declaration.conditions,
        duties=declaration.duties,
        emergency=declaration.emergency,
    )


def _same_words(old: DatasetRecord, new: DatasetRecord) -> bool:
    return old.model_copy(update={"number": new.number, "at": new.at}) == new


def _check_numbers(node: Node, dataset: str, own: int) -> None:
    try:
        entry = node.broker.dataset(dataset)
    except NotFound:
        return
    listed = peek_statement(entry.record_envelope, DatasetRecord).statement
    if listed.provider == node.participant and listed.number > own:
        raise RecordNumbersBehind(f"the exchange has record {listed.number}, this node {own}")


def _forget(node: Node, row: DatasetRow) -> None:
    with node.database.transaction() as session:
        stale = session.get(DatasetRow, (row.dataset, row.number))
        if stale is not None and stale.state == PENDING:
            session.delete(stale)
