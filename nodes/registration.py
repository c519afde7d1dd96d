"""Joining the alliance: from an invite to a node that the exchange knows and that knows the exchange.

The steps are: (1) read the invite; (2) make the home, its keys and its database; (3) register, signed by
the new node key; (4) wait until the operator has compared the fingerprint and approved; (5) verify the
signed directory; (6) probe with a signed call; (7) write the trust root. Joining again after an
interruption goes on with the same keys; a home that belongs to another participant is refused.
"""

import base64
import binascii
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypedDict

import httpx

from audit.keys.signing import (
    SealingKey,
    SigningKey,
    create_key,
    create_sealing_key,
    fingerprint,
    load_key,
    load_sealing_key,
)
from contracts.canonical import parse_canonical
from contracts.clock import Clock, SystemClock, epoch_ms
from contracts.errors import Invalid, Refused, Unauthenticated, Unavailable
from contracts.messages import Invite, MemberStatus, Registration
from nodes.addresses import checked_base
from nodes.home import NodeHome, NodeIdentity
from nodes.node import Node, open_node, open_node_database
from nodes.people import ALL_ROLES, People
from nodes.signed import sign_statement
from nodes.trusting.directory import Pin

INVITE_PREFIX = "hw-invite-v1."
MAX_INVITE_CHARS = 8192
POLL_SECONDS = 0.5


class InviteInvalid(Invalid):
    """The invite is not well formed."""

    code = "invite-invalid"
    title_zh = "邀请文本不正确"
    next_zh = "完整复制以 hw-invite-v1. 开头的邀请文本,或请交换中心重新发出。"
    next_en = "Copy the whole text that begins with hw-invite-v1., or ask the exchange for a new one."


class InviteExpired(Refused):
    """The invite has expired."""

    code = "invite-expired"
    title_zh = "邀请已过期"
    next_zh = "请交换中心重新发出邀请。"
    next_en = "Ask the exchange for a new invite."


class ApprovalPending(Unavailable):
    """The exchange has not approved this node yet."""

    code = "approval-pending"
    title_zh = "交换中心尚未批准本节点"
    next_zh = "把本节点指纹告知交换中心管理员;批准后再次运行同一命令。"
    next_en = "Tell the exchange's administrator the fingerprint; after approval run the same command again."


class JoinRefused(Refused):
    """The exchange does not admit this node."""

    code = "join-refused"
    title_zh = "交换中心没有接纳本节点"
    next_zh = "联系交换中心管理员了解原因。"
    next_en = "Ask the exchange's administrator why."


class ProbeFailed(Unauthenticated):
    """The exchange's answer to the signed probe does not fit."""

    code = "probe-failed"
    title_zh = "签名探测的应答不符"
    next_zh = "核对交换中心地址,然后重试。"
    next_en = "Check the exchange's address and try again."


class Joined(TypedDict):
    """What joining achieved, as the command shows it."""

    participant: str
    name: dict[str, str]
    exchange: str
    fingerprint: str
    witness: bool
    person: str
    members: int
    home: str
    trust_root: bool


@dataclass(frozen=True, slots=True)
class _Keys:
    node: SigningKey
    witness: SigningKey | None
    sealing: SealingKey
    root: SigningKey | None


def invite_text(invite: Invite) -> str:
    """Write an invite as the text that is handed over."""
    return INVITE_PREFIX + base64.urlsafe_b64encode(invite.canonical()).decode().rstrip("=")


def parse_invite(text: str) -> Invite:
    """Read an invite; raise InviteInvalid for any other spelling, PlainHttpRefused for a plain URL."""
    encoded = text.removeprefix(INVITE_PREFIX)
    if encoded == text or len(text) > MAX_INVITE_CHARS:
        raise InviteInvalid("an invite begins with hw-invite-v1.")
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        parse_canonical(raw)
        invite = Invite.parse(raw)
    except (binascii.Error, ValueError, Invalid) as error:
        raise InviteInvalid("the invite's content does not fit") from error
    if invite_text(invite) != text:
        raise InviteInvalid("the invite is not in its one spelling")
    if invite.quorum > invite.witnesses:
        raise InviteInvalid("the quorum is larger than the number of witnesses")
    checked_base(invite.exchange_url)
    return invite


