"""The portable Rego profile: what every engine of ours evaluates alike, as an allow-list (profile.json).

The check walks the syntax tree of each policy before it is used. What is not on the list is refused: other
builtins, ``every``, ``with``, ``data`` outside an import, and ``not`` over anything but a rule that has a
default, because an undefined or failing operand would turn into a permit (docs: policy, traps 5 and 6). A
policy may come from a partner, so what could make an evaluation endless, exponential or deep is refused too.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files
from math import prod

from contracts.canonical import MAX_INTEGER
from contracts.pattern import pattern_fault
from policies.profile.limits import OutsideProfile
from policies.profile.syntax import (
    Module,
    Node,
    Rule,
    as_array,
    as_object,
    declared,
    dotted,
    line_of,
    nodes,
    read_modules,
    references,
)

MAX_RULES = 1000
MAX_STATEMENTS = 60
MAX_BRANCHES = 20
MAX_GENERATORS = 6
MAX_RULE_DEPTH = 64
MAX_CALLS = 10_000
MAX_REPEATS = 1000

# Builtins whose pattern must be a literal: an engine's own pattern language is the widest gap between two.
_PATTERNS = frozenset({"regex.match", "glob.match"})
_REPEATS = re.compile(r"\{[0-9,]*?([1-9][0-9]*)\}")
_COMPREHENSIONS = frozenset({"ArrayCompr", "SetCompr", "ObjectCompr"})


def check_profile(ast_json: str) -> None:
    """Check the parsed policies (regorus' syntax tree as JSON); raise OutsideProfile at the first fault."""
    modules = read_modules(ast_json)
    for module in modules:
        _check_house(module)
    check_language(modules)
    _check_graph(modules)


def check_language(modules: Iterable[Module]) -> None:
    """Check syntax and builtins alone; packages, imports, data and recursion are not its affair."""
    known = list(modules)
    rules = [rule for module in known for rule in module.rules]
    totals = {rule.full_name for rule in rules if rule.is_default}
    functions = {rule.full_name for rule in rules if rule.is_function}
    for module in known:
        for rule in module.rules:
            for kind, node in nodes(rule.tree):
                fault = _fault(kind, node) or _fault_of_names(module, kind, node, totals, functions)
                if fault:
                    raise _outside(module, line_of(node), fault)
            _check_rule(module, rule, totals)


def _fault(kind: str, node: Node) -> str | None:
    """Say what is wrong with a node by itself; None for one inside the profile."""
    if kind not in _lists()["nodes"]:
        return f"{kind} is not in the profile"
    match kind:
        case "Membership" if node.get("key") is not None:
            return "a membership test with a key gives another answer over a set"
        case "ArithExpr" if node["op"] == "Div":
            return "a division gives numbers that engines write differently"
        case "Number" if not _is_whole(node["value"]):
            return "a number is whole, and at most 2^53"
        case _:
            return None


def _fault_of_names(
    module: Module, kind: str, node: Node, totals: set[str], functions: set[str]
) -> str | None:
    """Say what is wrong with a call or a negation, which depend on what else is defined."""
    if kind == "Call":
        name = dotted(node["fcn"])
        if name in _PATTERNS:
            return _fault_of_pattern(name, as_array(node["params"]))
        if name not in _lists()["builtins"] and module.resolve(name) not in functions:
            return f"the function {name} is not in the profile"
    if kind == "NotExpr":
        operand = dotted(node["expr"])
        if not operand or module.resolve(operand) not in totals:
            return f"not stands over {operand or 'an expression'}, which has no default"
    return None


def _fault_of_pattern(name: str, params: list[object]) -> str | None:
    literals = [_literal(item) for item in params]
    if not literals or literals[0] is None:
        return f"the pattern of {name} is not a literal"
    if name == "regex.match":
        fault = pattern_fault(literals[0])
        if not fault and prod(map(int, _REPEATS.findall(literals[0]))) > MAX_REPEATS:
            fault = f"repeats more than {MAX_REPEATS} times"
        return fault and f"the pattern of {name} {fault}"
    signs = set(literals[0]) & set("[]{}!\\")
    if signs:
        return f"the pattern of {name} uses {min(signs)}, which engines read differently"
    return None


def _check_rule(module: Module, rule: Rule, totals: set[str]) -> None:
    # A rule, or a local name, like a builtin is called by one engine and hides it in the other.
    if rule.name in _lists()["reserved"]:
        raise _outside(module, rule.line, f"the rule {rule.name} has the name of a builtin")
    taken = {"input", "data", *module.imports, *_lists()["reserved"]}
    for name, node in declared(module, rule.tree):
        if name in taken or module.resolve(name) in totals:
            raise _outside(
                module,
                line_of(node),
                f"the local name {name} hides a rule, an import, a builtin or the input",
            )
    if _generators(rule.tree) > MAX_GENERATORS:
        raise _outside(module, rule.line, f"more than {MAX_GENERATORS} collections are run through at once")
    for query in _queries(rule.tree):
        if len(query) > MAX_STATEMENTS:
            raise _outside(module, rule.line, f"a body has more than {MAX_STATEMENTS} statements")
    if not rule.is_default and len(as_array(as_object(rule.tree["Spec"])["bodies"])) > MAX_BRANCHES:
        raise _outside(module, rule.line, f"a rule has more than {MAX_BRANCHES} branches")


def _check_house(module: Module) -> None:
    """Only headwaters packages, with rego.v1, importing each other under their own names, and no data."""
    for path in module.imports.values():
        if path != "rego.v1" and not path.startswith("headwaters."):
            raise OutsideProfile(f"{module.file} imports {path}")
    if module.package.split(".")[0] not in _lists()["packages"] or "rego.v1" not in module.imports.values():
        raise OutsideProfile(f"{module.file} is not a headwaters package with import rego.v1")
    for rule in module.rules:
        for kind, node in nodes(rule.tree):
            if kind == "Var" and node["value"] == "data":
                raise _outside(module, line_of(node), "data is named outside an import")


def _check_graph(modules: list[Module]) -> None:
    """No rule reaches itself, stands where a package stands, or multiplies calls without bound."""
    rules: dict[str, list[tuple[Module, Rule]]] = {}
    for module in modules:
        for rule in module.rules:
            rules.setdefault(rule.full_name, []).append((module, rule))
    if sum(map(len, rules.values())) > MAX_RULES:
        raise OutsideProfile(f"a bundle has at most {MAX_RULES} rules")
    for module in modules:
        above = {".".join(module.package.split(".")[:length]) for length in range(1, 9)}
        if above & rules.keys():
            raise OutsideProfile(f"{module.file}: a rule has the name of the package {module.package}")
    used = {
        name: [other for module, rule in parts for other in references(module, rule) if other in rules]
        for name, parts in rules.items()
    }
    _check_cost(used, {name for name, parts in rules.items() if any(rule.is_function for _, rule in parts)})


def _check_cost(used: Mapping[str, list[str]], functions: set[str]) -> None:
    """Walk from the leaves: how deep rules stand on each other, and how often functions are called in all."""
    depth: dict[str, int] = {}
    calls: dict[str, int] = {}
    try:
        order = list(TopologicalSorter(used).static_order())
    except CycleError as error:
        raise OutsideProfile(f"rules reach themselves: {' → '.join(error.args[1])}") from error
    for name in order:
        depth[name] = 1 + max((depth[other] for other in used[name]), default=0)
        calls[name] = 1 + sum(calls[other] for other in used[name] if other in functions)
        if depth[name] > MAX_RULE_DEPTH:
            raise OutsideProfile(f"{name} stands on more than {MAX_RULE_DEPTH} rules on top of each other")
        if calls[name] > MAX_CALLS:
            raise OutsideProfile(f"{name} calls functions more than {MAX_CALLS} times")


def _generators(tree: Node) -> int:
    """Count the collections run through inside each other; comprehensions side by side do not add up."""
    most = 0
    above = {0: 0}  # what runs in the scopes around a scope; the tree of scopes is walked from the outside
    scopes: list[tuple[int, object]] = [(0, tree)]
    while scopes:
        scope, waiting = scopes[-1][0], [scopes.pop()[1]]
        inner: list[object] = []
        while waiting:
            item = waiting.pop()
            if isinstance(item, list):
                waiting.extend(item)
            elif isinstance(item, dict):
                inner.extend(value for key, value in item.items() if key in _COMPREHENSIONS)
                waiting.extend(value for key, value in item.items() if key not in _COMPREHENSIONS)
                above[scope] += _runs(item)
        most = max(most, above[scope])
        for tree_inside in inner:
            above[len(above)] = above[scope]
            scopes.append((len(above) - 1, tree_inside))
    return most


def _runs(item: Node) -> int:
    """Count the collections that one node runs through."""
    some = len(as_array(as_object(item["SomeVars"])["vars"])) if "SomeVars" in item else 0
    wildcard = "Var" in item and as_object(item["Var"])["value"] == "_"
    return some + wildcard + ("SomeIn" in item)


def _queries(tree: Node) -> Iterator[list[object]]:
    waiting: list[object] = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            if isinstance(item.get("stmts"), list):
                yield as_array(item["stmts"])
            waiting.extend(item.values())


def _literal(value: object) -> str | None:
    for kind in ("String", "RawString"):
        if kind in as_object(value):
            return str(as_object(as_object(value)[kind])["value"])
    return None


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and abs(value) <= MAX_INTEGER


def _outside(module: Module, line: object, why: str) -> OutsideProfile:
    return OutsideProfile(f"{module.file}:{line}: {why}")


@cache
def _lists() -> dict[str, frozenset[str]]:
    read: dict[str, list[str]] = json.loads((files("policies.profile") / "profile.json").read_bytes())
    return {name: frozenset(values) for name, values in read.items()}
