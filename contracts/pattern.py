"""The regular expressions a contract may use: a subset that every JSON Schema engine reads alike.

A contract comes from another province, so its patterns are untrusted. The subset is anchored, ASCII, without
look-around, back-references, class shorthands, ``.`` and negated classes; it is what ECMA-262, RE2-like and
backtracking engines agree on, and the row engine runs it in linear time.
"""

MAX_PATTERN = 500
MAX_REPEAT = 1000

_LITERAL_ESCAPES = frozenset("^$.|?*+()[]{}\\/-")
_SET_OPERATORS = ("&&", "--", "~~")


def pattern_fault(pattern: str) -> str | None:
    """Say in one English clause why ``pattern`` is outside the subset; None when it is inside."""
    if len(pattern) > MAX_PATTERN:
        return f"is longer than {MAX_PATTERN} characters"
    if not pattern.isascii() or not pattern.isprintable():
        return "holds a character that is not printable ASCII"
    if len(pattern) < 2 or pattern[0] != "^" or pattern[-1] != "$":
        return "is not anchored with ^ at the start and $ at the end"
    return _Reader(pattern[1:-1]).fault()


class _Reader:
    """Walks the body of a pattern once, left to right."""

    def __init__(self, body: str) -> None:
        self._body = body
        self._at = 0
        self._depth = 0
        self._repeatable = False

    def fault(self) -> str | None:
        while self._at < len(self._body):
            fault = self._step()
            if fault is not None:
                return fault
        return "has an unclosed group" if self._depth else None

    def _step(self) -> str | None:  # noqa: PLR0911 - one return for each kind of sign
        sign = self._body[self._at]
        match sign:
            case "\\":
                return self._escape()
            case "[":
                return self._class()
            case "(" | ")":
                return self._group(sign)
            case "*" | "+" | "?" | "{":
                return self._repeat(sign)
            case "|":
                return self._alternative()
            case "." | "^" | "$":
                return f"uses {sign!r} inside; write a class or escape it"
            case "]" | "}":
                return f"has an unescaped {sign!r}"
            case _:
                return self._pass(1)

    def _escape(self) -> str | None:
        following = self._body[self._at + 1 : self._at + 2]
        if following not in _LITERAL_ESCAPES or not following:
            return f"uses \\{following}; only escaped punctuation is portable"
        return self._pass(2)

    def _pass(self, width: int) -> str | None:
        self._at += width
        self._repeatable = True
        return None

    def _class(self) -> str | None:
        end = self._at + 1
        while end < len(self._body) and self._body[end] != "]":
            end += 2 if self._body[end] == "\\" else 1
        inside = self._body[self._at + 1 : end]
        if end >= len(self._body) or not inside:
            return "has an empty or unclosed class"
        fault = _class_fault(inside)
        self._at = end + 1
        self._repeatable = True
        return fault

    def _group(self, sign: str) -> str | None:
        if sign == ")":
            self._depth -= 1
            self._at += 1
            self._repeatable = True
            return "closes a group that is not open" if self._depth < 0 else None
        self._depth += 1
        rest = self._body[self._at + 1 : self._at + 3]
        if rest.startswith("?") and rest != "?:":
            return "uses look-around, flags or a named group; only (?: ) is portable"
        self._at += 3 if rest == "?:" else 1
        self._repeatable = False
        return None

    def _repeat(self, sign: str) -> str | None:
        if not self._repeatable:
            return f"has a repeat {sign!r} that follows nothing, or a lazy or possessive repeat"
        self._repeatable = False
        if sign != "{":
            self._at += 1
            return None
        end = self._body.find("}", self._at)
        bounds = self._body[self._at + 1 : end].split(",") if end > 0 else []
        self._at = end + 1
        if len(bounds) not in {1, 2} or not bounds[0].isdecimal() or not (bounds[-1] or "0").isdecimal():
            return "has a malformed repeat"
        if int(bounds[-1] or "0") > MAX_REPEAT or int(bounds[0]) > MAX_REPEAT:
            return f"repeats more than {MAX_REPEAT} times"
        return None

    def _alternative(self) -> str | None:
        if self._depth == 0:
            return "has an alternative outside a group, so one branch is not anchored"
        self._at += 1
        self._repeatable = False
        return None


def _class_fault(inside: str) -> str | None:
    if inside.startswith("^"):
        return "uses a negated class, which admits other scripts"
    if any(operator in inside for operator in _SET_OPERATORS) or "[" in inside.replace("\\[", ""):
        return "uses a set operation inside a class"
    at = 0
    while at < len(inside):
        if inside[at] == "\\":
            if inside[at + 1 : at + 2] not in _LITERAL_ESCAPES:
                return f"uses \\{inside[at + 1 : at + 2]}; only escaped punctuation is portable"
            at += 1
        at += 1
    return None
