"""Cosigning: a checkpoint is published when a quorum has cosigned, and a fork raises the alarm."""

import base64
from datetime import timedelta

import pytest

from audit.formats.cosignature import SIZE_CONTENT_TYPE, WitnessState, parse_add_checkpoint
from audit.formats.dsse import parse_envelope
from audit.formats.merkle import EMPTY_ROOT
from audit.formats.note import NoteSignature, VerifierKey, cosigned_message
from audit.formats.quorum import QuorumMissing, WitnessPolicy
from contracts.messages import LogStatus, MailboxAnswer, MailboxRequest, SecurityEvent
from exchange.log.cosigning import LOST_AFTER_SECONDS, Cosigning
from tests.exchange.provinces import Exchange, Province, Serving, hold_round, mailbox_answer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def witnesses(exchange: Exchange) -> list[Province]:
    """Admit three witnesses; the quorum is two."""
    return [await exchange.admit() for _ in range(3)]


@pytest.fixture
def cosigning(exchange: Exchange) -> Cosigning:
    """Give the task, held by hand."""
    return Cosigning(exchange.parts)


async def status(exchange: Exchange) -> LogStatus:
    """Read the log's status as anybody may."""
    return LogStatus.parse((await exchange.http.get("/log/status")).content)


async def event_classes(exchange: Exchange) -> list[str]:
    """Name the classes of all events."""
    events = (await exchange.person("auditor").get("/operator/events")).json()["events"]
    return [SecurityEvent.parse(parse_envelope(e.encode()).payload).event_class for e in events]


async def test_a_quorum_publishes(
    exchange: Exchange, witnesses: list[Province], cosigning: Cosigning
) -> None:
    """With three of three cosignatures the published note satisfies the alliance's witness policy."""
    await hold_round(cosigning, *witnesses)
    note = (await exchange.http.get("/log/checkpoint")).content
    keys = {w.participant: w.cosigner.verifier_key for w in witnesses}
    policy = WitnessPolicy.k_of_n(VerifierKey.parse(witnesses[0].invite.log_vkey), keys, 3)

    assert policy.check(note, now=exchange.clock.now()).checkpoint.size == exchange.parts.log.size()
    assert (await status(exchange)).cosignatures == 3


async def test_a_quorum_does_not_wait_for_the_silent(
    exchange: Exchange, witnesses: list[Province], cosigning: Cosigning
) -> None:
    """Two of three publish at once, while the third does not poll."""
    await hold_round(cosigning, *witnesses[:2])
    standing = await status(exchange)

    assert (2, standing.size) == (standing.cosignatures, standing.witnessed_size)
    assert standing.unwitnessed_since is None


async def test_a_late_witness_is_added(
    exchange: Exchange, witnesses: list[Province], cosigning: Cosigning
) -> None:
    """A witness that comes back adds its line to the published note without a new entry."""
    await hold_round(cosigning, *witnesses[:2])
    await hold_round(cosigning, witnesses[2])

    assert (await status(exchange)).cosignatures == 3
    assert len(witnesses[0].asked) == 1


async def test_a_witness_is_asked_with_a_consistency_proof(
    exchange: Exchange, witnesses: list[Province], cosigning: Cosigning
) -> None:
    """After the log has grown, each witness checks that the new tree extends the one it cosigned."""
    async with Serving(*witnesses):
        await cosigning.round()
        await cosigning.settle()
        await exchange.invite(witness=False)
        await cosigning.round()
        await cosigning.settle()
    sizes = {w.state.size for w in witnesses if w.state}

    assert sizes == {exchange.parts.log.size()}
    assert [len(w.asked) for w in witnesses] == [2, 2, 2]


async def test_a_restarted_exchange_learns_the_old_size(
    exchange: Exchange, witnesses: list[Province], cosigning: Cosigning
) -> None:
    """A fresh process learns each witness's size from its 409, and asks once more."""
    async with Serving(*witnesses):
        await cosigning.round()
        await cosigning.settle()
        await exchange.invite(witness=False)
        fresh = Cosigning(exchange.parts)
        await fresh.round()
        await fresh.settle()

    assert (await status(exchange)).witnessed_size == exchange.parts.log.size()
    assert [len(w.asked) for w in witnesses] == [3, 3, 3]
    assert await event_classes(exchange) == []


