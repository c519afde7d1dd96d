"""Find a text that fits lengths, patterns and formats at once, or prove that there is none.

Patterns are automata (``regular``) walked side by side, those that must not fit beside those that must. A
format is enclosed between two patterns: each text of ``inside`` has the format, each text that has it is in
``around``; RFC 3339 s5.6 leaves only leap seconds between the two, and RFC 9562 s4 nothing.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from contracts.compatibility.outcome import NOTHING, UNKNOWN, Found, Outcome, Steps
from contracts.compatibility.regular import Automaton, TooLargePattern, automaton, one_of

MAX_LENGTH = 4000
OTHER = "源"  # stands for every letter that no pattern of the question names

_YEAR_DAYS = (
    r"(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
)
_MINUTES = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_OFFSET = rf"(?:\.[0-9]+)?(?:[Zz]|[+\-]{_MINUTES})$"
_DATE = f"^{_YEAR_DAYS}$"
_UUID = r"^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"
INSIDE = {"date": _DATE, "uuid": _UUID, "date-time": f"^{_YEAR_DAYS}[Tt]{_MINUTES}:[0-5][0-9]{_OFFSET}"}
AROUND = {
    "date": _DATE,
    "uuid": _UUID,
    "date-time": f"^{_YEAR_DAYS}[Tt]{_MINUTES}:(?:[0-5][0-9]|60){_OFFSET}",
}
# Dates that people meet and every date library reads; looked for first.
_PLAIN_DATE = r"20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
_PLAIN = {"date": f"^{_PLAIN_DATE}$", "uuid": _UUID, "date-time": f"^{_PLAIN_DATE}T{_MINUTES}:[0-5][0-9]Z$"}


@dataclass(frozen=True, slots=True)
class TextDemand:
    """What a text must be: its length in letters, what it must fit, what it must not, what it is not."""

    least: int = 0
    most: int | None = None
    patterns: frozenset[str] = frozenset()
    not_patterns: frozenset[str] = frozenset()
    formats: frozenset[str] = frozenset()
    not_formats: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()


def find_text(demand: TextDemand, steps: Steps) -> Outcome:
    """Find a text that meets a demand; raise GivesUp."""
    if demand.most is not None and demand.most < demand.least:
        return NOTHING
    if not (demand.formats | demand.not_formats) <= INSIDE.keys():
        return _find_without_strange_formats(demand, steps)
    try:
        wide = _walk(demand, AROUND, INSIDE, steps)
        if not isinstance(wide, Found) or not (demand.formats | demand.not_formats):
            return wide
        narrow = (_walk(demand, fitting, AROUND, steps) for fitting in (_PLAIN, INSIDE))
        return next((outcome for outcome in narrow if isinstance(outcome, Found)), UNKNOWN)
    except TooLargePattern:
        return UNKNOWN


def _find_without_strange_formats(demand: TextDemand, steps: Steps) -> Outcome:
    """Leave out formats that nothing is known of: where nothing fits the rest, nothing fits the whole."""
    known = frozenset(INSIDE)
    rest = replace(demand, formats=demand.formats & known, not_formats=demand.not_formats & known)
    return NOTHING if find_text(rest, steps) == NOTHING else UNKNOWN


def _walk(demand: TextDemand, fitting: dict[str, str], unfitting: dict[str, str], steps: Steps) -> Outcome:
    """Walk all automata side by side, breadth first, so that the shortest text is found."""
    wanted = [automaton(p) for p in sorted(demand.patterns | {fitting[f] for f in demand.formats})]
    unwanted = [
        automaton(p) for p in sorted(demand.not_patterns | {unfitting[f] for f in demand.not_formats})
    ]
    if demand.least > MAX_LENGTH:
        return UNKNOWN
    found = _breadth_first(_Product(wanted, unwanted), demand.least, demand.most, steps)
    if not isinstance(found, Found) or found.value not in demand.excluded:
        return found
    unwanted.append(one_of(frozenset(text for text in demand.excluded if len(text) >= demand.least)))
    return _breadth_first(_Product(wanted, unwanted), demand.least, demand.most, steps)


State: TypeAlias = tuple[frozenset[int], ...]
_Place: TypeAlias = tuple[State, int]
_Path: TypeAlias = dict[_Place, tuple[_Place, str] | None]


class _Product:
    """Several automata read the same text; those after the first ``wanted`` ones must refuse it."""

    def __init__(self, wanted: Sequence[Automaton], unwanted: Sequence[Automaton]) -> None:
        self._all = [*wanted, *unwanted]
        self._wanted = len(wanted)
        self.letters = _representatives(self._all)

    def start(self) -> State:
        return tuple(each.start() for each in self._all)

    def step(self, state: State, letter: str) -> State | None:
        after = tuple(each.step(part, letter) for each, part in zip(self._all, state, strict=True))
        return after if all(after[: self._wanted]) else None

    def accepts(self, state: State) -> bool:
        verdicts = [each.accepts(part) for each, part in zip(self._all, state, strict=True)]
        return all(verdicts[: self._wanted]) and not any(verdicts[self._wanted :])


def _breadth_first(product: _Product, least: int, most: int | None, steps: Steps) -> Outcome:
    """Find the shortest text of at least ``least`` letters; deeper than that, depth tells no states apart."""
    start = (product.start(), 0)
    came: _Path = {start: None}
    waiting = deque([start])
    while waiting:
        state, depth = place = waiting.popleft()
        if depth >= least and product.accepts(state):
            text = "".join(reversed(list(_back(came, place))))
            return Found(text) if most is None or len(text) <= most else NOTHING
        for letter in product.letters:
            steps.take(1 + sum(map(len, state)) // 8)
            after = product.step(state, letter)
            following = None if after is None else (after, min(depth + 1, least))
            if following is not None and following not in came:
                came[following] = (place, letter)
                waiting.append(following)
    return NOTHING


def _back(came: _Path, place: _Place) -> Iterator[str]:
    before = came[place]
    while before is not None:
        yield before[1]
        before = came[before[0]]


def _representatives(automata: Iterable[Automaton]) -> list[str]:
    """Choose one letter of each kind that no automaton tells apart, plain ones before odd ones."""
    classes = list({letters for each in automata for letters in each.letters})
    named = sorted(frozenset[str]().union(*classes), key=lambda sign: (not sign.isalnum(), sign))
    chosen: dict[tuple[bool, ...], str] = {}
    for letter in [*named, OTHER]:
        chosen.setdefault(tuple(letter in letters for letters in classes), letter)
    return list(chosen.values())
