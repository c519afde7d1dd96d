"""Second lines: the exchange's own signatures under its published checkpoints in other suites.

They protect the history of the log against the day when Ed25519 no longer does (ML-DSA-44), and give it a
signature that domestic rules know (SM2). Each suite named in the settings has a key in the home's ``keys/``,
made on first use. A second line is signed only under a checkpoint that is about to be published, so it costs
nothing per entry.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from audit.formats.note import SecondLine
from audit.keys.second_keys import line_name
from audit.keys.signing import KeyFileMissing
from audit.keys.suites import Suite, SuiteKey, create_suite_key, load_suite_key


class SecondLines:
    """The keys of the second suites; none where the settings name none."""

    def __init__(self, keys: Mapping[Suite, SuiteKey]) -> None:
        self._keys = keys

    def __len__(self) -> int:
        return len(self._keys)

    def key(self, suite: Suite) -> SuiteKey:
        """Give the key of a suite that the settings name."""
        return self._keys[suite]

    def vkeys(self, origin: str) -> list[str]:
        """Give the keys under which verifiers know the lines of the log ``origin``."""
        return [str(line.verifier_key) for line in self._lines(origin)]

    def sign(self, origin: str, text: str, at: datetime) -> list[str]:
        """Give one line a suite over a checkpoint's text."""
        return [line.sign(text, at) for line in self._lines(origin)]

    def _lines(self, origin: str) -> list[SecondLine]:
        return [SecondLine(line_name(origin, suite), key) for suite, key in self._keys.items()]


def open_second_lines(folder: Path, suites: tuple[Suite, ...]) -> SecondLines:
    """Read each suite's key in ``folder``, or make it; raise SuiteMissing, KeyFileExposed, KeyUnreadable."""
    return SecondLines({suite: _key(folder / f"log-{suite}.key", suite) for suite in suites})


def is_own_line(name: str, origin: str) -> bool:
    """Say whether a line's name is the log's own, or that of one of its second lines: no witness's."""
    return name in {origin, *(line_name(origin, suite) for suite in Suite)}


def _key(path: Path, suite: Suite) -> SuiteKey:
    try:
        return load_suite_key(path, suite)
    except KeyFileMissing:
        return create_suite_key(path, suite)
