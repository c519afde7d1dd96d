"""ODCS files as YAML text: written plainly, and read under limits with nothing but plain values.

Reading takes the core schema of YAML 1.2 (s10.3): null, true, false, numbers and text, so that ``NO`` and
``2026-11-22`` stay text. Anchors, aliases, tags, keys that are no text and keys that stand twice are refused;
so is a file beyond the limits of size and depth. JSON is YAML, and is read the same way.
"""

import math
import re
from typing import Any

import yaml  # type: ignore[import-untyped]  # ships no types

from contracts.canonical import Json
from contracts.odcs.faults import OdcsRefused

MAX_ODCS_BYTES = 1024 * 1024
MAX_ODCS_DEPTH = 48
MAX_ODCS_NODES = 100_000

_INT = re.compile(r"^[-+]?[0-9]+$", re.ASCII)
_FLOAT = re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", re.ASCII)
_BREAKS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_LITERALS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}


def write_yaml(value: Json) -> str:
    """Write a value as block YAML, keys in the order they have, Chinese as it is."""
    text: str = yaml.dump(value, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)
    return text


def read_yaml(raw: bytes) -> dict[str, Any]:  # Any: a document that is not judged yet
    """Read one YAML or JSON mapping; raise OdcsRefused."""
    if len(raw) > MAX_ODCS_BYTES:
        raise OdcsRefused(f"an ODCS file has at most {MAX_ODCS_BYTES} bytes")
    try:
        value = _build(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise OdcsRefused(f"the file is not UTF-8 at byte {error.start}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark is not None else ""
        raise OdcsRefused(f"the file is not YAML{place}") from error
    if not isinstance(value, dict):
        raise OdcsRefused("an ODCS file holds one mapping")
    return value


class _Plain(yaml.SafeDumper):  # type: ignore[misc]  # ships no types
    """Writes no anchors: readers here and elsewhere refuse them."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        """Write every value out in full."""
        return True


def _text_node(dumper: _Plain, text: str) -> yaml.ScalarNode:
    """Quote a text with signs that YAML takes for line ends, which the other styles would fold away."""
    style = '"' if _BREAKS.search(text) else None
    node: yaml.ScalarNode = dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
    return node


_Plain.add_representer(str, _text_node)


def _build(text: str) -> object:
    """Build the value from parser events with a stack of our own, so that nothing recurses or expands."""
    root: list[object] = []
    builder = _Builder(root)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for nodes, event in enumerate(yaml.parse(text, Loader=loader)):
        if nodes > MAX_ODCS_NODES:
            raise OdcsRefused(f"the file has more than {MAX_ODCS_NODES} parts")
        builder.take(event)
    if len(root) != 1:
        raise OdcsRefused("an ODCS file holds exactly one document")
    return root[0]


class _Builder:
    def __init__(self, root: list[object]) -> None:
        self._open: list[list[object] | dict[str, object]] = [root]
        self._keys: list[str | None] = [None]

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.AliasEvent():
                raise OdcsRefused(f"line {_line(event)}: aliases are not admitted")
            case yaml.ScalarEvent():
                self._check(event)
                self._scalar(event)
            case yaml.MappingStartEvent():
                self._check(event)
                self._start({}, event)
            case yaml.SequenceStartEvent():
                self._check(event)
                self._start([], event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._open.pop()
                self._keys.pop()
            case _:  # the start and end of the stream and of documents
                pass

    def _check(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor is not None or event.tag is not None:
            raise OdcsRefused(f"line {_line(event)}: anchors and tags are not admitted")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        place = self._open[-1]
        text: str = event.value
        if isinstance(place, dict) and self._keys[-1] is None:
            if text in place or (event.implicit[0] and not isinstance(_core(text), str)):
                raise OdcsRefused(f"line {_line(event)}: a key stands twice or is no text")
            self._keys[-1] = text
            return
        self._put(_core(text) if event.implicit[0] else text)

    def _start(self, made: "list[object] | dict[str, object]", event: yaml.Event) -> None:
        if isinstance(self._open[-1], dict) and self._keys[-1] is None:
            raise OdcsRefused(f"line {_line(event)}: a key is no text")
        if len(self._open) > MAX_ODCS_DEPTH:
            raise OdcsRefused(f"the file is nested deeper than {MAX_ODCS_DEPTH}")
        self._put(made)
        self._open.append(made)
        self._keys.append(None)

    def _put(self, value: object) -> None:
        place = self._open[-1]
        if isinstance(place, list):
            place.append(value)
            return
        key = self._keys[-1]
        if key is not None:
            place[key] = value
            self._keys[-1] = None


def _core(text: str) -> object:
    if text in _LITERALS:
        return _LITERALS[text]
    if _INT.fullmatch(text) and len(text) <= 20:
        return int(text)
    if _FLOAT.fullmatch(text) and len(text) <= 40 and math.isfinite(number := float(text)):
        return number
    return text


def _line(event: yaml.Event) -> int:
    line: int = event.start_mark.line
    return line + 1
