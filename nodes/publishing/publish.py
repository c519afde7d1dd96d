"""Publish a release: read a source row by row, keep the good rows as an artifact, sign, announce.

A release holds only rows that keep the contract; every other row is in quarantine with its reasons, and none
is lost: read = published + quarantined. The manifest is signed and stored before it is sent, and sent again
byte for byte after a crash. The same source under the same contract is the same release.
"""

import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl
from sqlmodel import Session, col, select

from contracts.clock import epoch_ms
from contracts.errors import Conflict, Invalid, NotFound, Refused
from contracts.messages import Corrects, Counts, DatasetRecord, Distribution, Manifest, SourceNote, utc
from contracts.schema import Contract
from contracts.validation import RowValidator
from nodes.correcting.linking import Correction, NothingCorrected, corrects_of
from nodes.exclusive import exclusively
from nodes.node import Node
from nodes.publishing.artifacts import keep_file
from nodes.publishing.datasets import PENDING, PUBLISHED, own_contract, own_record
from nodes.publishing.onward import check_marks, check_not_received
from nodes.quality.keeping import Examined, examine_release
from nodes.quarantine.reading import Quarantine, Reading
from nodes.sharing_tables import ReleaseRow
from nodes.signed import Signed, peek_statement, sign_again, sign_statement
from nodes.sources.artifact import write_artifact
from nodes.sources.batch import judge
from nodes.sources.source import RowSource, open_source

Progress = Callable[[int], None]
"""Hears how many rows have been read."""


class EmptyRelease(Invalid):
    """No row of the source keeps the contract, so there is nothing to publish."""

    code = "empty-release"
    title_zh = "没有任何一行符合契约,未发布"
    next_zh = "用 headwaters quarantine list 查看每行的拒绝理由,改正来源后重试。"
    next_en = "headwaters quarantine list says why each row was rejected; mend the source and try again."


class SourceUnfit(Invalid):
    """The source was made for another contract than the dataset's, or is not what the record says."""

    code = "source-unfit"
    title_zh = "来源文件与数据集的登记不符"
    next_zh = "核对数据集的契约版本与是否合成数据的声明。"
    next_en = "Compare the dataset's contract version, and what it says of synthetic data."


class ReleaseNumbersBehind(Conflict):
    """The exchange knows releases of this node that the node itself does not."""

    code = "release-numbers-behind"
    title_zh = "交换中心记有本节点没有的发布批次"
    next_zh = "本节点可能由旧备份恢复;停止发布,先找回最新的数据库。"
    next_en = "This node may run on a restored snapshot; stop publishing and recover its newest database."


class ExchangeForgot(Conflict):
    """The exchange does not list a release that it logged."""

    code = "exchange-forgot"
    title_zh = "交换中心缺少已记入日志的批次"
    next_zh = "停止发布,通知审计人员核对日志。"
    next_en = "Stop publishing and have the auditors compare the log."


@dataclass(frozen=True, slots=True)
class Published:
    """A release that the exchange has logged; ``repeated`` when it had been published before."""

    manifest: Signed[Manifest]
    log_index: int
    repeated: bool

    @property
    def counts(self) -> Counts:
        """Give the rows read, published and quarantined."""
        return self.manifest.statement.counts


