"""Find what can be published in a folder: each file once, and for each file left out the reason."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import HeadwatersError
from contracts.messages import Text
from contracts.schema import Contract
from nodes.sources.layouts import PRSA
from nodes.sources.source import RecognisedFile, recognise


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is left out, and why."""

    path: Path
    code: str
    reason: Text


@dataclass(frozen=True, slots=True)
class Discovery:
    """The files of a folder in path order: those to read, and those left out."""

    files: tuple[RecognisedFile, ...]
    skipped: tuple[Skipped, ...]


def discover(folder: Path, contracts: Sequence[Contract] | None = None) -> Discovery:
    """Look through a folder and its subfolders without following links."""
    files: list[RecognisedFile] = []
    skipped: list[Skipped] = []
    seen: dict[str, Path] = {}
    for path in _paths(folder):
        found = _look(path, contracts)
        if isinstance(found, RecognisedFile):
            earlier = seen.setdefault(found.scan.content_sha256, path)
            found = found if earlier == path else _repeated(path, earlier)
        if isinstance(found, RecognisedFile):
            files.append(found)
        else:
            skipped.append(found)
    return _without_covered(files, skipped)


def _paths(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            yield Path(parent, name)


def _look(path: Path, contracts: Sequence[Contract] | None) -> RecognisedFile | Skipped:
    if path.is_symlink() or not path.is_file():
        return Skipped(path, "not-a-file", Text(zh="不是普通文件", en="not a regular file"))
    try:
        found = recognise(path, contracts)
    except HeadwatersError as error:
        reason = Text(
            zh=f"{error.title_zh};{error.next_zh}"[:200], en=f"{error.detail}; {error.next_en}"[:200]
        )
        return Skipped(path, error.code, reason)
    if found is not None:
        return found
    reason = Text(
        zh="列名不属于任何已知来源或契约", en="its columns are those of no known source and no contract"
    )
    return Skipped(path, "unknown-columns", reason)


def _repeated(path: Path, earlier: Path) -> Skipped:
    reason = Text(zh=f"内容与 {earlier.name} 相同"[:200], en=f"the same content as {earlier.name}"[:200])
    return Skipped(path, "repeated", reason)


def _without_covered(files: list[RecognisedFile], skipped: list[Skipped]) -> Discovery:
    """Take each station once: from files of their own, or else from the collection that holds it."""
    stations = [file for file in files if file.layout is PRSA and len(file.stations) == 1]
    collections = [file for file in files if file.layout is PRSA and len(file.stations) > 1]
    single = {file.stations[0] for file in stations}
    covered = [file for file in collections if single.issuperset(file.stations)]
    for file in covered:
        count = len(file.stations)
        reason = Text(
            zh=f"其 {count} 个站点已各有文件", en=f"each of its {count} stations has a file of its own here"
        )
        skipped.append(Skipped(file.path, "covered", reason))
    wider = {name: file.path.name for file in collections if file not in covered for name in file.stations}
    for file in (file for file in stations if file.stations[0] in wider):
        other = wider[file.stations[0]]
        reason = Text(zh=f"该站点已在 {other} 中"[:200], en=f"its station is in {other} as well"[:200])
        skipped.append(Skipped(file.path, "covered", reason))
        covered.append(file)
    kept = tuple(file for file in files if file not in covered)
    return Discovery(kept, tuple(sorted(skipped, key=lambda left: left.path)))