async def test_too_few_witnesses_publish_nothing(exchange: Exchange) -> None:
    """One witness under a quorum of two publishes nothing; the log-signed checkpoint is all there is."""
    lonely = await exchange.admit()
    async with Serving(lonely):
        await Cosigning(exchange.parts).round()
    note = (await exchange.http.get("/log/checkpoint")).content
    key = VerifierKey.parse(lonely.invite.log_vkey)
    policy = WitnessPolicy.k_of_n(key, {"w": lonely.cosigner.verifier_key}, 1)

    assert ((await status(exchange)).witnessed_size, (await status(exchange)).witnesses) == (0, 1)
    assert (await status(exchange)).unwitnessed_since == exchange.clock.now()
    with pytest.raises(QuorumMissing):
        policy.check(note, now=exchange.clock.now())


async def test_an_unchanged_log_is_cosigned_again_for_freshness(
    exchange: Exchange, witnesses: list[Province], cosigning: Cosigning
) -> None:
    """Nothing is asked again before sixty seconds are over, and then everybody is."""
    async with Serving(*witnesses):
        for seconds in (0, 30, 31):
            exchange.clock.advance(seconds)
            await cosigning.round()
            await cosigning.settle()

    assert [len(w.asked) for w in witnesses] == [2, 2, 2]


async def test_a_false_cosignature_does_not_count(
    exchange: Exchange, witnesses: list[Province], cosigning: Cosigning
) -> None:
    """A line under another key, of the future, or of no meaning is not published."""
    stranger, ahead, babbler = witnesses
    stranger.witness_key = type(stranger.witness_key).generate()
    babbler.odd = lambda _: mailbox_answer(200, b"cosigned, trust me\n")

    def from_the_future(request: MailboxRequest) -> MailboxAnswer:
        exchange.clock.advance(60)
        answer = ahead.handle(request)
        exchange.clock.advance(-60)
        return answer

    ahead.odd = from_the_future
    await hold_round(cosigning, *witnesses)

    assert (await status(exchange)).witnessed_size == 0


@pytest.mark.parametrize(
    "refusal",
    [mailbox_answer(422, b""), mailbox_answer(409, b"", "text/plain")],
    ids=["422", "409 without a size"],
)
async def test_a_witness_that_sees_a_fork_alarms_the_alliance_once(
    exchange: Exchange, witnesses: list[Province], cosigning: Cosigning, refusal: MailboxAnswer
) -> None:
    """A 422, or a 409 that names no size, raises one critical event about that witness."""
    witnesses[0].odd = lambda _: refusal
    async with Serving(*witnesses):
        for _ in range(2):
            await cosigning.round()
            await cosigning.settle()

    assert await event_classes(exchange) == ["log.equivocation"]
    assert exchange.parts.mailbox.heads.events == 1


async def test_a_real_fork_is_seen_by_a_real_witness(
    exchange: Exchange, witnesses: list[Province], cosigning: Cosigning
) -> None:
    """A witness that cosigned another tree of the same size answers 422, and the alliance hears of it."""
    size = exchange.parts.log.size()
    witnesses[0].state = WitnessState(size, EMPTY_ROOT)
    await hold_round(cosigning, *witnesses)

    assert await event_classes(exchange) == ["log.equivocation"]
    assert witnesses[0].state == WitnessState(size, EMPTY_ROOT)


async def test_a_witness_that_saw_more_alarms_the_alliance(
    exchange: Exchange, witnesses: list[Province], cosigning: Cosigning
) -> None:
    """A 409 that names a size beyond this log means that this log was put back."""
    witnesses[0].odd = lambda _: mailbox_answer(409, b"999\n", SIZE_CONTENT_TYPE)
    await hold_round(cosigning, *witnesses)

    assert await event_classes(exchange) == ["log.behind-witness"]


@pytest.mark.parametrize("body", [b"", b"-1\n", b"many\n", b"9" * 40])
async def test_a_size_that_is_none_is_no_size(
    exchange: Exchange, witnesses: list[Province], cosigning: Cosigning, body: bytes
) -> None:
    """A 409 whose size cannot be read does not stop the others from publishing."""
    witnesses[0].odd = lambda _: mailbox_answer(409, body, SIZE_CONTENT_TYPE)
    await hold_round(cosigning, *witnesses)

    assert (await status(exchange)).cosignatures == 2


async def test_a_witness_that_refuses_is_asked_again(
    exchange: Exchange, witnesses: list[Province], cosigning: Cosigning
) -> None:
    """A witness that answers 503 or 404 is no alarm; it is asked in the next round."""
    witnesses[0].odd = lambda _: mailbox_answer(503, b"")
    async with Serving(*witnesses):
        await cosigning.round()
        await cosigning.settle()
        witnesses[0].odd = None
        await cosigning.round()
        await cosigning.settle()

    assert (await status(exchange)).cosignatures == 3
    assert await event_classes(exchange) == []