def publish(
    node: Node,
    rows: Path | RowSource,
    dataset: str,
    progress: Progress = lambda _: None,
    *,
    resubmitted: int = 0,
    corrects: Correction | None = None,
) -> Published:
    """Publish a file, or rows under the dataset's contract, as the next release of a dataset.

    So many of the rows were in quarantine before. A release that ``corrects`` an earlier one replaces it.

    Raises:
        DatasetNotDeclared, ContractNotRegistered: the dataset was not declared here.
        SourceFault, SourceUnfit: the file cannot be read under the dataset's contract.
        OnwardSharing: the file, or the release it makes, is what another participant delivered here.
        EmptyRelease: every row was rejected; the quarantine says why.
        ReleaseNumbersBehind, ExchangeForgot: this node or the exchange was set back.
        NoSuchRelease, NothingCorrected, ObjectionUnsettled: it cannot correct what it is to correct.
        Busy: the dataset is being published at this moment.
    """
    record = own_record(node, dataset).statement
    contract = own_contract(node, record.contract)
    with exclusively(node.home.artifacts / f".{dataset}.lock"):
        send_pending(node, dataset)
        source = open_source(rows, contract) if isinstance(rows, Path) else rows
        check_source(source, record, contract)
        with node.database.read() as session:
            before = _find_release(session, dataset, source.info.sha256, contract.digest)
        if before is not None:
            return _repeated(node, before, corrects)
        link = corrects_of(node, dataset, corrects)
        for path, sha256 in source.files():
            check_not_received(node, sha256)
            check_marks(node, path, sha256)
        previous = _check_numbers(node, dataset)
        counts, distribution = _take_in(node, source, dataset, contract, progress)
        check_not_received(node, distribution.sha256)
        number, at = 1 if previous is None else previous.number + 1, utc(node.clock.now())
        examined = examine_release(node, contract, distribution.sha256, dataset=dataset, number=number, at=at)
        row = _sign(
            node,
            record,
            number=number,
            previous=None if previous is None else previous.manifest,
            counts=counts,
            distribution=distribution,
            source=source.info.note(),
            resubmitted=resubmitted,
            examined=examined,
            corrects=link,
            at=at,
        )
        return _send(node, row)


def _repeated(node: Node, before: ReleaseRow, corrects: Correction | None) -> Published:
    """Give a release that was published before; raise NothingCorrected where it corrects something else."""
    manifest = node.trust.own_statement(before.envelope, Manifest, node.node_key.public)
    link = manifest.statement.corrects
    if corrects is not None and (link is None or link.number != corrects.release):
        raise NothingCorrected(f"this source is release {before.number} of {before.dataset} already")
    return Published(manifest, before.log_index or 0, repeated=True)


def send_pending(node: Node, dataset: str) -> Published | None:
    """Announce a release that was signed and perhaps never arrived; the bytes are the same."""
    with node.database.read() as session:
        query = select(ReleaseRow).where(ReleaseRow.dataset == dataset, ReleaseRow.state == PENDING)
        row = session.exec(query).first()
    return None if row is None else _send(node, row)


def own_releases(node: Node, dataset: str) -> list[Manifest]:
    """List the manifests of a dataset's published releases, oldest first."""
    with node.database.read() as session:
        query = select(ReleaseRow).where(ReleaseRow.dataset == dataset, ReleaseRow.state == PUBLISHED)
        rows = session.exec(query.order_by(col(ReleaseRow.number))).all()
    return [peek_statement(row.envelope, Manifest).statement for row in rows]


def _send(node: Node, row: ReleaseRow) -> Published:
    manifest = node.trust.own_statement(row.envelope, Manifest, node.node_key.public)
    envelope = sign_again(row.envelope, Manifest, node.node_key)
    try:
        entry = node.broker.publish_release(row.dataset, envelope)
    except (Invalid, Refused, Conflict, NotFound):
        # The exchange did not take it and never will: the number is free again, and the person sees why.
        _forget(node, row)
        raise
    with node.database.transaction() as session:
        sent = {"envelope": envelope, "state": PUBLISHED, "log_index": entry.index}
        session.merge(ReleaseRow(**(row.model_dump() | sent)))
    return Published(manifest, entry.index, repeated=False)


def _forget(node: Node, row: ReleaseRow) -> None:
    with node.database.transaction() as session:
        stale = session.get(ReleaseRow, (row.dataset, row.number))
        if stale is not None and stale.state == PENDING:
            session.delete(stale)


def check_source(source: RowSource, record: DatasetRecord, contract: Contract) -> None:
    """Raise SourceUnfit for rows of another contract, or made-up ones in a dataset that is not."""
    if source.contract.digest != contract.digest:
        raise SourceUnfit(f"the file is read under another version of {contract.id}")
    if source.info.synthetic and not record.synthetic:
        raise SourceUnfit("the file says that its rows are made up; the dataset's record does not")


def _find_release(session: Session, dataset: str, source: str, contract: str) -> ReleaseRow | None:
    query = select(ReleaseRow).where(
        ReleaseRow.dataset == dataset, ReleaseRow.source == source, ReleaseRow.contract == contract
    )
    return session.exec(query.order_by(col(ReleaseRow.number))).first()


