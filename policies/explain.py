"""Why a decision came out as it did: the rules and facts behind it, and which lines of the policy ran.

The question is put once more to the embedded engine, with line coverage, from the bundle that decided. Every
denial and every ground is followed down to the facts that made its rules true or false; every obligation to
the provider's signed record, or to the rule of the alliance that imposed it. Nothing here decides.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import regorus  # type: ignore[import-untyped]  # a native module without stubs

from contracts.canonical import Json
from contracts.messages import Obligation, Redact, Text
from policies.bundle import Bundle
from policies.decision import Decision, Question, Reason
from policies.embedded import VERSION, build_engine, evaluate, is_panic
from policies.guard import Seal, Undecided, ask, incoming, indeterminate
from policies.sites import Mark, Site, Sites, read_sites
from policies.words import say_obligation

MAX_SHOWN = 200

# A rule's value as the engine gives it, or a fact as the question carries it: JSON of any shape.
Shown = Any


@dataclass(frozen=True, slots=True)
class Place:
    """A part of the policy as it is written: a rule, or the entry of a table."""

    file: str
    line: int
    text: str

    @classmethod
    def of(cls, site: Site | Mark) -> "Place":
        """Name where a rule or a word stands."""
        return cls(site.file, site.line, site.text)


@dataclass(frozen=True, slots=True)
class Clause:
    """A rule that a reason rests on: its value, the facts that it reads, and the rules below it."""

    rule: str
    value: Shown
    places: tuple[Place, ...]
    facts: Mapping[str, Shown]
    because: tuple["Clause", ...]


@dataclass(frozen=True, slots=True)
class Cause:
    """One denial or ground, where it is written, and the facts and rules that it rests on."""

    reason: Reason
    places: tuple[Place, ...]
    facts: Mapping[str, Shown]
    because: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Imposed:
    """One obligation in words, and what imposed it: a part of the provider's record, or a rule."""

    obligation: Obligation
    words: Text
    record: str | None
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class FileCoverage:
    """Which lines of one policy file this decision ran, and which it did not reach."""

    file: str
    covered: tuple[int, ...]
    not_covered: tuple[int, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """One decision with everything that it rests on."""

    decision: Decision
    causes: tuple[Cause, ...]
    imposed: tuple[Imposed, ...]
    coverage: tuple[FileCoverage, ...]

    def document(self) -> dict[str, Json]:
        """Write it for programs and for the command that shows it to people."""
        return {
            "outcome": self.decision.outcome,
            "policy": self.decision.policy_digest,
            "engine": self.decision.engine,
            "causes": [_cause_document(cause) for cause in self.causes],
            "obligations": [
                {
                    **one.obligation.model_dump(mode="json"),
                    **one.words.model_dump(),
                    "record": one.record,
                    "places": _places(one.places),
                }
                for one in self.imposed
            ],
            "coverage": [
                {
                    "file": one.file,
                    "covered": list(one.covered),
                    "not_covered": list(one.not_covered),
                    "source": one.source,
                }
                for one in self.coverage
            ],
        }


def explain_decision(bundle: Bundle, question: Question) -> Explanation:
    """Decide once more and say why; a question that cannot be decided gives its fault alone."""
    seal = Seal(bundle.digest, f"regorus/{VERSION}")
    try:
        asked = ask(question)
        engine = build_engine(bundle)
        engine.set_enable_coverage(True)
        decision = incoming(evaluate(lambda: engine, asked.raw), question, seal, asked.revision)
    except Undecided as fault:
        undecided = indeterminate(fault.reason, question, seal)
        return Explanation(undecided, tuple(Cause(why, (), {}, ()) for why in undecided.reasons), (), ())
    coverage = _coverage(engine)
    engine.set_enable_coverage(False)
    sites = read_sites(engine.get_ast_as_json())
    trail = _Trail(engine, sites, json.loads(asked.raw))
    return Explanation(
        decision=decision,
        causes=tuple(trail.cause(reason) for reason in decision.reasons),
        imposed=tuple(_imposed(sites, question, one) for one in decision.obligations),
        coverage=coverage,
    )


class _Trail:
    """Follows rules to the facts below them, by asking the engine for each rule's value."""

    def __init__(self, engine: regorus.Engine, sites: Sites, document: Json) -> None:
        self._engine = engine
        self._sites = sites
        self._document = document
        self._values: dict[str, Shown] = {}
        self._told: set[str] = set()

    def cause(self, reason: Reason) -> Cause:
        """Follow one reason; what stands below a rule is told once a reason, however often it is named."""
        self._told = set()
        written = self._sites.marked(reason.code)
        return Cause(
            reason=reason,
            places=tuple(map(Place.of, written)),
            facts=self._facts(written),
            because=self._clauses([name for mark in written for name in mark.reads]),
        )

    def _clauses(self, names: list[str]) -> tuple[Clause, ...]:
        return tuple(self._clause(name) for name in dict.fromkeys(names) if self._sites.of(name))

    def _clause(self, name: str) -> Clause:
        written = self._sites.of(name)
        told_before = name in self._told
        self._told.add(name)
        below = [] if told_before else [read for site in written for read in site.reads]
        return Clause(
            rule=name.removeprefix("data.headwaters."),
            value=None if written[0].is_function else self._value(name),
            places=tuple(map(Place.of, written)),
            facts=self._facts(written),
            because=self._clauses(below),
        )

    def _value(self, name: str) -> Shown:
        if name not in self._values:
            self._values[name] = _shortened(_rule_value(self._engine, name))
        return self._values[name]

    def _facts(self, written: Sequence[Site | Mark]) -> dict[str, Shown]:
        return {".".join(path): self._fact(path) for site in written for path in site.facts}

    def _fact(self, path: tuple[str, ...]) -> Shown:
        value: Shown = self._document
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return _shortened(value)


def _cause_document(cause: Cause) -> Json:
    reason = cause.reason
    return {
        "code": reason.code,
        "zh": reason.zh,
        "en": reason.en,
        "places": _places(cause.places),
        "facts": dict(cause.facts),
        "because": [_clause_document(clause) for clause in cause.because],
    }


def _clause_document(clause: Clause) -> Json:
    return {
        "rule": clause.rule,
        "value": clause.value,
        "places": _places(clause.places),
        "facts": dict(clause.facts),
        "because": [_clause_document(below) for below in clause.because],
    }


def _places(places: tuple[Place, ...]) -> list[Json]:
    return [{"file": place.file, "line": place.line, "text": place.text} for place in places]


def _rule_value(engine: regorus.Engine, name: str) -> Shown:
    """Give a rule's value; a function has none of its own, and a panic leaves it unknown."""
    try:
        value: str = engine.eval_rule_as_json(name)
    except RuntimeError:
        return None
    except BaseException as error:  # a Rust panic, as in policies.embedded
        if not is_panic(error):
            raise
        return None
    return json.loads(value)


def _coverage(engine: regorus.Engine) -> tuple[FileCoverage, ...]:
    report = json.loads(engine.get_coverage_report_as_json())
    return tuple(
        FileCoverage(one["path"], tuple(one["covered"]), tuple(one["not_covered"]), one["code"])
        for one in report["files"]
    )


def _imposed(sites: Sites, question: Question, obligation: Obligation) -> Imposed:
    record = _part_of_record(question, obligation)
    places = () if record else tuple(map(Place.of, sites.marked(obligation.kind)))
    return Imposed(obligation, say_obligation(obligation), record, places)


def _part_of_record(question: Question, obligation: Obligation) -> str | None:
    """Name the parts of the provider's signed record that ask for this obligation; None where none does."""
    if isinstance(obligation, Redact):
        named = [
            f"purpose_fields[{n}]"
            for n, entry in enumerate(question.dataset.purpose_fields)
            if entry.purpose == question.purpose
        ]
    else:
        asked = question.participant
        named = [
            f"duties[{n}]"
            for n, duty in enumerate(question.dataset.duties)
            if duty.is_asked_of(purpose=question.purpose, level=asked.level, sector=asked.sector)
            and _asks_for(duty.obligation, obligation)
        ]
    return ", ".join(named) or None


def _asks_for(duty: Obligation, obligation: Obligation) -> bool:
    """Say whether a duty is behind an obligation; merged ones (masks, filters) by what they touch."""
    if duty.kind != obligation.kind:
        return False
    match duty.kind:
        case "mask":
            return duty.field == obligation.field  # type: ignore[union-attr]  # of one kind, as just checked
        case "quota" | "rate" | "expiry":
            return duty == obligation
        case _:
            return True


def _shortened(value: Shown) -> Shown:
    """Cut what is too long for a person: lists and texts keep their beginning."""
    match value:
        case str() if len(value) > MAX_SHOWN:
            return value[:MAX_SHOWN] + "…"
        case list() if len(json.dumps(value, ensure_ascii=False)) > MAX_SHOWN:
            return [*map(_shortened, value[:3]), f"… ({len(value)})"]
        case dict() if len(json.dumps(value, ensure_ascii=False)) > MAX_SHOWN:
            return {key: _shortened(item) for key, item in list(value.items())[:20]}
        case _:
            return value
