"""Pull: receive the releases after the cursor, one after the other, each checked, signed for and kept.

A release becomes visible in ``inbox/`` only when its bytes and rows have been verified; then the receipt, the
outbox row and the cursor are one transaction. Whatever breaks off before is taken up again where it stopped:
the grant and the provider's receipt are kept beside the partial file.
"""

import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from sqlmodel import col, select

from audit.durable import sync_file, sync_folder
from contracts.clock import epoch_ms
from contracts.errors import Conflict, HeadwatersError, Invalid
from contracts.messages import (
    LoggedGrant,
    Manifest,
    Receipt,
    ReceiptRole,
    ReleaseEntry,
    TransferRequest,
    utc,
)
from contracts.schema import Contract
from contracts.view import ObligationUnfit
from nodes.aborting import give_up
from nodes.correcting.replaced import heed
from nodes.counting import books
from nodes.exclusive import exclusively
from nodes.granted import GrantExpired, delete_by, peek_grant
from nodes.node import Node
from nodes.publishing.artifacts import hash_file
from nodes.quality.received import check_counts
from nodes.receiving.apply import subscription_of
from nodes.receiving.download import download, present
from nodes.receiving.hidden import ViewShowsMore, check_marks
from nodes.receiving.judged import (
    ContractBroken,
    DataAltered,
    Judged,
    check_bytes,
    check_receipt,
    check_rows,
    fetch_contract,
    judge_grant,
)
from nodes.relay import ProviderLink, open_provider
from nodes.sharing_tables import FetchRow, OutboxRow, OutboxState, ReceivedRow, SubscriptionRow
from nodes.signed import Signed, peek_statement, sign_statement

Progress = Callable[[int, int], None]
"""Hears rows received and rows in all."""


class BadFolder(Invalid):
    """The folder for copies cannot be used."""

    code = "bad-folder"
    title_zh = "无法使用该目录存放副本"
    next_zh = "给出一个已存在的目录的绝对路径。"
    next_en = "Name an existing folder by its absolute path."


class FeedBroken(Conflict):
    """The exchange lists another release than the provider signed."""

    code = "feed-broken"
    title_zh = "交换中心列出的批次与提供方签名不符"
    next_zh = "保留清单作为证据,并通知审计人员。"
    next_en = "Keep the list as evidence and tell the auditors."