def join(
    text: str,
    home: Path,
    *,
    person_name: str,
    address: str | None = None,
    wait_seconds: float = 3600.0,
    on_pending: Callable[[str], None] = lambda _fingerprint: None,
    clock: Clock | None = None,
    transport: httpx.BaseTransport | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Joined:
    """Join the alliance, or go on joining; ``on_pending`` gets the fingerprint to be told to the operator.

    Raises:
        InviteInvalid, InviteExpired, PlainHttpRefused: the invite cannot be used.
        HomeTaken: the home belongs to another participant.
        ApprovalPending: nobody approved within ``wait_seconds``; joining again goes on.
        JoinRefused, ProbeFailed, ExchangeSilent, and the errors of ``nodes.trusting.trust``.
    """
    clock = clock or SystemClock()
    invite = parse_invite(text)
    if not NodeHome(home).identity_file.exists():
        _check_expiry(invite, clock)
    identity = NodeIdentity.from_invite(invite, checked_base(address) if address else None)
    keys = _prepare(NodeHome(home), identity, person_name, clock)
    shown = fingerprint(keys.node.public.text)
    with open_node(home, clock=clock, transport=transport) as node:
        _pin_own(node, keys)
        _register(node, invite, keys)
        _await_approval(node, shown, wait_seconds, on_pending, pause)
        directory = node.trust.refresh_directory()
        node.trust.node_key(node.participant)
        _probe(node)
        return Joined(
            participant=identity.participant,
            name=identity.profile.name.model_dump(),
            exchange=identity.exchange_url,
            fingerprint=shown,
            witness=identity.witness,
            person=person_name,
            members=len(directory.members),
            home=str(home),
            trust_root=node.trust.keep_trust_root(),
        )


def _prepare(home: NodeHome, identity: NodeIdentity, person_name: str, clock: Clock) -> _Keys:
    """Make what is missing; whatever an interrupted attempt made stays."""
    person_file = home.person_key(person_name)
    home.create()
    home.write_identity(identity)
    root = _root_key(home) if identity.witness else None
    keys = _Keys(
        node=_signing_key(home.node_key),
        witness=_signing_key(home.witness_key) if identity.witness else None,
        sealing=load_sealing_key(home.sealing_key)
        if home.sealing_key.exists()
        else create_sealing_key(home.sealing_key),
        root=root,
    )
    person = _signing_key(person_file)
    database = open_node_database(home)
    try:
        # The first person of a node holds every role and hands them on.
        People(database).register(person_name, person.public, ALL_ROLES, at_ms=epoch_ms(clock.now()))
    finally:
        database.close()
    return keys


def _check_expiry(invite: Invite, clock: Clock) -> None:
    if clock.now() >= invite.expires_at:
        raise InviteExpired(f"the invite expired at {invite.expires_at.isoformat()}")


def _signing_key(path: Path) -> SigningKey:
    return load_key(path) if path.exists() else create_key(path)


def _root_key(home: NodeHome) -> SigningKey | None:
    """Give the root key; once there is a node key it is never made again: it may lie in a safe by then."""
    if home.node_key.exists() and not home.root_key.exists():
        return None
    return _signing_key(home.root_key)


def _pin_own(node: Node, keys: _Keys) -> None:
    pinned = Pin(
        node=keys.node.public.text,
        sealing=keys.sealing.public_text,
        witness=node.witness.vkey if node.witness is not None else None,
        root=None if keys.root is None else keys.root.public.text,
    )
    node.trust.pin(node.participant, pinned)


def _register(node: Node, invite: Invite, keys: _Keys) -> None:
    if node.broker.member_status(invite.participant) is not MemberStatus.INVITED:
        return  # an earlier attempt got this far; whose keys are known there shows in the directory
    _check_expiry(invite, node.clock)
    registration = Registration(
        participant=invite.participant,
        secret=invite.secret,
        node_key=keys.node.public.text,
        sealing_key=keys.sealing.public_text,
        witness_vkey=node.witness.vkey if node.witness is not None else None,
        address=node.identity.address,
        at=node.clock.now(),
        root_key=keys.root.public.text if keys.root is not None else None,
    )
    node.broker.join(sign_statement(registration, keys.node).text)


def _await_approval(
    node: Node,
    shown: str,
    wait_seconds: float,
    on_pending: Callable[[str], None],
    pause: Callable[[float], None],
) -> None:
    deadline = node.clock.now() + timedelta(seconds=wait_seconds)
    told = False
    while True:
        match node.broker.member_status(node.participant):
            case MemberStatus.ACTIVE:
                return
            case MemberStatus.SUSPENDED | MemberStatus.QUARANTINED | MemberStatus.REVOKED as status:
                raise JoinRefused(f"this node is {status.value}")
            case MemberStatus.INVITED | MemberStatus.PENDING:
                pass
        if not told:
            on_pending(shown)
            told = True
        if node.clock.now() >= deadline:
            raise ApprovalPending(f"nobody approved within {wait_seconds:g} s", fingerprint=shown)
        pause(POLL_SECONDS)


def _probe(node: Node) -> None:
    nonce = secrets.token_urlsafe(18)
    answer = node.broker.probe(nonce)
    if not secrets.compare_digest(answer.nonce, nonce) or answer.participant != node.participant:
        raise ProbeFailed("the exchange echoed another probe")
