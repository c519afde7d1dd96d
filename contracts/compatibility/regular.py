"""A pattern of the contract dialect as a finite automaton, so that questions about its texts have answers.

The subset of ``contracts.pattern`` is regular: classes, groups, alternatives and counted repeats, anchored at
both ends. The automaton has no empty moves (Glushkov's construction); its size is bounded, as a repeat of
repeats would outgrow any memory.
"""

from dataclasses import dataclass
from functools import lru_cache

from contracts.pattern import pattern_fault

MAX_PIECES = 20_000
MAX_LINKS = 200_000
MAX_GROUPS = 40

Letters = frozenset[str]


class TooLargePattern(Exception):  # never leaves this package
    """The pattern is outside the subset, or its automaton would be too large."""


@dataclass(frozen=True, slots=True)
class Automaton:
    """Positions of a pattern, each with its letters; a text walks from ``first`` over ``follow`` to ``last``.

    Position -1 is the start; ``empty`` says that the empty text is admitted.
    """

    letters: tuple[Letters, ...]
    first: frozenset[int]
    last: frozenset[int]
    follow: tuple[frozenset[int], ...]
    empty: bool

    def start(self) -> frozenset[int]:
        """Give the state before any letter."""
        return frozenset({-1})

    def step(self, state: frozenset[int], letter: str) -> frozenset[int]:
        """Give the state after one more letter; the empty state is a dead end."""
        reached: set[int] = set()
        for position in state:
            reached |= self.first if position < 0 else self.follow[position]
        return frozenset(position for position in reached if letter in self.letters[position])

    def accepts(self, state: frozenset[int]) -> bool:
        """Tell whether a text may end here."""
        return bool(state & self.last) or (self.empty and -1 in state)


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of a pattern: which positions may open and close it, and whether it may be nothing."""

    first: frozenset[int]
    last: frozenset[int]
    empty: bool


_NOTHING_WRITTEN = _Part(frozenset(), frozenset(), empty=True)


@lru_cache(maxsize=256)
def automaton(pattern: str) -> Automaton:
    """Read an anchored pattern; raise TooLargePattern for one outside the subset or of too many positions."""
    if pattern_fault(pattern) is not None:
        raise TooLargePattern(pattern)
    return _Builder(pattern[1:-1]).build()


def one_of(texts: frozenset[str]) -> Automaton:
    """Give the automaton of a finite list of texts; raise TooLargePattern."""
    builder = _Builder("")
    parts = [builder.sequence([builder.letter(frozenset({sign})) for sign in text]) for text in sorted(texts)]
    return builder.finish(builder.either(parts))


class _Builder:
    """Reads the body of a pattern once; a repeat reads its piece again for each copy."""

    def __init__(self, body: str) -> None:
        self._body = body
        self._letters: list[Letters] = []
        self._follow: list[set[int]] = []
        self._pieces = 0
        self._links = 0
        self._groups = 0

    def build(self) -> Automaton:
        part, end = self._alternatives(0)
        if end != len(self._body):
            raise TooLargePattern(self._body)
        return self.finish(part)

    def finish(self, part: _Part) -> Automaton:
        follow = tuple(map(frozenset, self._follow))
        return Automaton(tuple(self._letters), part.first, part.last, follow, part.empty)

    def letter(self, letters: Letters) -> _Part:
        self._letters.append(letters)
        self._follow.append(set())
        position = frozenset({len(self._letters) - 1})
        return _Part(position, position, empty=False)

    def sequence(self, parts: list[_Part]) -> _Part:
        whole = _NOTHING_WRITTEN
        for part in parts:
            self._link(whole.last, part.first)
            whole = _Part(
                whole.first | part.first if whole.empty else whole.first,
                whole.last | part.last if part.empty else part.last,
                empty=whole.empty and part.empty,
            )
        return whole

    def either(self, parts: list[_Part]) -> _Part:
        first = frozenset[int]().union(*(part.first for part in parts))
        last = frozenset[int]().union(*(part.last for part in parts))
        return _Part(first, last, empty=any(part.empty for part in parts))

    def _link(self, before: frozenset[int], after: frozenset[int]) -> None:
        self._links += len(before) * len(after)
        if self._links > MAX_LINKS:
            raise TooLargePattern(self._body)
        for position in before:
            self._follow[position] |= after

    def _alternatives(self, at: int) -> tuple[_Part, int]:
        branches = []
        while True:
            part, at = self._concatenation(at)
            branches.append(part)
            if self._body[at : at + 1] != "|":
                return self.either(branches), at
            at += 1

    def _concatenation(self, at: int) -> tuple[_Part, int]:
        parts = []
        while at < len(self._body) and self._body[at] not in "|)":
            part, at = self._repeated(at)
            parts.append(part)
        return self.sequence(parts), at

    def _repeated(self, at: int) -> tuple[_Part, int]:
        part, end = self._piece(at)
        sign = self._body[end : end + 1]
        if sign == "*":
            return self._loop(part, least=0), end + 1
        if sign == "+":
            return self._loop(part, least=1), end + 1
        if sign == "?":
            return _Part(part.first, part.last, empty=True), end + 1
        if sign != "{":
            return part, end
        close = self._body.index("}", end)
        bounds = self._body[end + 1 : close].split(",")
        least = int(bounds[0])
        most = None if bounds[-1] == "" else int(bounds[-1])
        return self._counted(part, at, least, most), close + 1

    def _loop(self, part: _Part, *, least: int) -> _Part:
        self._link(part.last, part.first)
        return _Part(part.first, part.last, empty=part.empty or least == 0)

    def _counted(self, part: _Part, at: int, least: int, most: int | None) -> _Part:
        if most == 0 or (most is not None and most < least):
            return _NOTHING_WRITTEN if most == 0 and least == 0 else self._refuse()
        copies = [part] + [self._piece(at)[0] for _ in range(max(least, most or 0, 1) - 1)]
        if most is None:
            copies[-1] = self._loop(copies[-1], least=least)
        optional = [
            _Part(copy.first, copy.last, empty=copy.empty or number >= least)
            for number, copy in enumerate(copies)
        ]
        return self.sequence(optional)

    def _refuse(self) -> _Part:
        raise TooLargePattern(self._body)

    def _piece(self, at: int) -> tuple[_Part, int]:
        sign = self._body[at]
        self._pieces += 1
        if self._pieces > MAX_PIECES or self._groups > MAX_GROUPS:
            raise TooLargePattern(self._body)
        if sign == "(":
            self._groups += 1
            part, end = self._alternatives(at + 3 if self._body.startswith("(?:", at) else at + 1)
            self._groups -= 1
            return part, end + 1
        if sign == "[":
            letters, end = _class(self._body, at + 1)
            return self.letter(letters), end
        if sign == "\\":
            return self.letter(frozenset({self._body[at + 1]})), at + 2
        return self.letter(frozenset({sign})), at + 1


def _class(body: str, at: int) -> tuple[Letters, int]:
    """Read a class up to its closing bracket: single letters, escapes and ranges."""
    signs: list[tuple[str, bool]] = []
    while body[at] != "]":
        escaped = body[at] == "\\"
        signs.append((body[at + escaped], escaped))
        at += 1 + escaped
    letters: set[str] = set()
    number = 0
    while number < len(signs):
        low = signs[number][0]
        ranged = number + 2 < len(signs) and signs[number + 1] == ("-", False)
        high = signs[number + 2][0] if ranged else low
        if high < low:
            raise TooLargePattern(body)
        letters |= {chr(code) for code in range(ord(low), ord(high) + 1)}
        number += 3 if ranged else 1
    return frozenset(letters), at + 1