@dataclass(frozen=True, slots=True)
class Received:
    """One release that is safely here."""

    release: int
    path: Path
    proof_path: Path | None
    rows: int
    redacted: tuple[str, ...]
    grant: str


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull brought, and where the cursor stands."""

    files: tuple[Received, ...]
    cursor: int


@dataclass(frozen=True, slots=True)
class PullOptions:
    """Where to begin (default: the cursor), where to copy files, whom to tell, how to reach providers."""

    since: int | None = None
    to: Path | None = None
    progress: Progress = lambda _rows, _of: None
    connect: Callable[[Node, str], ProviderLink] = open_provider


@dataclass(slots=True)
class _Pull:
    """One run: the open link and the contracts that were fetched."""

    node: Node
    subscription: SubscriptionRow
    options: PullOptions
    link: ProviderLink
    contracts: dict[str, Contract] = field(default_factory=dict)

    def contract(self, manifest: Manifest) -> Contract:
        digest = manifest.contract.digest
        if digest not in self.contracts:
            self.contracts[digest] = fetch_contract(self.node, manifest)
        return self.contracts[digest]


def pull(node: Node, dataset: str, options: PullOptions | None = None) -> Pulled:
    """Receive every release after the cursor; raise what stops it, keeping what already arrived.

    Raises NotSubscribed, Busy, BadFolder, what the exchange or the provider answers, or an error of
    ``nodes.receiving.judged``.
    """
    options = options or PullOptions()
    if options.to is not None and not (options.to.is_absolute() and options.to.is_dir()):
        raise BadFolder(f"{options.to} is no folder")
    subscription = subscription_of(node, dataset)
    folder = _folder(node, dataset)
    with exclusively(folder / ".lock"):
        since = subscription.cursor if options.since is None else options.since
        entries = node.broker.subscription_releases(subscription.subscription, since).releases
        manifests = [_listed(node, subscription, entry) for entry in entries]
        heed(node, manifests)
        if not manifests:
            return Pulled((), subscription.cursor)
        with options.connect(node, subscription.provider) as link:
            run = _Pull(node, subscription, options, link)
            files = _receive_all(run, manifests)
    return Pulled(tuple(files), subscription_of(node, dataset).cursor)


def _receive_all(run: _Pull, manifests: list[Signed[Manifest]]) -> list[Received]:
    total = sum(manifest.statement.counts.published for manifest in manifests)
    rows, files = 0, []
    run.options.progress(0, total)
    for manifest in manifests:
        row = _here_already(run, manifest.statement.number) or _receive(run, manifest)
        files.append(_hand_over(run, row))
        rows += manifest.statement.counts.published
        run.options.progress(rows, total)
    return files


def _receive(run: _Pull, manifest: Signed[Manifest]) -> ReceivedRow:
    """Receive one release, from whatever an earlier attempt left."""
    number = manifest.statement.number
    fetch, judged = _granted(run, number)
    if judged.manifest.digest != manifest.digest:
        broken = FeedBroken(f"release {number} in the feed is not the one that was granted")
        _give_up(run, fetch, broken)
        raise broken
    receipt = _provider_receipt(run, fetch, judged)
    partial = _partial(run, fetch.grant_id)
    final = _final(run, number)
    if not (final.exists() and hash_file(final).sha256 == receipt.statement.view_sha256):
        _fetch_bytes(run, judged, receipt.statement, partial)
        try:
            check_bytes(partial, receipt.statement)
            contract, obligations = run.contract(judged.manifest.statement), judged.opened.grant.obligations
            check_rows(partial, contract, obligations, receipt.statement.view_rows)
            check_marks(partial, obligations, receipt.statement)
        except DataAltered:
            partial.unlink()
            raise
        except (ContractBroken, ObligationUnfit, ViewShowsMore) as error:
            _give_up(run, fetch, error)  # the same bytes would be no better again
            raise
        partial.replace(final)
    # Also for a file that an earlier process put in place: it may have died before its name was durable.
    sync_folder(final.parent)
    received = _sign_for(run, fetch, receipt, final)
    said = judged.manifest.statement
    check_counts(run.node, final, received.sha256, run.contract(said), said)
    return received


def _granted(run: _Pull, number: int) -> tuple[FetchRow, Judged]:
    """Find the grant of an earlier attempt that is still of use, or ask for one."""
    node, subscription = run.node, run.subscription
    with node.database.read() as session:
        row = session.get(FetchRow, (subscription.subscription, number))
    if row is not None:
        judged = judge_grant(node, LoggedGrant.parse(row.logged.encode()), subscription, number)
        if _usable(run, row, judged):
            return row, judged
        _forget(run, row)
    request = TransferRequest(subscription=subscription.subscription, release=number)
    logged = node.broker.request_transfer(request)
    judged = judge_grant(node, logged, subscription, number)
    judged.check_open(node)
    row = FetchRow(
        subscription=subscription.subscription,
        number=number,
        grant_id=judged.opened.grant.grant,
        logged=logged.canonical().decode(),
        at=epoch_ms(node.clock.now()),
    )
    with node.database.transaction() as session:
        session.merge(row)
    return row, judged


def _usable(run: _Pull, row: FetchRow, judged: Judged) -> bool:
    """Say whether a kept grant still brings the release: it is open, or all its bytes are already here."""
    if row.receipt is not None:
        receipt = peek_statement(row.receipt, Receipt).statement
        partial = _partial(run, row.grant_id)
        if partial.exists() and partial.stat().st_size == receipt.view_size_bytes:
            return True
        final = _final(run, row.number)
        if final.exists() and hash_file(final).sha256 == receipt.view_sha256:
            return True
    if row.grant_id in run.node.trust.revocations().grants:
        return False
    try:
        judged.check_open(run.node)
    except GrantExpired:
        return False
    return True


def _provider_receipt(run: _Pull, row: FetchRow, judged: Judged) -> Signed[Receipt]:
    if row.receipt is not None:
        return check_receipt(run.node, judged, row.receipt)
    receipt = check_receipt(run.node, judged, present(run.node, run.link, judged.opened.logged))
    row.receipt = receipt.text
    with run.node.database.transaction() as session:
        session.merge(FetchRow(**row.model_dump()))
    return receipt


def _fetch_bytes(run: _Pull, judged: Judged, receipt: Receipt, partial: Path) -> None:
    partial.parent.mkdir(mode=0o700, exist_ok=True)
    if not (partial.exists() and partial.stat().st_size == receipt.view_size_bytes):
        judged.check_open(run.node)
    download(run.node, run.link, receipt, partial)


def _sign_for(run: _Pull, fetch: FetchRow, provider: Signed[Receipt], final: Path) -> ReceivedRow:
    """Sign the consumer's receipt; the receipt, the outbox row and the cursor are one transaction."""
    node, said = run.node, provider.statement
    now = utc(node.clock.now())
    logged = LoggedGrant.parse(fetch.logged.encode())
    grant = peek_grant(logged).statement
    until = delete_by(grant.obligations, said.at)
    own = said.model_copy(update={"role": ReceiptRole.CONSUMER, "participant": node.participant, "at": now})
    signed = sign_statement(own, node.node_key)
    received = ReceivedRow(
        grant_id=said.grant,
        subscription=fetch.subscription,
        dataset=run.subscription.dataset,
        number=fetch.number,
        sha256=said.view_sha256,
        path=str(final),
        rows=said.view_rows,
        redacted=orjson.dumps(said.redacted).decode(),
        at=epoch_ms(now),
        purpose=grant.purpose,
        delete_after=None if until is None else epoch_ms(until),
    )
    outbox = OutboxRow(
        grant_id=said.grant,
        role=ReceiptRole.CONSUMER.value,
        logged=fetch.logged,
        provider_receipt=provider.text,
        consumer_receipt=signed.text,
        state=OutboxState.NEW.value,
        next_at=epoch_ms(now),
        at=epoch_ms(now),
    )
    with node.database.transaction() as session:
        session.merge(received)
        session.merge(outbox)
        books.enter(session, logged, signed, provider, now)
        subscription = session.get(SubscriptionRow, fetch.subscription)
        if subscription is not None:
            subscription.cursor = max(subscription.cursor, fetch.number)
            session.add(subscription)
        stale = session.get(FetchRow, (fetch.subscription, fetch.number))
        if stale is not None:
            session.delete(stale)
    return received


