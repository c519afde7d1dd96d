"""A policy from a partner is untrusted: what the profile refuses, before anything breaks."""

import pytest

from policies.bundle import Bundle, shipped_bundle
from policies.embedded import check_bundle
from policies.profile.check import (
    MAX_BRANCHES,
    MAX_GENERATORS,
    MAX_RULE_DEPTH,
    MAX_RULES,
    MAX_STATEMENTS,
    check_profile,
)
from policies.profile.limits import (
    MAX_BUNDLE_BYTES,
    MAX_CHAIN,
    MAX_COLUMNS,
    MAX_DEPTH,
    MAX_FILE_BYTES,
    MAX_FILES,
    OutsideProfile,
)

HEAD = "package headwaters.more\n\nimport rego.v1\n\n"


def judge(*bodies: str) -> None:
    """Hold the shipped policies, with a further file for each body, against the profile."""
    more = {f"headwaters/more{number}.rego": (HEAD + body).encode() for number, body in enumerate(bodies)}
    check_bundle(Bundle({**shipped_bundle().sources, **more}))


def nested(depth: int) -> str:
    """Write an array in an array, so deep."""
    return "x := " + "[\n" * depth + "1" + "\n]" * depth


def chained(length: int) -> str:
    """Write a sum of so many signs, over many lines."""
    return "x := (1" + " +\n1" * ((length - 1) // 2) + ")"


def running(collections: int) -> str:
    """Write a rule that runs through so many collections inside each other."""
    some = "\n".join(f"\tsome item{number} in input.purposes" for number in range(collections))
    return f"x if {{\n{some}\n}}"


def standing(rules: int) -> str:
    """Write so many rules, each of which stands on the next."""
    return "\n".join(f"r{number} := r{number + 1}" for number in range(rules - 1)) + f"\nr{rules - 1} := 1"


def doubling(functions: int) -> str:
    """Write functions that each call the next one twice."""
    steps = [f"f{number}(a) := f{number + 1}(a) + f{number + 1}(a)" for number in range(functions - 1)]
    return "\n".join([*steps, f"f{functions - 1}(a) := a", "x := f0(1)"])


def stating(statements: int) -> str:
    """Write a body of so many statements."""
    return "x if {\n" + "\n".join(f"\ty{number} := {number}" for number in range(statements)) + "\n}"


def branching(branches: int) -> str:
    """Write a rule with so many branches."""
    return "x := 0 if input.a" + " else := 1 if input.b" * (branches - 1)


AT_THE_LIMIT = [
    nested(MAX_DEPTH - 2),
    chained(MAX_CHAIN - 1),
    running(MAX_GENERATORS),
    standing(MAX_RULE_DEPTH),
    doubling(13),
    stating(MAX_STATEMENTS),
    branching(MAX_BRANCHES),
    'x if regex.match(`^[a-z]{1,3}$`, input.purpose)\n\ny if glob.match("a-*", ["-"], input.purpose)',
    "x contains a if some a, b in input.purposes",
    "f(list) := count(list)\n\nlist := [1]\n\nx := f(list)",
    "x := -9007199254740991 + (7 % 2)",
]


@pytest.mark.parametrize("body", AT_THE_LIMIT, ids=range(len(AT_THE_LIMIT)))
def test_what_stays_at_a_limit_is_inside(body: str) -> None:
    """A policy that just keeps a limit loads."""
    judge(body)

    assert len(body) < MAX_FILE_BYTES


BEYOND: list[tuple[str, str]] = [
    (nested(MAX_DEPTH + 1), "nest deeper"),
    (nested(16_000), "nest deeper"),
    ("x := " + "(\n" * 30_000, "nest deeper"),
    ("x := " + "lower(\n" * 5_000 + '"a"' + "\n)" * 5_000, "nest deeper"),
    (chained(MAX_CHAIN + 3), "chains more"),
    (chained(30_000), "chains more"),
    ("x := (1" + " +\n# and\n1" * 200 + ")", "chains more"),
    ("x := input" + "[\n0]" * 400, "chains more"),
    ("x := " + "-\n" * 400 + "1", "chains more"),
    ("x if " + "not " * 200 + "input", "chains more"),
    ("\n".join(f"x{number} := [[[[[[[[[1]]]]]]]]]" for number in range(600)), "nests too much"),
    ("x := 1)", "never opened"),
    ("x := (1", "not closed"),
    ('x := "' + "a" * MAX_COLUMNS + '"', "line is longer"),
    ("# METADATA\n# entrypoint: true\nx := 1", "METADATA"),
    ("x := $`a`", "has no place"),
    ("x := 'a'", "has no place"),
    ("x := \u200b1", "has no place"),
    ('x := "unclosed', "has no place"),
    (running(MAX_GENERATORS + 1), "run through at once"),
    ("x if {" + "; ".join(f"input.a{number}[_]" for number in range(MAX_GENERATORS + 1)) + "}", "at once"),
    (
        "x := [1 | some a, b; input[a][b]; y := {c | some c, d; input[c][d]; z := [1 | input.a[_][_][_]]}]",
        "at once",
    ),
    (standing(MAX_RULE_DEPTH + 1), "on top of each other"),
    (doubling(15), "calls functions"),
    ("\n".join(f"x{number} := 1" for number in range(MAX_RULES)), "rules"),
    (stating(MAX_STATEMENTS + 1), "statements"),
    (branching(MAX_BRANCHES + 1), "branches"),
    ("f(a) := f(a)", "reach themselves"),
    ("f(a) := g(a)\n\ng(a) := f(a)", "reach themselves"),
    ("f(a) if {\n\tf := a\n\tf(f)\n}", "reach themselves"),
    ("x if y\n\ny if x", "reach themselves"),
    ("x contains 1 if count(x) == 0", "reach themselves"),
    ("default x := false\n\nx if not x", "reach themselves"),
    ("x if regex.match(input.purpose, `a`)", "not a literal"),
    ("x if regex.match(concat(``, [`a`]), `a`)", "not a literal"),
    ("x if regex.match(`(a+)+$`, input.purpose)", "not anchored"),
    ("x if regex.match(`^\\pL$`, input.purpose)", "the pattern of regex.match"),
    ("x if regex.match(`^(a{1000}){1000}$`, input.purpose)", "the pattern of regex.match"),
    ("x if glob.match(input.purpose, [], `a`)", "not a literal"),
    ("x if glob.match(`[a-z]`, [], input.purpose)", "engines read differently"),
    ("x := 1 / 3", "division"),
    ("x := 1.5", "whole"),
    ("x := 9007199254740993", "whole"),
    ('x if "a", "a" in {"a"}', "membership"),
    ("x.y := 1", "plain name"),
    ("x[y].z contains 1 if some y in input.a", "plain name"),
    ("default x := false\n\ny if {\n\tx := input.a\n\tnot x\n}", "hides"),
    ("default x := false\n\ny if {\n\tsome x in input.a\n\tnot x\n}", "hides"),
    ("default x := false\n\ny if {\n\tsome 数, x\n\tinput.a[x]\n}", "has no place"),
    ("default x := false\n\ny if {\n\tsome z, x\n\tinput.a[x][z]\n}", "hides"),
    ("default x := false\n\nf(x) if not x", "hides"),
    ("walk(a) := 5\n\nx := walk([1])", "name of a builtin"),
    ("count := 7\n\nx := count([1, 2])", "name of a builtin"),
    ("x if {\n\tcount := 1\n\tcount([1, 2]) == 2\n}", "hides"),
    ("f(net) := net.cidr_contains(input.a, input.b)", "hides"),
    ("x if {\n\tinput := {}\n\tinput.a\n}", "shadowed"),
    ("import data.headwaters.access\n\nx if {\n\taccess := {}\n\taccess.a\n}", "hides"),
]


@pytest.mark.parametrize(("body", "why"), BEYOND, ids=[f"{n} {why}" for n, (_, why) in enumerate(BEYOND)])
def test_what_goes_beyond_is_refused(body: str, why: str) -> None:
    """A policy that could crash, hang, blow up or split the engines is refused, with its place named."""
    with pytest.raises(OutsideProfile) as caught:
        judge(body)

    assert why in caught.value.detail
    assert "more" in caught.value.detail or "rules" in caught.value.detail


def test_a_bundle_has_a_size() -> None:
    """Too many files, a file or a bundle too long, and bytes that are no text are refused unread."""
    with pytest.raises(OutsideProfile):
        judge(*["x := 1"] * MAX_FILES)
    with pytest.raises(OutsideProfile):
        judge("# " + "\n" * MAX_FILE_BYTES)
    with pytest.raises(OutsideProfile):
        judge(*["\n" * (MAX_FILE_BYTES - 100)] * (MAX_BUNDLE_BYTES // MAX_FILE_BYTES))
    with pytest.raises(OutsideProfile):
        check_bundle(Bundle({"headwaters/main.rego": b"package \xff"}))


def test_a_rule_cannot_stand_where_a_package_stands() -> None:
    """A rule named like a package would merge with it in one engine and be refused by the other."""
    with pytest.raises(OutsideProfile) as caught:
        check_bundle(
            Bundle(
                {
                    **shipped_bundle().sources,
                    "headwaters/more.rego": b"package headwaters\n\nimport rego.v1\n\naccess := {}\n",
                }
            )
        )

    assert "the name of the package" in caught.value.detail


@pytest.mark.parametrize(
    "tree", ["", "[", "1", "[1]", '[{"ast": {}}]', '[{"ast": 1, "source": 2}]', "[" * 9999]
)
def test_a_tree_of_another_shape_is_refused(tree: str) -> None:
    """What regorus would not write is never guessed at."""
    with pytest.raises(OutsideProfile):
        check_profile(tree)
