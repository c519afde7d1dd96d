"""Entries of transfers for tests: a subscription that numbers and chains its grants as the exchange does."""

from dataclasses import dataclass, field

from audit.keys.signing import SigningKey
from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from contracts.canonical import digest

PROVIDER = "p-providerxxxx"
CONSUMER = "p-consumerxxxx"
_KEY = SigningKey.from_seed(bytes([7]) * 32).public.text


@dataclass
class Subscription:
    """Writes the grants and closings of one subscription."""

    name: str = "s-abcdefghijkm"
    transfers: int = 0
    last: int | None = None
    open: dict[int, int] = field(default_factory=dict)

    def grant(self, unit: Unit) -> int:
        """Append the next grant."""
        self.transfers += 1
        index = unit.append(
            Entry(
                EntryKind.GRANT,
                unit.now,
                {
                    **self._transfer(self.transfers),
                    "prev": self._previous(unit),
                    "prov": PROVIDER,
                    "cons": CONSUMER,
                    "ckey": _KEY,
                    "dec": "c-abcdefghijkm",
                    "exp": 1_800_000_000_000,
                    **{
                        name: digest(name) for name in ("man", "agr", "rec", "obl", "pol", "dsc", "pur", "ev")
                    },
                },
            )
        )
        self.open[index] = self.transfers
        self.last = index
        return index

    def done(self, unit: Unit, grant: int, *, late: bool = False) -> int:
        """Append the closing of the grant at the place ``grant``."""
        fields = {name: digest(name) for name in ("cc", "pr", "cr")}
        entry = Entry(
            EntryKind.DONE, unit.now, {**self._closing(unit, grant), **fields, "len": 5, "late": late}
        )
        self.last = unit.append(entry)
        return self.last

    def expire(self, unit: Unit, grant: int) -> int:
        """Append the expiry of the grant at the place ``grant``."""
        self.last = unit.append(Entry(EntryKind.EXPIRE, unit.now, {**self._closing(unit, grant), "pr": None}))
        return self.last

    def _transfer(self, seq: int) -> dict[str, str | int]:
        return {
            "gid": "g-" + f"{seq:b}".replace("0", "a").replace("1", "b").rjust(12, "a"),
            "sub": self.name,
            "seq": seq,
        }

    def _closing(self, unit: Unit, grant: int) -> dict[str, str | int | None]:
        found = unit.located(grant)
        elsewhere = {} if found.origin == unit.origin else {"gsh": found.origin}
        return {
            **self._transfer(self.open[grant]),
            "gidx": found.index,
            "prev": self._previous(unit),
            **elsewhere,
        }

    def _previous(self, unit: Unit) -> str | None:
        return None if self.last is None else unit.leaf_hash(self.last)
