"""The portable Rego profile: what every engine of ours evaluates alike, as an allow-list (profile.json).

The check walks the syntax tree of each policy before it is used. What is not on the list is refused: other
builtins, ``every``, ``with``, ``data`` outside an import, and ``not`` over anything but a rule that has a
default, because an undefined or failing operand would turn into a permit (docs: policy, traps 5 and 6).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from contracts.errors import Invalid

# A parsed syntax tree is plain JSON of no fixed shape; the two accessors below are its only readers.
Node = dict[str, object]


class OutsideProfile(Invalid):
    """A policy uses Rego outside the portable profile."""

    code = "outside-profile"
    title_zh = "策略使用了可移植范围之外的 Rego 写法"
    next_zh = "按提示的文件与行号改写策略;允许的写法见 policies/profile.json。"
    next_en = "Rewrite the policy at the line named; policies/profile.json lists what is allowed."


@dataclass(frozen=True, slots=True)
class _Module:
    """One parsed file: its package, what it imports under which name, and its rules with a default."""

    file: str
    package: str
    imports: Mapping[str, str]
    totals: frozenset[str]
    functions: frozenset[str]
    tree: Node


def check_profile(ast_json: str) -> None:
    """Check the parsed policies (regorus' syntax tree as JSON); raise OutsideProfile at the first fault."""
    parsed = [_module(entry) for entry in json.loads(ast_json)]
    totals = {f"{module.package}.{name}" for module in parsed for name in module.totals}
    for module in parsed:
        for kind, node in _nodes(module.tree["rules"]):
            _check_node(module, kind, node, totals)


def _check_node(module: _Module, kind: str, node: Node, totals: set[str]) -> None:
    allowed = _lists()
    if kind not in allowed["nodes"]:
        raise _fault(module, node, f"{kind} is not in the profile")
    match kind:
        case "Call":
            name = _path(node["fcn"])
            if name not in allowed["builtins"] and name not in module.functions:
                raise _fault(module, node, f"the function {name} is not in the profile")
        case "Var" if node["value"] == "data":
            raise _fault(module, node, "data is named outside an import")
        case "NotExpr":
            operand = _path(node["expr"])
            head, _, rest = operand.partition(".")
            full = (
                f"{module.imports[head]}.{rest}" if head in module.imports else f"{module.package}.{operand}"
            )
            if full not in totals:
                raise _fault(
                    module, node, f"not stands over {operand or 'an expression'}, which has no default"
                )
        case _:
            pass


def _module(entry: Node) -> _Module:
    tree = _object(entry["ast"])
    file = str(_object(entry["source"])["file"])
    package = _path(_object(tree["package"])["refr"])
    imports: dict[str, str] = {}
    for item in _array(tree["imports"]):
        path = _path(_object(item)["refr"])
        if path != "rego.v1" and not path.startswith("data.headwaters."):
            raise OutsideProfile(f"{file} imports {path}")
        if "as" in _object(item) and _object(item)["as"] is not None:
            raise OutsideProfile(f"{file} imports {path} under another name")
        imports[path.rsplit(".", 1)[1]] = path.removeprefix("data.")
    if package.split(".")[0] not in _lists()["packages"] or "rego.v1" not in imports.values():
        raise OutsideProfile(f"{file} is not a headwaters package with import rego.v1")
    rules = [_object(rule) for rule in _array(tree["rules"])]
    totals = [_path(_object(rule["Default"])["refr"]) for rule in rules if "Default" in rule]
    functions = [_path(_object(node)["refr"]) for kind, node in _nodes(rules) if kind == "Func"]
    return _Module(file, package, imports, frozenset(totals), frozenset(functions), tree)


def _nodes(tree: object) -> Iterator[tuple[str, Node]]:
    """Walk all nodes: an object's capitalised keys name the kinds; ``with`` has no kind of its own."""
    if isinstance(tree, list):
        for item in tree:
            yield from _nodes(item)
    elif isinstance(tree, dict):
        if tree.get("with_mods"):
            yield "With", tree
        for key, value in tree.items():
            if key[:1].isupper() and isinstance(value, dict):
                yield key, value
            yield from _nodes(value)


def _path(reference: object) -> str:
    """Write a reference such as ``net.cidr_contains``; an empty string for what is no dotted name."""
    node = _object(reference)
    if "Var" in node:
        return str(_object(node["Var"])["value"])
    if "RefDot" in node:
        dot = _object(node["RefDot"])
        head = _path(dot["refr"])
        return f"{head}.{_array(dot['field'])[1]}" if head else ""
    return ""


def _fault(module: _Module, node: Node, why: str) -> OutsideProfile:
    span = node.get("span")
    line = _object(span)["line"] if span else "?"
    return OutsideProfile(f"{module.file}:{line}: {why}")


def _object(value: object) -> Node:
    if not isinstance(value, dict):
        raise OutsideProfile("the syntax tree does not have the expected shape")
    return value


def _array(value: object) -> list[object]:
    if not isinstance(value, list):
        raise OutsideProfile("the syntax tree does not have the expected shape")
    return value


@cache
def _lists() -> dict[str, frozenset[str]]:
    read: dict[str, list[str]] = json.loads((files("policies") / "profile.json").read_bytes())
    return {name: frozenset(values) for name, values in read.items()}
