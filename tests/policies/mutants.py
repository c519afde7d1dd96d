"""Mutants of the shipped policy: one small change each, of the kinds that a slip of the pen makes.

Made from the text, which ``opa fmt`` has put into one form: a statement stands on a line of its own.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# How a comparison goes wrong: turned round, or off by one at its edge.
_TURNED = {
    "==": ("!=",),
    "!=": ("==",),
    "<": ("<=", ">"),
    "<=": ("<", ">"),
    ">": (">=", "<"),
    ">=": (">", "<"),
}
_COMPARISON = re.compile(r" (==|!=|<=|>=|<|>) ")
_ENTRY = re.compile(r'^\t"([a-z0-9-]+)": ', re.MULTILINE)
_ONE_ENTRY = re.compile(r'^clears := \{"([a-z0-9-]+)": ', re.MULTILINE)
_SIEVE = "clearance == []"
_MEMBERS = re.compile(r" in \{([^{}]+)\}")
_NUMBER = re.compile(r"(?<![\w.\[])([0-9]+)(?![\w.\]])")
_BODY = re.compile(r"^\w+(\([^)]*\))?( := [^\n]*)? if (\{\n.*?^\}|[^\n]*)\n", re.MULTILINE | re.DOTALL)
_ALTERNATIVE = re.compile(r"^\t\t\[(1 \|.*?)\],$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One file of the policy with one change; ``kind`` says of which sort."""

    kind: str
    path: str
    line: int
    was: str
    text: str

    def __str__(self) -> str:
        """Name the mutant in a report."""
        return f"{self.kind} {self.path}:{self.line} {self.was.strip()[:60]}"


def mutants_of(path: str, text: str) -> Iterator[Mutant]:
    """Make every mutant of one file."""
    for kind, start, end, new in _changes(text):
        yield Mutant(
            kind, path, text.count("\n", 0, start) + 1, text[start:end], text[:start] + new + text[end:]
        )


def _changes(text: str) -> Iterator[tuple[str, int, int, str]]:
    yield from _denials(text)
    for found in re.finditer(r"^default \w+ := (.+)$", text, re.MULTILINE):
        yield "default", found.start(1), found.end(1), _other(found[1])
    for found in _COMPARISON.finditer(text):
        if not _in_comment(text, found.start()):
            for sign in _TURNED[found[1]]:
                yield "comparison", found.start(1), found.end(1), sign
    yield from _smaller(text)


def _denials(text: str) -> Iterator[tuple[str, int, int, str]]:
    """Leave out one denial each: its table keeps the entry, and the sieve lets it fall."""
    table = text.find("\nclears")
    if table < 0:
        return
    at = text.index(_SIEVE)
    for pattern in (_ENTRY, _ONE_ENTRY):
        for found in pattern.finditer(text, table + 1):
            new = f'{_SIEVE}; code != "{found[1]}"'
            yield f"denial {found[1]}", at, at + len(_SIEVE), new


def _smaller(text: str) -> Iterator[tuple[str, int, int, str]]:
    """Leave out an alternative, a statement, a rule's body or a member of a set; change a number."""
    for found in _ALTERNATIVE.finditer(text):
        yield "alternative", found.start(1), found.end(1), ""
    for found in _BODY.finditer(text):
        yield "body", found.start(), found.end(), ""
    for found in re.finditer(r"^\t+(\S.*)$", text, re.MULTILINE):
        statement = found[1]
        if re.match(r"(is_\w+\(|count\(|input\.|hours\.|not |meant\(|concerns\(|who\.)", statement):
            yield "statement", found.start(), found.end() + 1, ""
    for found in _MEMBERS.finditer(text):
        members = found[1].split(", ")
        for member in members:
            left = ", ".join(item for item in members if item != member)
            yield "member", found.start(1), found.end(1), left or '"nothing"'
    for found in _NUMBER.finditer(text):
        if not _in_comment(text, found.start()) and found[1] not in {"0", "1"}:
            yield "number", found.start(1), found.end(1), str(int(found[1]) + 1)
    for old, new in (("min(", "max("), ("not ", ""), (" | masked", " & masked")):
        at = text.find(old)
        while at >= 0:
            if not _in_comment(text, at):
                yield "operator", at, at + len(old), new
            at = text.find(old, at + 1)


def _other(value: str) -> str:
    return {"false": "true", "true": "false", "0": "9999", "[]": "[1]"}.get(value, "set()")


def _line(text: str, at: int) -> str:
    return text[text.rfind("\n", 0, at) + 1 : text.find("\n", at)]


def _in_comment(text: str, at: int) -> bool:
    return _line(text, at).lstrip().startswith("#")
