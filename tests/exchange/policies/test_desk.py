"""The desk swaps engines between two questions: none is dropped, none decided by a policy that is over."""

import asyncio
from dataclasses import dataclass, field

import pytest

from exchange.policies import desk as desk_module
from exchange.policies.desk import Desk, Shadowed
from policies.bundle import Bundle, shipped_bundle
from policies.decision import Decision, Question
from policies.embedded import EmbeddedEngine
from policies.guard import Seal, indeterminate
from policies.profile.limits import OutsideProfile
from tests.exchange.policies.office import alike, closed, wide
from tests.policies.questions import APPLY


@dataclass
class Slow:
    """An engine that answers when it is let go."""

    bundle: Bundle
    go: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    @property
    def digest(self) -> str:
        return self.bundle.digest

    async def decide(self, question: Question) -> Decision:
        await self.go.wait()
        return EmbeddedEngine(self.bundle).decide_now(question)

    def close(self) -> None:
        self.closed = True


@dataclass
class Late:
    """A server that has one bundle until it is told of the next; ``fault`` is what it answers otherwise."""

    has: Bundle
    expected: tuple[str, ...]
    fault: str | None = None
    closed: bool = False

    @property
    def digest(self) -> str:
        return self.expected[0]

    def expect(self, first: str, *others: str) -> None:
        self.expected = (first, *others)

    async def serving(self) -> str | None:
        return self.has.digest

    async def decide(self, question: Question) -> Decision:
        stale = self.has.digest not in self.expected
        fault = self.fault or ("pdp:wrong-bundle" if stale else None)
        if fault:
            return indeterminate(fault, question, Seal(self.digest, "late"))
        return EmbeddedEngine(self.has).decide_now(question)

    def close(self) -> None:
        self.closed = True


def test_a_question_under_way_ends_with_the_engine_that_it_began_with() -> None:
    """A swap lets a running question finish, and closes its engine only after it."""

    async def swap() -> tuple[Decision, Decision, bool, bool]:
        slow = Slow(wide())
        desk = Desk(wide(), lambda bundle: slow if bundle == wide() else EmbeddedEngine(bundle))
        under_way = asyncio.create_task(desk.decide(APPLY))
        await asyncio.sleep(0)
        desk.take(closed())
        after = await desk.decide(APPLY)
        still_open = not slow.closed
        slow.go.set()
        return await under_way, after, still_open, slow.closed

    before, after, still_open, ended = asyncio.run(swap())

    assert (before.policy_digest, before.outcome) == (wide().digest, "permit")
    assert (after.policy_digest, after.outcome) == (closed().digest, "deny")
    assert (still_open, ended) == (True, True)


def test_no_question_is_dropped_while_policies_change() -> None:
    """Under fifty changes each of five hundred questions gets a whole answer of a policy then in force."""

    async def work() -> list[Decision]:
        desk = Desk(wide(), EmbeddedEngine)
        answers: list[Decision] = []

        async def ask() -> None:
            for _ in range(50):
                answers.append(await desk.decide(APPLY))
                await asyncio.sleep(0)

        async def change() -> None:
            for number in range(50):
                bundle = wide() if number % 2 else closed()
                desk.prepare(bundle)
                desk.take(bundle)
                await asyncio.sleep(0)

        await asyncio.gather(change(), *(ask() for _ in range(10)))
        desk.close()
        return answers

    answers = asyncio.run(work())

    assert len(answers) == 500
    assert {(one.policy_digest, one.outcome) for one in answers} == {
        (wide().digest, "permit"),
        (closed().digest, "deny"),
    }


def test_a_bundle_that_does_not_open_is_not_prepared() -> None:
    """What is outside the profile fails before anything is logged, and the desk goes on as before."""
    desk = Desk(closed(), EmbeddedEngine)
    with pytest.raises(OutsideProfile):
        desk.prepare(Bundle({"headwaters/main.rego": b"package headwaters.main\n"}))

    assert desk.digest == closed().digest
    desk.close()


def test_a_desk_that_is_closed_refuses() -> None:
    """After the end nothing is permitted, and what was prepared or shadowed is closed too."""
    desk = Desk(wide(), EmbeddedEngine)
    desk.prepare(closed())
    desk.shadow(closed())
    desk.close()

    decision = asyncio.run(desk.decide(APPLY))
    assert (decision.outcome, decision.codes) == ("indeterminate", ["pdp:closed"])


# --- a server that fetches its bundle by itself -----------------------------------------------------


def test_a_late_server_is_bridged_and_no_old_answer_counts() -> None:
    """While the server still has the old bundle the new one decides here; then the server decides again."""

    async def work() -> tuple[list[Decision], list[bool], Late]:
        server = Late(wide(), (wide().digest,))
        desk = Desk(wide(), lambda _: server)
        answers, bridged = [await desk.decide(APPLY)], [desk.is_bridged]
        desk.prepare(closed())
        desk.take(closed())
        for has in (wide(), closed(), closed()):
            server.has = has
            answers.append(await desk.decide(APPLY))
            bridged.append(desk.is_bridged)
        desk.close()
        return answers, bridged, server

    answers, bridged, server = asyncio.run(work())

    assert [one.outcome for one in answers] == ["permit", "deny", "deny", "deny"]
    assert [one.policy_digest for one in answers] == [wide().digest, *[closed().digest] * 3]
    assert bridged == [False, True, False, False]
    assert (server.expected, server.closed) == ((closed().digest,), True)