def _newest(session: Session, dataset: str) -> ReleaseRow | None:
    query = select(ReleaseRow).where(ReleaseRow.dataset == dataset)
    return session.exec(query.order_by(col(ReleaseRow.number).desc())).first()


def _check_numbers(node: Node, dataset: str) -> ReleaseRow | None:
    """Compare with the exchange's list before a number is signed; give the newest own release."""
    with node.database.read() as session:
        newest = _newest(session, dataset)
    own = 0 if newest is None else newest.number
    try:
        listed = node.broker.releases(dataset, since=max(own - 1, 0)).releases
    except NotFound:
        listed = []
    digests = {entry.number: peek_statement(entry.manifest_envelope, Manifest).digest for entry in listed}
    ahead = sorted(number for number in digests if number > own)
    if ahead:
        raise ReleaseNumbersBehind(f"the exchange lists release {ahead[-1]}, this node {own}")
    if newest is not None and newest.number not in digests:
        raise ExchangeForgot(f"the exchange does not list release {own}")
    if newest is not None and digests[newest.number] != newest.manifest:
        raise ReleaseNumbersBehind(f"release {own} at the exchange is another one")
    return newest


def _take_in(
    node: Node, source: RowSource, dataset: str, contract: Contract, progress: Progress
) -> tuple[Counts, Distribution]:
    quarantine = Quarantine(node, Reading(dataset, source.info.sha256, contract.digest))
    tally = _Tally(progress)
    folder = node.home.artifacts / f".draft-{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700)
    try:
        draft = folder / "whole.parquet"
        write_artifact(draft, contract, _accepted(source, contract, quarantine, tally))
        quarantine.flush()
        counts = tally.counts()
        if counts.published == 0:
            raise EmptyRelease(
                f"{counts.quarantined} of {counts.read} rows are in quarantine",
                read=counts.read,
                quarantined=counts.quarantined,
            )
        content, _ = keep_file(draft, node.home.artifacts)
    finally:
        shutil.rmtree(folder)
    return counts, Distribution(
        media_type="application/vnd.apache.parquet",
        sha256=content.sha256,
        chunk_root=content.chunk_root,
        size_bytes=content.size_bytes,
    )


class _Tally:
    """Counts rows and tells how far the reading is."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.read = 0
        self.published = 0
        self.quarantined = 0

    def add(self, published: int, quarantined: int) -> None:
        self.published += published
        self.quarantined += quarantined
        self.read += published + quarantined
        self._progress(self.read)

    def counts(self) -> Counts:
        return Counts(read=self.read, published=self.published, quarantined=self.quarantined)


def _accepted(
    source: RowSource, contract: Contract, quarantine: Quarantine, tally: _Tally
) -> Iterator[pl.DataFrame]:
    validator = RowValidator(contract)
    for batch in source.batches():
        good, rejected = judge(batch, validator)
        for verdict, row in rejected:
            quarantine.add(verdict, row)
        tally.add(len(good), len(rejected))
        yield good
        del batch, good  # before the next rows are read


def _sign(
    node: Node,
    record: DatasetRecord,
    *,
    number: int,
    previous: str | None,
    counts: Counts,
    distribution: Distribution,
    source: SourceNote,
    resubmitted: int,
    examined: Examined,
    corrects: Corrects | None,
    at: datetime,
) -> ReleaseRow:
    manifest = Manifest(
        dataset=record.dataset,
        provider=node.participant,
        number=number,
        previous=previous,
        contract=record.contract,
        distribution=distribution,
        counts=counts,
        source=source.model_copy(update={"synthetic": source.synthetic or record.synthetic}),
        at=at,
        findings=examined.findings,
        quality=examined.note,
        resubmitted=resubmitted,
        corrects=corrects,
    )
    signed = sign_statement(manifest, node.node_key)
    row = ReleaseRow(
        dataset=manifest.dataset,
        number=manifest.number,
        manifest=signed.digest,
        source=source.sha256,
        contract=record.contract.digest,
        artifact=distribution.sha256,
        envelope=signed.text,
        state=PENDING,
        at=epoch_ms(manifest.at),
    )
    with node.database.transaction() as session:
        session.add(row)
    return row