async def test_losing_and_regaining_the_quorum_is_told(
    exchange: Exchange, witnesses: list[Province], cosigning: Cosigning
) -> None:
    """When two of three fall silent the alliance hears of it once, and once more when they are back."""
    await hold_round(cosigning, *witnesses)
    await exchange.invite(witness=False)
    async with Serving(witnesses[0]):
        for seconds in (0, LOST_AFTER_SECONDS, 1):
            exchange.clock.advance(seconds)
            await cosigning.round()
            await cosigning.settle()
    lost = await event_classes(exchange)
    unwitnessed = (await status(exchange)).unwitnessed_since
    await hold_round(cosigning, *witnesses)

    assert lost == ["log.quorum-lost"]
    assert unwitnessed is not None
    assert await event_classes(exchange) == ["log.quorum-lost", "log.quorum-regained"]


async def test_stale_cosignatures_are_a_lost_quorum_too(
    exchange: Exchange, witnesses: list[Province], cosigning: Cosigning
) -> None:
    """An idle log whose witnesses are gone is noticed when the last cosignatures have become old."""
    await hold_round(cosigning, *witnesses)
    exchange.clock.advance(60 + LOST_AFTER_SECONDS)
    async with Serving(witnesses[0]):
        await cosigning.round()

    assert await event_classes(exchange) == ["log.quorum-lost"]


async def test_a_suspended_witness_is_not_asked(
    exchange: Exchange, witnesses: list[Province], cosigning: Cosigning
) -> None:
    """A witness out of good standing does not count towards the quorum."""
    await exchange.act(witnesses[0], "suspend", {"reason": "test"})
    await hold_round(cosigning, *witnesses[1:])

    assert (await status(exchange)).witnesses == 2
    assert witnesses[0].asked == []


async def test_a_witness_cannot_flood_the_log_with_alarms(
    exchange: Exchange, witnesses: list[Province], cosigning: Cosigning
) -> None:
    """A witness that agrees and objects in turn is heard again after ten minutes, not at every turn."""
    async with Serving(*witnesses):
        for odd in (lambda _: mailbox_answer(422, b""), None) * 3:
            witnesses[0].odd = odd
            await exchange.invite(witness=False)  # the log grows, so everybody is asked
            await cosigning.round()
            await cosigning.settle()
        exchange.clock.advance(601)
        witnesses[0].odd = lambda _: mailbox_answer(422, b"")
        await exchange.invite(witness=False)
        await cosigning.round()
        await cosigning.settle()

    assert (await event_classes(exchange)).count("log.equivocation") == 2


async def test_a_line_over_another_text_does_not_poison_the_checkpoint(
    exchange: Exchange, witnesses: list[Province], cosigning: Cosigning
) -> None:
    """An answer that moves the end of the signed text is no cosignature, and everybody can read the rest."""

    def over_more(request: MailboxRequest) -> MailboxAnswer:
        note = parse_add_checkpoint(base64.b64decode(request.body)).note.encode()
        longer = note.decode()  # with one more LF before its line, the log's own line becomes text
        seconds = int(exchange.clock.now().timestamp())
        raw = seconds.to_bytes(8) + witnesses[0].witness_key.sign(cosigned_message(longer, seconds))
        key = witnesses[0].cosigner.verifier_key
        return mailbox_answer(200, b"\n" + NoteSignature(key.name, key.key_id, raw).line.encode())

    witnesses[0].odd = over_more
    await hold_round(cosigning, *witnesses)
    note = (await exchange.http.get("/log/checkpoint")).content
    keys = {w.participant: w.cosigner.verifier_key for w in witnesses}
    policy = WitnessPolicy.k_of_n(VerifierKey.parse(witnesses[0].invite.log_vkey), keys, 2)

    assert len(policy.check(note, now=exchange.clock.now()).cosignatures) == 2


async def test_the_status_says_when_business_stops(
    exchange: Exchange, witnesses: list[Province], cosigning: Cosigning
) -> None:
    """After a quorum was had, an uncovered entry starts the outage clock that the log itself keeps."""
    await hold_round(cosigning, *witnesses)
    await exchange.invite(witness=False)
    began = exchange.clock.now()
    exchange.clock.advance(30)
    async with Serving(witnesses[0]):
        await Cosigning(exchange.parts).round()
    standing = await status(exchange)

    assert standing.unwitnessed_since == began
    assert standing.business_stops_at == began + timedelta(hours=4)
