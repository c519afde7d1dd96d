"""The trust root at a node: drawn from what it verified itself, adopted once the provinces signed it.

A node draws a root from its pins: the shards of the log, the exchange's keys, the directory. It adopts what
enough root keys signed and what agrees with its own view; from then on every directory must extend that root,
and a witness counts only if the root names the participant as one. ``trust.json`` carries the signed root and
the node's own view beside it.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlmodel import Session, col, select

from audit.database import Database
from audit.durable import write_private
from audit.keys.second_keys import second_keys_of
from audit.keys.trust import (
    TrustedKey,
    TrustedLog,
    TrustedParticipant,
    TrustedWitness,
    TrustRoot,
    TrustRootInvalid,
)
from audit.keys.trust_file import SignedRoot, TrustFile
from contracts.errors import Conflict, Corrupt
from contracts.messages import Directory, KeyRole, Member, MemberStatus, PastKey
from nodes.tables import TrustRootRow
from nodes.trusting.directory import settled
from nodes.trusting.shards import KnownShard


class OutsideTrustRoot(Corrupt):
    """The directory or the log has keys that do not follow from the root that the provinces signed."""

    code = "outside-trust-root"
    title_zh = "目录或日志的密钥与各省签署的信任根不符"
    next_zh = "停止采信新目录,保留现场,电话联系其他省核对信任根与指纹。"
    next_en = "Do not rely on the new directory; compare trust roots and fingerprints by telephone."


class RootDiffers(Conflict):
    """The proposed trust root is not what this node would sign."""

    code = "trust-root-differs"
    title_zh = "拟议的信任根与本节点所知不一致"
    next_zh = "核对所列差异;目录变更后请重新拟议(headwaters trust propose)。"
    next_en = "Check what differs; after a change of the directory propose again (headwaters trust propose)."


@dataclass(frozen=True, slots=True)
class View:
    """What this node has verified by itself."""

    directory: Directory
    statement_key: str
    logs: tuple[TrustedLog, ...]


def trusted_logs(shards: Iterable[KnownShard], directory: Directory) -> tuple[TrustedLog, ...]:
    """Name the shards as a trust root does, each with the keys of its second lines."""
    return tuple(
        TrustedLog(
            origin=one.origin,
            vkey=str(one.key),
            second_keys=second_keys_of(one.origin, directory.second_keys),
        )
        for one in shards
    )


def draw_root(
    view: View,
    last: SignedRoot | None,
    *,
    issued_at: datetime,
    expires_at: datetime | None,
) -> TrustRoot:
    """Draw the root that would follow ``last``: everything in ``view``, every witness included."""
    directory = view.directory
    return TrustRoot(
        number=1 if last is None else last.signed.number + 1,
        previous=None if last is None else last.digest,
        issued_at=issued_at,
        expires_at=expires_at,
        threshold=directory.quorum,
        quorum=directory.quorum,
        logs=list(view.logs),
        statement_keys=_keys("statement", directory.past_keys, view.statement_key),
        participants=[_participant(member, frozenset()) for member in settled(directory.members)],
    )


def own_root(view: View, last: SignedRoot | None) -> TrustRoot:
    """Draw the root as this node judges by it now: under ``last``, with what was added to it since.

    A participant that ``last`` does not name takes part, and is no witness before a root names it as one.
    """
    drawn = draw_root(view, last, issued_at=view.directory.issued_at, expires_at=None)
    if last is None:
        return drawn.model_copy(update={"number": 0})
    signed = last.signed
    # A witness that was expelled keeps the place that the provinces gave it, until they sign another root.
    seated = frozenset(one.participant for one in signed.voters())
    members = [_participant(member, seated) for member in settled(view.directory.members)]
    witnesses = _witnesses(signed)
    return drawn.model_copy(
        update={
            "number": signed.number,
            "previous": signed.previous,
            "expires_at": signed.expires_at,
            "issued_at": max(signed.issued_at, view.directory.issued_at),
            "threshold": signed.threshold,
            "participants": [
                one if one.participant in witnesses else one.model_copy(update={"witness_keys": []})
                for one in members
            ],
        }
    )


def differences(proposed: TrustRoot, drawn: TrustRoot) -> list[str]:
    """Name what a proposal says otherwise than this node would, for a person to read; empty when nothing."""
    fields = ("number", "previous", "threshold", "quorum", "logs", "statement_keys")
    found = [name for name in fields if getattr(proposed, name) != getattr(drawn, name)]
    there, here = ({one.participant: one for one in root.participants} for root in (proposed, drawn))
    return found + sorted(name for name in there.keys() | here.keys() if there.get(name) != here.get(name))


class TrustRoots:
    """The roots that the provinces signed and this node adopted, and the file that verifiers are given."""

    def __init__(self, database: Database, file: Path) -> None:
        self._database = database
        self._file = file
        with database.read() as session:
            row = _newest(session)
        # It was verified before it was kept; the file is the owner's alone.
        self._adopted = None if row is None else SignedRoot.parse(row.document.encode())

    def adopted(self) -> SignedRoot | None:
        """Give the newest root that was adopted."""
        return self._adopted

    def admits(self, participant: str) -> bool:
        """Tell whether a participant may be counted as a witness; before the first root everybody may."""
        root = self._adopted
        return root is None or participant in _witnesses(root.signed)

    def check(self, view: View) -> None:
        """Raise OutsideTrustRoot unless what this node would now rely on extends the adopted root."""
        root = self.adopted()
        if root is None:
            return
        try:
            own_root(view, root).require_extends(root.signed)
        except TrustRootInvalid as error:
            raise OutsideTrustRoot(error.detail) from error

    def adopt(self, given: SignedRoot, view: View) -> bool:
        """Verify a root and keep it; say whether it is newer than the last.

        More signatures for the adopted root are kept too. Raises TrustRootUnsigned, TrustRootInvalid, and
        OutsideTrustRoot when it contradicts what this node has pinned.
        """
        before = self.adopted()
        if before is not None and given.digest == before.digest:
            self._keep(given.checked().with_signatures(before.signatures))
            return False
        given.checked().require_signed(None if before is None else before.signed)
        if before is None and given.signed.number != 1:
            raise TrustRootInvalid(
                "the first root that a node adopts has number 1; hand over the ones before"
            )
        if given.signed.threshold < view.directory.quorum:
            raise OutsideTrustRoot("fewer provinces would sign the next root than the alliance's quorum")
        try:
            own_root(view, given).require_extends(given.signed)
        except TrustRootInvalid as error:
            raise OutsideTrustRoot(error.detail) from error
        self._keep(given)
        return True

    def write(self, view: View) -> TrustFile:
        """Write ``trust.json`` from what is known now; raise TrustRootInvalid when that makes no root."""
        root = self.adopted()
        file = TrustFile.of(root, own_root(view, root).checked())
        write_private(self._file, file.canonical())
        return file

    def _keep(self, root: SignedRoot) -> None:
        with self._database.transaction() as session:
            session.merge(
                TrustRootRow(
                    number=root.signed.number, digest=root.digest, document=root.canonical().decode()
                )
            )
        self._adopted = root


def _witnesses(root: TrustRoot) -> frozenset[str]:
    return frozenset(one.participant for one in root.participants if one.witness_keys)


def _newest(session: Session) -> TrustRootRow | None:
    return session.exec(select(TrustRootRow).order_by(col(TrustRootRow.number).desc()).limit(1)).first()


def _participant(member: Member, seated: AbstractSet[str]) -> TrustedParticipant:
    expelled = member.status is MemberStatus.REVOKED and member.participant not in seated
    witness = None if expelled else member.witness_vkey
    past = [one for one in _first_ends(member.past_keys) if one.role == "witness"]
    witnesses = [TrustedWitness(vkey=one.key, until=one.until, why=one.why) for one in past]
    if witness is not None and witness not in {one.key for one in past}:
        witnesses.append(TrustedWitness(vkey=witness))
    return TrustedParticipant(
        participant=member.participant,
        name=member.profile.name,
        node_keys=_keys("node", member.past_keys, member.node_key),
        witness_keys=witnesses,
        root_key=member.root_key,
    )


def _keys(role: KeyRole, past: list[PastKey], current: str) -> list[TrustedKey]:
    ended = [one for one in _first_ends(past) if one.role == role]
    keys = [TrustedKey(key=one.key, until=one.until, why=one.why) for one in ended]
    return keys if current in {one.key for one in ended} else [*keys, TrustedKey(key=current)]


def _first_ends(past: list[PastKey]) -> list[PastKey]:
    """A key that was revoked and then replaced ended when it was revoked."""
    return list({one.key: one for one in reversed(past)}.values())[::-1]
