"""The regular expressions of a contract as trees: to draw texts from them, and to say them in other words.

Only patterns that ``contracts.pattern`` admits are read: anchored, ASCII, without look-around and negation.
"""

import random
from dataclasses import dataclass
from itertools import product

from contracts.pattern import pattern_fault

_UNBOUNDED_EXTRA = 8


@dataclass(frozen=True, slots=True)
class Piece:
    """Signs of ``chars``, or one of the ``options``, ``low`` to ``high`` times (None: no end)."""

    chars: str
    options: "tuple[tuple[Piece, ...], ...]"
    low: int
    high: int | None


Tree = tuple[tuple[Piece, ...], ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Signs of one class, from ``low`` to ``high`` of them."""

    chars: str
    low: int
    high: int | None


def parse(pattern: str) -> Tree:
    """Read an admitted pattern; raise ValueError for any other."""
    fault = pattern_fault(pattern)
    if fault is not None:
        raise ValueError(f"the pattern {fault}")
    reader = _Reader(pattern[1:-1])
    return reader.options()


def draw(tree: Tree, rng: random.Random) -> str:
    """Draw one text that the pattern admits."""
    made = ""
    for piece in rng.choice(tree):
        high = piece.low + _UNBOUNDED_EXTRA if piece.high is None else piece.high
        # a wide repeat is drawn from its short end, as names and codes are
        count = rng.randint(piece.low, min(high, piece.low + max(_UNBOUNDED_EXTRA, piece.low)))
        for _ in range(count):
            made += draw(piece.options, rng) if piece.options else rng.choice(piece.chars)
    return made


def lines(tree: Tree, limit: int) -> list[list[Run]] | None:
    """Write the pattern as at most ``limit`` sequences of runs, or give None."""
    made: list[list[Run]] = []
    for option in tree:
        parts = [_expanded(piece, limit) for piece in option]
        if any(part is None for part in parts):
            return None
        for chosen in product(*(part for part in parts if part is not None)):
            made.append(_joined([run for part in chosen for run in part]))
            if len(made) > limit:
                return None
    return made


def repeats(tree: Tree) -> int:
    """Count how often the innermost piece is written out: repeats in repeats multiply."""
    pieces = [piece for option in tree for piece in option]
    return max((max(piece.high or piece.low, 1) * repeats(piece.options) for piece in pieces), default=1)


def _expanded(piece: Piece, limit: int) -> list[list[Run]] | None:
    if not piece.options:
        return [[Run(piece.chars, piece.low, piece.high)]]
    inner = lines(piece.options, limit)
    if inner is None or piece.high is None or len(inner) ** max(piece.high, 1) > limit:
        return None
    return [
        [run for part in chosen for run in part]
        for count in range(piece.low, piece.high + 1)
        for chosen in product(inner, repeat=count)
    ]


def _joined(runs: list[Run]) -> list[Run]:
    """Join neighbours of one class, so that ``[0-9][0-9]?`` is one run."""
    made: list[Run] = []
    for run in runs:
        if made and set(made[-1].chars) == set(run.chars):
            last = made.pop()
            high = None if last.high is None or run.high is None else last.high + run.high
            made.append(Run(run.chars, last.low + run.low, high))
        elif run.high != 0:
            made.append(run)
    return made


class _Reader:
    def __init__(self, body: str) -> None:
        self._body = body
        self._at = 0

    def options(self) -> Tree:
        made: list[tuple[Piece, ...]] = []
        current: list[Piece] = []
        while self._at < len(self._body) and self._body[self._at] != ")":
            if self._body[self._at] == "|":
                self._at += 1
                made.append(tuple(current))
                current = []
            else:
                current.append(self._piece())
        return (*made, tuple(current))

    def _piece(self) -> Piece:
        chars = ""
        options: Tree = ()
        match self._take():
            case "(":
                if self._body.startswith("?:", self._at):
                    self._at += 2
                options = self.options()
                self._at += 1
            case "[":
                chars = self._class()
            case "\\":
                chars = self._take()
            case sign:
                chars = sign
        low, high = self._repeat()
        return Piece(chars, options, low, high)

    def _take(self) -> str:
        sign = self._body[self._at]
        self._at += 1
        return sign

    def _class(self) -> str:
        signs: list[tuple[str, bool]] = []
        while (sign := self._take()) != "]":
            signs.append((self._take(), True) if sign == "\\" else (sign, False))
        made: dict[str, None] = {}
        at = 0
        while at < len(signs):
            low = high = signs[at][0]
            if at + 2 < len(signs) and signs[at + 1] == ("-", False):
                high = signs[at + 2][0]
                at += 2
            made |= dict.fromkeys(map(chr, range(ord(low), ord(high) + 1)))
            at += 1
        return "".join(made)

    def _repeat(self) -> tuple[int, int | None]:
        match self._body[self._at : self._at + 1]:
            case "*":
                self._at += 1
                return 0, None
            case "+":
                self._at += 1
                return 1, None
            case "?":
                self._at += 1
                return 0, 1
            case "{":
                end = self._body.index("}", self._at)
                low, comma, high = self._body[self._at + 1 : end].partition(",")
                self._at = end + 1
                return int(low), (int(high) if high else None) if comma else int(low)
            case _:
                return 1, 1
