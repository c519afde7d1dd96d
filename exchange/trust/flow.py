"""Use cases of trust roots: take a proposal or more signatures for one, and log what enough have signed.

The exchange decides nothing here. A root is logged once as many root keys have signed as it asks for, and as
many of those before it as its predecessor asked for; every node verifies that again.
"""

from audit.keys.trust import TrustRoot
from audit.keys.trust_file import RootList, SignedRoot, TrustRootUnsigned
from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from contracts.canonical import Json
from contracts.clock import epoch_ms
from contracts.errors import Conflict, Refused
from contracts.messages import Severity, Text
from exchange.evidence import log_statement
from exchange.identity import Caller
from exchange.members import store as members
from exchange.members.flow import issue_directory
from exchange.parts import Alarm, Parts
from exchange.trust import store
from exchange.trust.tables import TrustRootRow


class RootOutOfTurn(Conflict):
    """The proposed trust root does not follow the newest one."""

    code = "trust-root-out-of-turn"
    title_zh = "拟议的信任根不接续现行信任根"
    next_zh = "先取得现行信任根(headwaters trust adopt),再重新拟议。"
    next_en = "Adopt the newest trust root first (headwaters trust adopt), then propose again."


class RootTooWeak(Refused):
    """The proposed trust root asks for fewer provinces than the alliance does."""

    code = "trust-root-too-weak"
    title_zh = "拟议的信任根所要求的签署数低于联盟的法定数"
    next_zh = "用 headwaters trust propose 拟议,不要自行编写信任根。"
    next_en = "Propose with headwaters trust propose; do not write a trust root by hand."


class UnknownRootKey(Refused):
    """A signature on the trust root is not by a participant's root key."""

    code = "unknown-root-key"
    title_zh = "签署信任根的密钥不是成员登记的根密钥"
    next_zh = "用加入时生成的 keys/root.key 签署。"
    next_en = "Sign with keys/root.key as it was made at joining."


async def hand_in(parts: Parts, caller: Caller, given: SignedRoot) -> RootList:
    """Take a new proposal, or more signatures for one that is known; give how things then stand.

    Raises RootOutOfTurn, RootTooWeak and UnknownRootKey. The same signatures may come again.
    """

    def unit(unit: Unit) -> tuple[int, int] | None:
        session = unit.session
        row = store.find_root(session, given.digest)
        before = store.newest_logged(session)
        if row is None:
            _check_turn(given.signed, before)
            _check_quorum(parts, given.signed)
            store.drop_open(session, by=caller.participant)
        merged = given if row is None else store.read(row).with_signatures(given.signatures)
        _check_keys(given, unit, before)
        ready = row is None or row.place is None
        place = _log_if_signed(unit, merged, before) if ready else row.place if row else None
        store.save_root(session, _row(unit, caller, merged, place))
        if not ready or place is None:
            return None
        store.drop_open(session)
        # A new directory wakes every node, which then asks for the new root as well.
        return issue_directory(parts, unit), _announce(parts, unit, merged)

    committed = await parts.log.commit(unit)
    if committed.value is not None:
        directory, event = committed.value
        parts.mailbox.announce(directory=directory, events=event)
    return roots(parts, since=max(0, given.signed.number - 1))


def roots(parts: Parts, since: int) -> RootList:
    """Give the logged roots with a number above ``since``, and the open proposals."""
    with parts.database.read() as session:
        return RootList(logged=store.logged_roots(session, since), open=store.open_roots(session))


def _check_turn(root: TrustRoot, before: SignedRoot | None) -> None:
    expected = (1, None) if before is None else (before.signed.number + 1, before.digest)
    if (root.number, root.previous) != expected:
        raise RootOutOfTurn(f"root {root.number} was proposed, number {expected[0]} is next")


def _check_quorum(parts: Parts, root: TrustRoot) -> None:
    """A root says itself how many must sign it, so one province alone could have its own root logged."""
    if root.quorum != parts.settings.quorum or root.threshold < parts.settings.quorum:
        raise RootTooWeak(
            f"the root asks for {root.threshold} root keys and {root.quorum} witnesses, "
            f"the alliance for {parts.settings.quorum}"
        )


def _check_keys(given: SignedRoot, unit: Unit, before: SignedRoot | None) -> None:
    """Take signatures of registered root keys only, so that nobody can fill the database."""
    known = {(one.participant, one.root_key) for one in members.list_members(unit.session) if one.root_key}
    if before is not None:
        known |= {(name, key.text) for name, key in before.signed.root_keys().items()}
    signers = {(one.participant, one.key) for one in given.signatures}
    if not signers or signers - known:
        raise UnknownRootKey(f"{len(signers - known)} of {len(signers)} signatures are by unknown keys")


def _log_if_signed(unit: Unit, merged: SignedRoot, before: SignedRoot | None) -> int | None:
    try:
        merged.require_signed(None if before is None else before.signed)
    except TrustRootUnsigned:
        return None
    fields: dict[str, Json] = {"n": merged.signed.number, "dig": merged.digest, "k": merged.signed.threshold}
    return log_statement(unit, merged.digest, Entry(EntryKind.TRUST_ROOT, unit.now, fields))


def _row(unit: Unit, caller: Caller, merged: SignedRoot, place: int | None) -> TrustRootRow:
    before = store.find_root(unit.session, merged.digest)
    return TrustRootRow(
        digest=merged.digest,
        number=merged.signed.number,
        document=merged.canonical().decode(),
        by=caller.participant if before is None else before.by,
        at=epoch_ms(unit.now) if before is None else before.at,
        place=place,
    )


def _announce(parts: Parts, unit: Unit, root: SignedRoot) -> int:
    title = Text(zh="各省已签署新的信任根", en="The provinces signed a new trust root")
    facts = {"number": root.signed.number, "signers": len(root.signers())}
    return parts.hooks.record_alarm(parts, unit, Alarm("trust.root", Severity.LOW, None, title, facts))
