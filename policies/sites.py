"""Where a policy says what: its rules by name, and the places that write a reason or an obligation.

Read from the syntax tree that regorus gives, so it holds for any bundle inside the profile. A rule's full
name is ``data.headwaters.access.clears``; several rules of one name are several sites. A word (a reason's
code, an obligation's kind) is written as the key of a table's entry, as ``"code": word`` or ``"kind": word``
in an object, or in a set.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from policies.profile.syntax import Module, dotted, read_modules

_NAMED_BY: Final = frozenset({"code", "kind"})
_COMPREHENSIONS: Final = ("ArrayCompr", "SetCompr", "ObjectCompr")

# A node of the tree: JSON of no fixed shape, written by the engine and walked by the profile's check before.
Node = Any


@dataclass(frozen=True, slots=True)
class Site:
    """One rule: where it stands, the rules that it reads by full names, and its paths below ``input``."""

    name: str
    file: str
    line: int
    text: str
    is_default: bool
    is_function: bool
    reads: tuple[str, ...]
    facts: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a word is written, in which rule, and what its being written rests on."""

    word: str
    rule: str
    file: str
    line: int
    text: str
    reads: tuple[str, ...]
    facts: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Sites:
    """All rules and marks of a bundle, in the order of its files."""

    rules: tuple[Site, ...]
    marks: tuple[Mark, ...]

    def of(self, name: str) -> list[Site]:
        """Give the rules of one full name that are no default."""
        return [site for site in self.rules if site.name == name and not site.is_default]

    def marked(self, word: str) -> list[Mark]:
        """Give the places that write a word; inside a function, with what its callers read."""
        return [self._with_callers(mark) for mark in self.marks if mark.word == word]

    def _with_callers(self, mark: Mark) -> Mark:
        if not any(site.is_function for site in self.of(mark.rule)):
            return mark
        callers = [site for site in self.rules if mark.rule in site.reads]
        reads = [name for site in callers for name in site.reads if name != mark.rule]
        facts = [path for site in callers for path in site.facts]
        return replace(
            mark,
            reads=tuple(dict.fromkeys([*mark.reads, *reads])),
            facts=tuple(dict.fromkeys([*mark.facts, *facts])),
        )


def read_sites(ast_json: str) -> Sites:
    """Read the rules from regorus' syntax tree; raise OutsideProfile for one of another shape."""
    modules = [_Walk(module) for module in read_modules(ast_json)]
    return Sites(
        tuple(site for module in modules for site in module.sites()),
        tuple(mark for module in modules for mark in module.marks()),
    )


