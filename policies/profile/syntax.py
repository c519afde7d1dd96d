"""Policies as regorus parsed them: modules, their rules, and the names that these speak of.

A syntax tree is plain JSON of no fixed shape (``Engine.get_ast_as_json``). What reads it stands here, so that
the profile can speak of rules, names and calls. A tree of another shape is refused, never guessed at.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policies.profile.limits import OutsideProfile

Node = dict[str, object]
# The kinds of a rule's head; a set literal is a "Set" too, so heads are only looked for in a "Spec".
_HEADS = ("Compr", "Set", "Func")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: the name it is defined under, its tree, and where it stands."""

    name: str
    full_name: str
    tree: Node
    is_default: bool
    is_function: bool
    line: object


@dataclass(frozen=True, slots=True)
class Module:
    """One parsed file: its text, its package, what it imports under which name, and its rules."""

    file: str
    text: bytes
    package: str
    imports: Mapping[str, str]
    rules: tuple[Rule, ...]

    def resolve(self, name: str) -> str:
        """Write a dotted name in full: through an import, else inside this package."""
        head, _, rest = name.partition(".")
        if head in self.imports:
            return f"{self.imports[head]}.{rest}" if rest else self.imports[head]
        return f"{self.package}.{name}"


def read_modules(ast_json: str) -> list[Module]:
    """Read regorus' syntax tree; raise OutsideProfile for one that is too deep or of another shape."""
    try:
        return [_module(entry) for entry in json.loads(ast_json)]
    except (RecursionError, KeyError, TypeError, ValueError) as error:
        raise OutsideProfile("the syntax tree does not have the expected shape") from error


def nodes(tree: object) -> Iterator[tuple[str, Node]]:
    """Walk all nodes: an object's capitalised keys name the kinds; ``with`` has no kind of its own."""
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(reversed(item))
        elif isinstance(item, dict):
            if item.get("with_mods"):
                yield "With", item
            for key, value in item.items():
                if key[:1].isupper() and isinstance(value, dict):
                    yield key, value
            waiting.extend(reversed(list(item.values())))


def dotted(reference: object) -> str:
    """Write a reference such as ``net.cidr_contains``; an empty string for what is no dotted name."""
    fields: list[str] = []
    while True:
        node = as_object(reference)
        if "Var" in node:
            return ".".join([str(as_object(node["Var"])["value"]), *reversed(fields)])
        if "RefDot" not in node:
            return ""
        dot = as_object(node["RefDot"])
        fields.append(str(as_array(dot["field"])[1]))
        reference = dot["refr"]


def references(module: Module, rule: Rule) -> Iterator[str]:
    """Give the full names that a rule's evaluation may reach in this package or in an imported one.

    A name comes once for each place where it stands. A local name hides a rule, so it is left out; what is
    called is never left out, because a function that reaches itself overflows the stack.
    """
    hidden = {name for name, _ in declared(module, rule.tree)}
    for kind, node in nodes(_evaluated(rule)):
        is_call = kind == "Call"
        if is_call or kind in {"Var", "RefDot"}:
            name = dotted(node["fcn"] if is_call else {kind: node})
            # What is called stands below its call once more, as a plain name.
            if name and is_call == (name.split(".")[0] in hidden):
                yield module.resolve(".".join(name.split(".")[:2]))


def declared(module: Module, tree: object) -> Iterator[tuple[str, Node]]:
    """Give the local names that a rule declares, each with the node that does it."""
    for kind, node in nodes(tree):
        places: list[object] = []
        match kind:
            case "AssignExpr" if node["op"] == "ColEq":
                places = [node["lhs"]]
            case "SomeIn":
                places = [node["key"], node["value"]]
            case "Func":
                places = [node["args"]]
            case "SomeVars":
                for span in map(as_object, as_array(node["vars"])):
                    begin, end = span["start"], span["end"]
                    yield module.text[_offset(begin) : _offset(end)].decode(), {"span": span}
            case _:
                pass
        for place in places:
            yield from ((str(name["value"]), name) for kind, name in nodes(place) if kind == "Var")


def line_of(node: Node) -> object:
    """Give the line a node stands on, or a question mark."""
    span = node.get("span")
    return as_object(span)["line"] if span else "?"


def as_object(value: object) -> Node:
    """Take a node for an object, or refuse the tree."""
    if not isinstance(value, dict):
        raise OutsideProfile("the syntax tree does not have the expected shape")
    return value


def as_array(value: object) -> list[object]:
    """Take a node for a list, or refuse the tree."""
    if not isinstance(value, list):
        raise OutsideProfile("the syntax tree does not have the expected shape")
    return value


def _module(entry: object) -> Module:
    tree, source = as_object(as_object(entry)["ast"]), as_object(as_object(entry)["source"])
    file, package = str(source["file"]), dotted(as_object(tree["package"])["refr"])
    imports: dict[str, str] = {}
    for item in map(as_object, as_array(tree["imports"])):
        path = dotted(item["refr"])
        if item.get("as") is not None:
            raise OutsideProfile(f"{file} imports {path} under another name")
        imports[path.rsplit(".", 1)[-1]] = path.removeprefix("data.")
    rules = tuple(_rule(file, package, as_object(rule)) for rule in as_array(tree["rules"]))
    return Module(file, str(source["contents"]).encode(), package, imports, rules)


def _rule(file: str, package: str, tree: Node) -> Rule:
    default = tree.get("Default")
    body = as_object(default if default is not None else tree["Spec"])
    kind = "Default" if default is not None else next(kind for kind in _HEADS if kind in _head(body))
    head = body if kind == "Default" else as_object(_head(body)[kind])
    name = as_object(head["refr"])
    if "Var" not in name:
        raise OutsideProfile(f"{file}:{line_of(head)}: the head of a rule is a plain name")
    plain = dotted(name)
    return Rule(plain, f"{package}.{plain}", tree, kind == "Default", kind == "Func", line_of(body))


def _head(spec: Node) -> Node:
    return as_object(spec["head"])


def _evaluated(rule: Rule) -> object:
    """Give the parts of a rule that are evaluated; the head's own name is no use of it."""
    if rule.is_default:
        return as_object(rule.tree["Default"])["value"]
    spec = as_object(rule.tree["Spec"])
    heads = [as_object(head) for head in _head(spec).values()]
    return [spec["bodies"], *({key: value for key, value in head.items() if key != "refr"} for head in heads)]


def _offset(value: object) -> int:
    if not isinstance(value, int):
        raise OutsideProfile("the syntax tree does not have the expected shape")
    return value