def test_a_question_under_way_at_a_server_is_bridged_too() -> None:
    """A question that the old bundle was answering when it ended is answered by the new one, not dropped."""

    async def work() -> Decision:
        server = Late(wide(), (wide().digest,))
        go = asyncio.Event()
        answer = server.decide

        async def slowly(question: Question) -> Decision:
            await go.wait()
            return await answer(question)

        server.decide = slowly  # type: ignore[method-assign]  # the same server, slower
        desk = Desk(wide(), lambda _: server)
        under_way = asyncio.create_task(desk.decide(APPLY))
        await asyncio.sleep(0)
        desk.take(closed())
        go.set()
        return await under_way

    decision = asyncio.run(work())

    assert (decision.policy_digest, decision.outcome) == (closed().digest, "deny")


@pytest.mark.parametrize("fault", ["pdp:unavailable", "pdp:timeout", "pdp:bad-answer"])
def test_only_a_late_server_is_bridged(fault: str) -> None:
    """A server that is down or answers nonsense while it changes refuses, as it does at any other time."""

    async def work() -> Decision:
        server = Late(wide(), (wide().digest,))
        desk = Desk(wide(), lambda _: server)
        desk.take(wide("next"))
        server.fault = fault
        return await desk.decide(APPLY)

    decision = asyncio.run(work())

    assert (decision.outcome, decision.codes) == ("indeterminate", [fault])


def test_a_server_that_never_follows_refuses_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """After five minutes the old bundle of a server is a fault like any other."""
    seconds = [0.0]
    monkeypatch.setattr(desk_module, "monotonic_seconds", lambda: seconds[0])

    async def work() -> tuple[list[str], bool]:
        desk = Desk(wide(), lambda bundle: Late(bundle, (bundle.digest,)))
        desk.take(wide("next"))
        outcomes: list[str] = []
        for moment in (0.0, desk_module.BRIDGE_SECONDS - 1, desk_module.BRIDGE_SECONDS):
            seconds[0] = moment
            await desk.look_for_server()
            outcomes.append((await desk.decide(APPLY)).outcome)
        return outcomes, desk.is_bridged

    assert asyncio.run(work()) == (["permit", "permit", "indeterminate"], False)


def test_a_server_is_looked_for_without_questions() -> None:
    """The bridge ends in the background too, once the server has the bundle in force."""

    async def work() -> list[bool]:
        server = Late(wide(), (wide().digest,))
        desk = Desk(wide(), lambda _: server)
        desk.take(closed())
        seen = []
        for has in (wide(), closed()):
            server.has = has
            await desk.look_for_server()
            seen.append(desk.is_bridged)
        return seen

    assert asyncio.run(work()) == [True, False]


def test_a_shadow_that_fails_changes_no_answer() -> None:
    """A shadow is asked after the answer; whatever comes of it, the answer is that in force."""

    async def work() -> tuple[list[Decision], Shadowed]:
        desk = Desk(wide(), EmbeddedEngine)
        desk.shadow(Bundle({"headwaters/main.rego": b"package headwaters.other\n"}))
        answers = [await desk.decide(APPLY) for _ in range(3)]
        await asyncio.sleep(0)
        assert desk.shadowed is not None
        shadowed = desk.shadowed
        desk.close()
        return answers, shadowed

    answers, shadowed = asyncio.run(work())

    assert {one.outcome for one in answers} == {"permit"}
    assert (shadowed.asked, shadowed.counts) == (3, {"refused": 3})


def test_a_shadow_that_takes_too_long_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shadow holds up everything else while it thinks; one that thinks too long is not asked again."""
    monkeypatch.setattr(desk_module, "SHADOW_SECONDS", -1.0)

    async def work() -> tuple[list[Decision], Shadowed | None]:
        desk = Desk(wide(), EmbeddedEngine)
        desk.shadow(closed())
        answers = []
        for _ in range(2):
            answers.append(await desk.decide(APPLY))
            await asyncio.sleep(0)
        shadowed = desk.shadowed
        desk.close()
        return answers, shadowed

    answers, shadowed = asyncio.run(work())

    assert {one.outcome for one in answers} == {"permit"}
    assert shadowed is None


def test_an_alike_shadow_differs_nowhere() -> None:
    """The shipped rules under another digest answer as the shipped ones do."""

    async def work() -> tuple[int, int]:
        desk = Desk(shipped_bundle(), EmbeddedEngine)
        desk.shadow(alike())
        await desk.decide(APPLY)
        await asyncio.sleep(0)
        assert desk.shadowed is not None
        return desk.shadowed.asked, desk.shadowed.same

    assert asyncio.run(work()) == (1, 1)