class _Walk:
    """Walks one parsed file."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._names = {rule.name for rule in module.rules}

    def sites(self) -> Iterator[Site]:
        for rule in self._module.rules:
            line, text = self._written(*_ends(rule.tree))
            reads, facts = self._rests_on(rule.tree, own=rule.name)
            yield Site(
                name=f"data.{rule.full_name}",
                file=self._module.file,
                line=line,
                text=text,
                is_default=rule.is_default,
                is_function=rule.is_function,
                reads=reads,
                facts=facts,
            )

    def marks(self) -> Iterator[Mark]:
        for rule in self._module.rules:
            name, whole = f"data.{rule.full_name}", _ends(rule.tree)
            for word, stretch, rests_on in _rule_marks(rule.tree, whole):
                line, text = self._written(*(stretch or whole))
                reads, facts = self._rests_on(rests_on, own=None)
                if rests_on is None:  # a default stands where the rule's other forms do not
                    reads = (name,)
                yield Mark(word, name, self._module.file, line, text, reads, facts)

    def _rests_on(
        self, node: Node, *, own: str | None
    ) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        paths = list(dict.fromkeys(_paths(node)))
        reads = (self._rule(path) for path in paths if path[0] != own)
        facts = (path[1:] for path in paths if path[0] == "input" and len(path) > 1)
        return tuple(dict.fromkeys(name for name in reads if name)), tuple(facts)

    def _rule(self, path: tuple[str, ...]) -> str:
        imported = path[0] in self._module.imports and len(path) > 1
        if not imported and path[0] not in self._names:
            return ""
        return "data." + self._module.resolve(".".join(path[: 2 if imported else 1]))

    def _written(self, start: int, end: int) -> tuple[int, str]:
        """Give the line on which a stretch of the file begins, and the whole lines that it covers."""
        first = self._module.text.rfind(b"\n", 0, start) + 1
        last = self._module.text.find(b"\n", end)
        text = self._module.text[first : last if last >= 0 else len(self._module.text)].decode()
        return self._module.text.count(b"\n", 0, start) + 1, text.strip().rstrip(",")


Ends = tuple[int, int]
# A word, its stretch of the file or None for its whole rule, and the part of the tree that it rests on.
Marked = tuple[str, Ends | None, Node]


def _rule_marks(rule: Node, whole: Ends) -> Iterator[Marked]:
    """Walk the words of a rule: what the head writes rests on the bodies, what a body writes on its rest."""
    if "Default" in rule:
        yield from _marks(rule, whole, None)
        return
    bodies = rule["Spec"]["bodies"]
    yield from _marks(rule["Spec"]["head"], whole, bodies)
    for body in bodies:
        yield from _in_query(body["query"]["stmts"], whole, [])


def _marks(node: Node, rule: Ends | None, rests_on: Node) -> Iterator[Marked]:
    """Walk the words of a part; ``rule`` is the whole rule's stretch, None inside a comprehension."""
    if isinstance(node, list):
        for item in node:
            yield from _marks(item, rule, rests_on)
        return
    if not isinstance(node, dict):
        return
    for kind, part in node.items():
        if kind == "Membership":
            continue  # a set that something is looked for in writes nothing
        if kind == "Object":
            yield from _entries(part, rule, rests_on)
        if kind == "Set":
            yield from ((text, rule, rests_on) for item in part.get("items", ()) if (text := _text(item)))
        if kind in _COMPREHENSIONS:
            statements = part["query"]["stmts"]
            made = {name: one for name, one in part.items() if name != "query"}
            yield from _marks(made, None, [rests_on, statements])
            yield from _in_query(statements, None, [rests_on])
        else:
            yield from _marks(part, rule, rests_on)


def _in_query(statements: list[Node], rule: Ends | None, rests_on: list[Node]) -> Iterator[Marked]:
    for statement in statements:
        others = [one for one in statements if one is not statement]
        yield from _marks(statement, rule, [*rests_on, others])


def _entries(table: Node, rule: Ends | None, rests_on: Node) -> Iterator[Marked]:
    for _span, key, value in table["fields"]:
        name, said = _text(key), _text(value)
        if name in _NAMED_BY and said:
            yield said, rule or (key["String"]["span"]["start"], _end(table["fields"][-1][2])), rests_on
        elif name and "Object" not in value:
            yield name, (key["String"]["span"]["start"], _end(value)), value


def _text(node: Node) -> str:
    return str(node["String"]["value"]) if "String" in node else ""


def _end(node: Node) -> int:
    span: Mapping[str, int] = next(iter(node.values()))["span"]
    return span["end"]


def _ends(rule: Node) -> Ends:
    span = next(iter(rule.values()))["span"]
    return span["start"], span["end"]


def _paths(node: Node) -> Iterator[tuple[str, ...]]:
    """Walk all references that are plain dotted names, the longest of each only."""
    if isinstance(node, list):
        for item in node:
            yield from _paths(item)
    elif isinstance(node, dict):
        path = _path(node)
        if path:
            yield path
            return
        for item in node.values():
            yield from _paths(item)


def _path(node: Node) -> tuple[str, ...]:
    """Write a reference such as ``input.dataset.fields`` as its parts; empty for anything else."""
    name = dotted(node)
    return tuple(name.split(".")) if name else ()
