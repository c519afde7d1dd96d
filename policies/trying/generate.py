"""Questions made up from a seed: the same seed gives the same questions on every machine.

Each starts as one that may well be permitted, in a setting drawn at random (levels, sectors, fields, classes,
conditions, duties, an emergency); half of them are then spoilt in one to three ways. All fit the input
schema, so what is compared is what engines decide, not what the guard refuses. Text is chosen to be awkward.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, get_args

from contracts.canonical import MAX_INTEGER
from contracts.clock import BEIJING, from_epoch_ms
from contracts.messages import (
    EMERGENCY_PURPOSE,
    AggregateOnly,
    CompoundFilter,
    Condition,
    Duty,
    Expiry,
    FieldFilter,
    Hours,
    Level,
    Mask,
    MaskGeneralise,
    MaskGeoGrid,
    MaskHash,
    MaskNull,
    MaskRound,
    MaskTruncate,
    Measure,
    PurposeFields,
    Quota,
    Rate,
    RowFilter,
    Watermark,
)
from contracts.messages.obligations import Scalar
from policies.decision import Question
from policies.facts import (
    AgreementFacts,
    ApplicationFacts,
    DatasetFacts,
    EmergencyFacts,
    FieldFacts,
    ParticipantFacts,
    SubscriptionFacts,
)
from policies.trying.spoil import SPOILERS, other

PURPOSES = ("joint-warning", "green-credit", "planning-2027", "x0", EMERGENCY_PURPOSE)
SECTORS = ("finance", "research", '能源 "电力"')
STEMS = ("51", "5101", "510107", "50", "5001", "530000000000", "11")
FIELDS = (
    *(
        "station",
        "pm25",
        "operator",
        "运维单位",
        "at",
        "lon",
        "lat",
        "geometry",
        "code",
        "a b",
        "a/b",
        "a~1b",
    ),
    *("数据\\", '"quoted"', "<undefined>", "null", "Station", "émission", "🏭", "kind", "_", "0"),
)
ADDRESSES = (
    "10.51.3.4",
    "10.52.0.1",
    "192.0.2.7",
    "2001:db8::1",
    "fe80::a",
    "::1",
    "255.255.255.255",
    "64:ff9b::a33:304",
    "2001:db8:0:1::",
)
NETWORKS = {
    "10.51.0.0/16": "10.51.3.4",
    "10.51.3.4/16": "10.51.255.255",
    "0.0.0.0/0": "192.0.2.7",
    "192.0.2.7/32": "192.0.2.7",
    "2001:db8::/32": "2001:db8::1",
    "2001:db8:0:1::2/64": "2001:db8:0:1::",
    "::/0": "::1",
}
WORDS = ("51", "", "超标", "a\u0000b", "ÿ", "true", "0", "-1", "1e3", "\u2028", "𝛑")
Operator = Literal["eq", "ne", "lt", "lte", "gt", "gte", "in", "nin", "startswith"]
OPERATORS: tuple[Operator, ...] = get_args(Operator)
DAY_MS = 86_400_000
# A share of one half spoilt leaves well over three in ten permitted.
SPOILT = 0.5


def questions(count: int, seed: int) -> Iterator[Question]:
    """Make ``count`` questions from ``seed``."""
    for number in range(count):
        # A seed of its own for each, so that one question can be made again without those before it.
        author = _Author(random.Random(f"{seed}:{number}"))  # noqa: S311  # no secret, and it must repeat
        yield author.question()


class _Author:
    """Draws one question; every draw comes from one generator."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def question(self) -> Question:
        question = self._possible()
        if self._rng.random() < SPOILT:
            for spoil in self._rng.sample(SPOILERS, self._rng.choice([1, 1, 1, 2, 3])):
                question = spoil(question, self._rng)
        return question

    def _possible(self) -> Question:
        rng = self._rng
        purpose = rng.choice(PURPOSES)
        now_ms = rng.randrange(1_577_836_800_000, 2_051_222_400_000)
        participant = self._participant()
        dataset = self._dataset(purpose, participant)
        address = rng.choice([*ADDRESSES, None])
        question = Question("apply", now_ms, participant, dataset, purpose, address=address)
        if purpose == EMERGENCY_PURPOSE and rng.random() < 0.9:
            until_ms = now_ms + rng.choice([1, 4999, 5000, DAY_MS])
            question = replace(question, emergency=EmergencyFacts("m-" + self._letters(), until_ms))
        question = self._with_conditions(question)
        if rng.random() < 0.4:
            until_ms = now_ms + rng.choice([1, 5000, 5001, DAY_MS])
            return replace(question, application=ApplicationFacts(until_ms))
        return self._transfer(question)

    def _participant(self) -> ParticipantFacts:
        rng = self._rng
        name = "p-" + rng.choice(["aaaaaaaaaaaa", "cccccccccccc", self._letters()])
        if rng.random() < 0.3:
            return ParticipantFacts(name, "active", "none", rng.choice([None, *STEMS]), rng.choice(SECTORS))
        level = rng.choice(["national", "province", "province", "city", "county"])
        stem = {"national": "11", "province": "51", "city": "5101", "county": "510107"}[level]
        return ParticipantFacts(name, "active", level, rng.choice([stem, *STEMS]), "government")

    def _dataset(self, purpose: str, participant: ParticipantFacts) -> DatasetFacts:
        rng = self._rng
        classification = rng.choice([1, 1, 2, 2, 2, 3, 4])
        names = rng.sample(FIELDS, rng.randint(3, 9))
        fields = tuple(FieldFacts(name, rng.choice([1, 1, 1, 2, 2, 3, 4])) for name in names)
        # Whoever needs the purpose to be named usually finds it named.
        needs = (
            participant.sector != "government" or max(classification, *(f.classification for f in fields)) > 2
        )
        named = rng.random() < (0.9 if needs else 0.3)
        entries = [
            PurposeFields(purpose=purpose, fields=self._some(names))
            for _ in range(named and rng.randint(1, 2))
        ]
        entries += [
            PurposeFields(purpose=one, fields=self._some(names))
            for one in rng.sample(PURPOSES, 2)
            if one != purpose
        ]
        rng.shuffle(entries)
        return DatasetFacts(
            dataset=rng.choice(["air-hourly", "water-2026", "a0"]),
            provider="p-" + rng.choice(["bbbbbbbbbbbb", self._letters()]),
            provider_status="active",
            provider_territory=rng.choice([*STEMS, None]),
            sharing=rng.choice(["conditional", "conditional", "unconditional"]),
            sharing_basis=rng.choice(WORDS) or "Order 809, art. 14",
            classification=classification,
            purposes=tuple({purpose: 1, rng.choice(PURPOSES): 1}) if rng.random() < 0.7 else (),
            purpose_fields=tuple(entries),
            fields=fields,
            synthetic=rng.random() < 0.2,
            duties=tuple(self._duties(purpose, participant, names)),
            emergency=purpose == EMERGENCY_PURPOSE and rng.random() < 0.6,
        )

    def _some(self, names: list[str]) -> list[str]:
        """Name fields: most of them, now and then one that the contract has not, or one twice."""
        chosen = self._rng.sample(names, self._rng.randint(max(1, len(names) - 3), len(names)))
        return chosen + self._rng.choice([[], [], [], ["no-such-field"], chosen[:1]])

    def _with_conditions(self, question: Question) -> Question:
        """Add conditions that this question meets, nearly always; unconditional sharing has none."""
        if question.dataset.sharing != "conditional":
            return question
        rng, participant = self._rng, question.participant
        network = rng.choice(list(NETWORKS))
        at = from_epoch_ms(question.now_ms).astimezone(BEIJING)
        conditions = []
        for _ in range(rng.choice([0, 0, 1, 1, 2])):
            condition = Condition(
                purposes=rng.choice([[], [question.purpose], [other(PURPOSES, question.purpose, rng)]]),
                levels=self._maybe([Level(participant.level), Level.CITY]),
                sectors=self._maybe([participant.sector, "forestry"]),
                networks=self._maybe([network, "198.51.100.0/24"]),
                weekdays=self._maybe([at.isoweekday(), 7]),
                hours=rng.choice([None, None, *_hours_around(at.hour)]),
            )
            stems = [participant.territory[: rng.choice([2, 4, 6])]] if participant.territory else []
            # Facts hold the stem of a code, which is no whole code (facts.DatasetFacts.of).
            conditions.append(condition.model_copy(update={"territories": self._maybe(stems)}))
            if condition.networks:
                question = replace(question, address=NETWORKS[network])
        return replace(question, dataset=replace(question.dataset, conditions=tuple(conditions)))

    def _maybe(self, items: list) -> list:  # type: ignore[type-arg]  # of what it was given
        return items if self._rng.random() < 0.3 else []

    def _duties(self, purpose: str, participant: ParticipantFacts, names: list[str]) -> Iterator[Duty]:
        rng = self._rng
        for _ in range(rng.choice([0, 1, 1, 2, 3, 5])):
            yield Duty(
                purposes=rng.choice([[], [], [purpose], [other(PURPOSES, purpose, rng)]]),
                levels=rng.choice([[], [], [Level(participant.level)], [Level.NATIONAL]]),
                sectors=rng.choice([[], [], [participant.sector], ["forestry"]]),
                obligation=self._obligation(names),
            )

    def _obligation(
        self, names: list[str]
    ) -> Mask | RowFilter | AggregateOnly | Quota | Rate | Watermark | Expiry:
        rng = self._rng
        draw = rng.randrange(12)
        if draw < 4:
            return Mask(field=rng.choice(names), how=self._mask())
        if draw < 6:
            return RowFilter(rows=self._filter(names, rng.randint(1, 4)))
        if draw < 7:
            return self._aggregate(names)
        quota = Quota(
            unit=rng.choice(["rows", "bytes", "releases"]),
            limit=rng.choice([1, 1000, MAX_INTEGER]),
            window_seconds=rng.choice([60, 86_400, 366 * 86_400]),
        )
        rate = Rate(fetches=rng.choice([1, 60]), window_seconds=rng.choice([1, 3600]))
        drawn: list[Quota | Rate | Watermark | Expiry] = [quota, rate, Watermark()]
        return rng.choice([*drawn, Expiry(days=rng.choice([1, 30, 365, 366, 3650]))])

    def _aggregate(self, names: list[str]) -> AggregateOnly:
        rng = self._rng
        measures = [
            Measure(field=rng.choice(names), function=rng.choice(["count", "mean", "sum"]))
            for _ in range(rng.randint(1, 3))
        ]
        return AggregateOnly(by=names[:1], measures=measures, min_group=rng.choice([2, 5, 1_000_000]))

    def _mask(self) -> MaskNull | MaskHash | MaskRound | MaskTruncate | MaskGeneralise | MaskGeoGrid:
        rng = self._rng
        to: Literal["province", "city", "county", "year", "month", "day", "hour"]
        to = rng.choice(["province", "city", "county", "year", "month", "day", "hour"])
        ways: list[MaskNull | MaskHash | MaskRound | MaskTruncate | MaskGeneralise | MaskGeoGrid] = [
            MaskNull(),
            MaskHash(),
            MaskRound(digits=rng.randint(-9, 9)),
            MaskTruncate(characters=rng.choice([1, 200])),
            MaskGeneralise(to=to),
            MaskGeoGrid(cell_millidegrees=rng.choice([1, 10, 10_000])),
        ]
        return rng.choice(ways)

    def _filter(self, names: list[str], depth: int) -> FieldFilter | CompoundFilter:
        rng = self._rng
        if depth > 1 and rng.random() < 0.6:
            if rng.random() < 0.3:
                return CompoundFilter(operator="not", value=[self._filter(names, depth - 1)])
            parts = [self._filter(names, depth - 1) for _ in range(rng.randint(1, 3))]
            return CompoundFilter(operator="and" if rng.random() < 0.5 else "or", value=parts)
        operator = rng.choice(OPERATORS)
        number, word = rng.choice([0, -1, 3, MAX_INTEGER, -MAX_INTEGER]), rng.choice(WORDS)
        value: Scalar | list[str | int] = word
        if operator in {"eq", "ne"}:
            scalars: list[Scalar] = [None, True, number, word]
            value = rng.choice(scalars)
        elif operator in {"in", "nin"}:
            value = [number, *rng.sample(WORDS, 2)]
        elif operator != "startswith" and rng.random() < 0.5:
            value = number
        return FieldFilter(operator=operator, field=rng.choice(names), value=value)

    def _transfer(self, question: Question) -> Question:
        rng = self._rng
        agreement = AgreementFacts(
            agreement="a-" + self._letters(),
            state="active",
            consumer=question.participant.id,
            provider=question.dataset.provider,
            dataset=question.dataset.dataset,
            purpose=question.purpose,
            not_before_ms=question.now_ms - rng.choice([0, 1, DAY_MS]),
            expires_ms=question.now_ms + rng.choice([1, 5000, 5001, 365 * DAY_MS]),
            record_digest_matches=True,
        )
        standing = SubscriptionFacts("active", 0, rng.choice([0, 1, 31, 32]))
        return replace(question, action="transfer", agreement=agreement, subscription=standing)

    def _letters(self) -> str:
        return "".join(self._rng.choices("abcdefghijkmnpqrstuvwxyz23456789", k=12))


def _hours_around(hour: int) -> list[Hours]:
    """Give spans of hours that ``hour`` lies in: just this one, all day, and one across midnight."""
    across = [Hours(begin=hour, end=hour - 1)] if hour > 1 else []
    return [Hours(begin=hour, end=hour + 1), Hours(begin=0, end=24), *across]
