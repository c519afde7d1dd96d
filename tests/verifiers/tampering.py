"""Changes to an exported log that mean something else than the log said, part by part.

Every change here alters a decoded value: a signed byte, a signature, a hash, an entry, a place. Whether
another *spelling* of the same values is refused is asked of our own readers only (``test_byte_flips``): the
strictness of others is theirs.
"""

import base64
import copy as copying
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.verifiers.emitted import live_files, put

_NAME = "another name"


@dataclass(frozen=True)
class Tampering:
    """One changed file of an export; without ``content`` the file is gone."""

    part: str
    what: str
    path: str
    content: bytes | None

    def apply(self, home: Path) -> None:
        """Change the file in ``home``, a copy whose files are shared."""
        if self.content is None:
            (home / self.path).unlink()
        else:
            put(home / self.path, self.content)


def seeded(name: str) -> Random:
    """Give the same random choices in every run."""
    return Random(name)  # noqa: S311 - places to damage, no secrets


def flip(raw: bytes, at: int, random: Random) -> bytes:
    """Change one byte to any other."""
    return raw[:at] + bytes([raw[at] ^ random.randrange(1, 256)]) + raw[at + 1 :]


def tamperings(home: Path, size: int, random: Random, flips: int) -> Iterator[Tampering]:
    """Give changes to every part of an export, with ``flips`` of them at random places in each file."""
    yield from _checkpoint((home / "checkpoint").read_bytes(), random, flips)
    yield from _claims((home / "proofs.json").read_bytes(), random)
    yield from _keys((home / "vkeys").read_text())
    for path in live_files(size):
        yield from binary(path, (home / path).read_bytes(), random, flips)


def binary(path: str, raw: bytes, random: Random, flips: int) -> Iterator[Tampering]:
    """Change a tile or bundle: flipped bytes, one byte less at either end, nothing, no file."""
    part = "bundles" if path.startswith("tile/entries") else "tiles"
    for at in {0, len(raw) - 1, *(random.randrange(len(raw)) for _ in range(flips))}:
        yield Tampering(part, f"byte {at} of {path}", path, flip(raw, at, random))
    for what, content in {"cut at its end": raw[:-1], "cut at its start": raw[1:], "empty": b""}.items():
        yield Tampering(part, f"{path} {what}", path, content)
    yield Tampering(part, f"{path} is gone", path, None)


def _checkpoint(raw: bytes, random: Random, flips: int) -> Iterator[Tampering]:
    """Change the signed text, the log's line or a cosignature."""
    text, _, below = raw.partition(b"\n\n")
    lines = below.decode().splitlines()
    for at in {0, len(text) - 1, *(random.randrange(len(text)) for _ in range(flips))}:
        changed = flip(text, at, random)
        yield Tampering("checkpoint", f"byte {at} of its text", "checkpoint", changed + raw[len(text) :])
    for place, line in enumerate(lines):
        for what, other in _signature_lines(line, random, flips):
            part = "cosignatures" if place else "log's name" if what == _NAME else "checkpoint"
            changed_lines = [*lines[:place], *other, *lines[place + 1 :]]
            content = b"\n\n".join([text, "".join(f"{one}\n" for one in changed_lines).encode()])
            yield Tampering(part, f"line {place}: {what}", "checkpoint", content)


def _signature_lines(line: str, random: Random, flips: int) -> Iterator[tuple[str, list[str]]]:
    dash, name, text = line.split(" ")
    raw = base64.b64decode(text)
    for at in {0, 3, 4, len(raw) - 1, *(random.randrange(len(raw)) for _ in range(flips))}:
        changed = base64.b64encode(flip(raw, at, random)).decode()
        yield f"byte {at} of key id and signature", [f"{dash} {name} {changed}"]
    for at in range(len(name)):
        yield _NAME, [f"{dash} {name[:at]}{'x' if name[at] != 'x' else 'y'}{name[at + 1 :]} {text}"]
    yield "a signature cut short", [f"{dash} {name} {base64.b64encode(raw[:-1]).decode()}"]
    yield "no signature", []


def _claims(raw: bytes, random: Random) -> Iterator[Tampering]:
    """Change what is claimed of an entry's place or of an earlier root."""
    for section in ("Inclusion", "Consistency"):
        for place, claim in enumerate(json.loads(raw)[section]):
            for what, change in _claim_changes(claim, random):
                claims: dict[str, Any] = json.loads(raw)  # JSON as the judges read it
                changed = claims[section][place]
                before = copying.deepcopy(changed)
                change(changed)
                if changed != before:
                    part = "proof files" if what.startswith("file") else section.lower()
                    yield Tampering(
                        part, f"{section} {place}: {what}", "proofs.json", json.dumps(claims).encode()
                    )


def _claim_changes(
    claim: dict[str, Any], random: Random
) -> Iterator[tuple[str, Callable[[dict[str, Any]], None]]]:
    # An earlier size of the same root and path would be another claim that is true of no log.
    number = "Index" if "Index" in claim else "Old"
    yield f"{number} one more", lambda one: one.update({number: one[number] + 1})
    yield f"{number} far outside", lambda one: one.update({number: 2**40})
    for name in {"Leaf", "Root"} & claim.keys():
        yield f"{name} changed", lambda one, name=name: one.update({name: _flip_text(one[name], random)})  # type: ignore[misc]  # its default binds the loop's name
    yield "path longer", lambda one: one["Path"].append(base64.b64encode(bytes(32)).decode())
    if claim["Path"]:
        at = random.randrange(len(claim["Path"]))
        yield "path shorter", lambda one: one["Path"].pop()
        yield "path changed", lambda one: one["Path"].__setitem__(at, _flip_text(one["Path"][at], random))
        yield "path turned round", lambda one: one["Path"].reverse()
    if "File" in claim:
        yield "file changed", lambda one: one.update({"File": _flip_ascii(one["File"], random)})
        yield "file cut", lambda one: one.update({"File": one["File"][:-1]})


def _flip_text(text: str, random: Random) -> str:
    raw = base64.b64decode(text)
    return base64.b64encode(flip(raw, random.randrange(len(raw)), random)).decode()


def _flip_ascii(text: str, random: Random) -> str:
    at = random.randrange(len(text))
    others = [letter for letter in "0aZ+/ \n" if letter != text[at]]
    return text[:at] + random.choice(others) + text[at + 1 :]


def _keys(text: str) -> Iterator[Tampering]:
    """Leave a key out, so that one signature is a stranger's."""
    for place, _ in enumerate(lines := text.splitlines()):
        rest = [*lines[:place], *lines[place + 1 :]]
        yield Tampering(
            "vkeys", f"key {place} is unknown", "vkeys", "".join(f"{one}\n" for one in rest).encode()
        )