def _listed(node: Node, subscription: SubscriptionRow, entry: ReleaseEntry) -> Signed[Manifest]:
    manifest = peek_statement(entry.manifest_envelope, Manifest)
    node.trust.participant_statement(entry.manifest_envelope, Manifest, subscription.provider)
    said = (manifest.statement.dataset, manifest.statement.number, manifest.statement.provider)
    if said != (subscription.dataset, entry.number, subscription.provider):
        raise FeedBroken(f"release {entry.number} is listed in a feed that is not its own")
    return manifest


def _here_already(run: _Pull, number: int) -> ReceivedRow | None:
    with run.node.database.read() as session:
        query = select(ReceivedRow).where(
            ReceivedRow.dataset == run.subscription.dataset, ReceivedRow.number == number
        )
        row = session.exec(query.order_by(col(ReceivedRow.at).desc())).first()
    if row is None or not Path(row.path).is_file() or hash_file(Path(row.path)).sha256 != row.sha256:
        return None
    return row


def _hand_over(run: _Pull, row: ReceivedRow) -> Received:
    """Copy the file, and its proof when there is one, to the folder that was asked for."""
    path = Path(row.path)
    if run.options.to is not None:
        path = run.options.to / f"{row.dataset}-{row.number}.parquet"
        _copy(Path(row.path), path)
        if row.proof_path is not None:
            _copy(Path(row.proof_path), proof_path(path))
        with run.node.database.transaction() as session:
            session.merge(ReceivedRow(**(row.model_dump() | {"copy_path": str(path)})))
    proof = proof_path(path)
    return Received(
        release=row.number,
        path=path,
        proof_path=proof if proof.is_file() else None,
        rows=row.rows,
        redacted=tuple(orjson.loads(row.redacted)),
        grant=row.grant_id,
    )


def proof_path(path: Path) -> Path:
    """Give the place of the proof beside a received file."""
    return path.with_name(path.name + ".hwproof")


def _copy(source: Path, target: Path) -> None:
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        # New and the owner's alone, whatever the umask and whoever else may write to that folder.
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with source.open("rb") as whole, os.fdopen(descriptor, "wb") as copy:
            shutil.copyfileobj(whole, copy)
        sync_file(draft)
        draft.replace(target)
    except OSError as error:
        raise BadFolder(f"{target.parent} does not take the file: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def _forget(run: _Pull, row: FetchRow) -> None:
    with run.node.database.transaction() as session:
        stale = session.get(FetchRow, (row.subscription, row.number))
        if stale is not None:
            session.delete(stale)
    _partial(run, row.grant_id).unlink(missing_ok=True)


def _give_up(run: _Pull, row: FetchRow, error: HeadwatersError) -> None:
    _forget(run, row)
    give_up(run.node, LoggedGrant.parse(row.logged.encode()), error)


def _folder(node: Node, dataset: str) -> Path:
    folder = node.home.inbox / dataset
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _partial(run: _Pull, grant: str) -> Path:
    return _folder(run.node, run.subscription.dataset) / ".partial" / f"{grant}.parquet"


def _final(run: _Pull, number: int) -> Path:
    return _folder(run.node, run.subscription.dataset) / f"{number}.parquet"
