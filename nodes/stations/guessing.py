"""Passwords of stations are short: whoever guesses at one is not told for a while whether a guess was right.

HJ 212 admits six letters or digits, and many stations have six digits. Wrong ones are counted for each
address and station; beyond a few, nothing from that address is taken for that station until the span is over,
not even the right password. The station is heard from any other address meanwhile.
"""

from dataclasses import dataclass, field

MAX_WRONG = 20
SPAN_SECONDS = 600.0
MAX_KEPT = 20_000

_Key = tuple[str, str]


@dataclass(slots=True)
class Guesses:
    """Wrong passwords by address and MN; ``now`` is any clock in seconds that only grows."""

    _wrong: dict[_Key, tuple[float, int]] = field(default_factory=dict)

    def note_wrong(self, address: str, mn: str, now: float) -> None:
        """Count one wrong password for a station that is registered."""
        since, count = self._wrong.get((address, mn), (now, 0))
        if now - since >= SPAN_SECONDS:
            since, count = now, 0
        # The oldest begun is forgotten first, and only so many are kept: nobody fills the memory.
        self._wrong.pop((address, mn), None)
        self._wrong[address, mn] = (since, count + 1)
        while len(self._wrong) > MAX_KEPT:
            del self._wrong[next(iter(self._wrong))]

    def is_guessing(self, address: str, mn: str, now: float) -> bool:
        """Say whether an address has guessed too often at a station's password."""
        if not self._wrong:
            return False
        since, count = self._wrong.get((address, mn), (now, 0))
        return count > MAX_WRONG and now - since < SPAN_SECONDS
