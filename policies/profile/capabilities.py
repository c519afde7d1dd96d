"""The profile as OPA knows it: a capabilities file, so that OPA's own check refuses what the profile refuses.

OPA lists what a version of it can do; this keeps the builtins of the profile, drops the network and the
keywords of later dialects, and gives the same file on every machine. ``opa check --capabilities`` and
``opa build --capabilities`` take it.
"""

import json
from importlib.resources import files
from typing import Any

# How OPA names the operators and what the syntax of the profile turns into; ``in`` is internal.member_2.
_OPERATORS = frozenset(
    {
        "and",
        "assign",
        "eq",
        "equal",
        "gt",
        "gte",
        "internal.member_2",
        "lt",
        "lte",
        "minus",
        "mul",
        "neq",
        "or",
        "plus",
        "rem",
    }
)
FEATURES = ("rego_v1",)


def capabilities(current: dict[str, Any]) -> dict[str, Any]:  # OPA's own JSON
    """Reduce what ``opa capabilities --current`` prints to the profile."""
    profile = json.loads((files("policies.profile") / "profile.json").read_bytes())
    wanted = _OPERATORS | set(profile["builtins"])
    kept = [
        {
            "name": item["name"],
            "decl": _types(item["decl"]),
            **({"infix": item["infix"]} if "infix" in item else {}),
        }
        for item in current["builtins"]
        if item["name"] in wanted
    ]
    return {"builtins": kept, "future_keywords": [], "features": list(FEATURES), "allow_net": []}


def write(current: dict[str, Any]) -> str:  # as above
    """Write the file: one builtin on a line."""
    reduced = capabilities(current)
    lines = ",\n".join(json.dumps(item, sort_keys=True) for item in reduced.pop("builtins"))
    return json.dumps(reduced, sort_keys=True)[:-1] + f', "builtins": [\n{lines}\n]}}\n'


def _types(declared: Any) -> Any:  # a type's JSON of any depth
    """Leave the words for people out of a declaration."""
    match declared:
        case dict():
            return {key: _types(item) for key, item in declared.items() if not _is_words(key, item)}
        case list():
            return [_types(item) for item in declared]
        case _:
            return declared


def _is_words(key: str, item: object) -> bool:
    return key in {"name", "description"} and isinstance(item, str)
