"""What the text of a policy may be, judged before any parser sees it.

A policy may come from a partner, and a parser is the first thing it meets: regorus reads nested arrays in
time 2^depth, and a deep tree overflows the stack, which ends the process. So the text is cut into tokens
here, in linear time and without recursion; what nests too deep or chains too long is refused. A limit that
bites names the file and the line.
"""

import re
from collections.abc import Iterator, Mapping

from contracts.errors import Invalid

MAX_FILES = 64
MAX_FILE_BYTES = 64 * 1024
MAX_BUNDLE_BYTES = 512 * 1024
MAX_COLUMNS = 1000
MAX_DEPTH = 10
MAX_CHAIN = 160
MAX_READING = 1_000_000

# Longest first; what fits none of these is a sign that no policy needs.
_TOKEN = re.compile(
    r"""(?P<space>[ \t]+)|(?P<line>\n)|(?P<comment>\#[^\n]*)
    |(?P<text>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<number>[0-9]+)
    |(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<end>[,;])
    |(?P<sign>:=|==|!=|<=|>=|[-+*/%|&<>=.:])""",
    re.VERBOSE,
)
_OPERANDS = frozenset({"text", "name", "number"})
_METADATA = re.compile(r"#\s*METADATA\b")


class OutsideProfile(Invalid):
    """A policy uses Rego outside the portable profile."""

    code = "outside-profile"
    title_zh = "策略使用了可移植范围之外的 Rego 写法"
    next_zh = "按提示的文件与行号改写策略;允许的写法见 policies/profile/profile.json。"
    next_en = "Rewrite the policy at the line named; policies/profile/profile.json lists what is allowed."


def check_text(sources: Mapping[str, bytes]) -> None:
    """Check the files of a bundle; raise OutsideProfile at the first that is too large, deep or odd."""
    if len(sources) > MAX_FILES or sum(map(len, sources.values())) > MAX_BUNDLE_BYTES:
        raise OutsideProfile(f"a bundle has at most {MAX_FILES} files and {MAX_BUNDLE_BYTES} bytes")
    for path, raw in sorted(sources.items()):
        if len(raw) > MAX_FILE_BYTES:
            raise OutsideProfile(f"{path} is longer than {MAX_FILE_BYTES} bytes")
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise OutsideProfile(f"{path} is not UTF-8") from error
        _Reading(path).read(text)


class _Reading:
    """Reads one file's tokens: how deep brackets nest, how long an expression chains, what parsing may cost.

    A chain is what stands between two ends of an expression on the same level: a comma, a semicolon, or a
    line break between two operands. Its length bounds the depth of the tree that a parser builds from it.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._line = 1
        self._chains = [0]
        self._before = "end"
        self._broken = False
        self._cost = 0

    def read(self, text: str) -> None:
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > MAX_COLUMNS:
                raise OutsideProfile(f"{self._path}:{number}: the line is longer than {MAX_COLUMNS} signs")
        for kind, token in self._tokens(text):
            match kind:
                case "line":
                    self._broken = True
                    self._line += 1
                case "comment" if _METADATA.match(token):
                    raise self._fault("METADATA comments are read by one engine only")
                case "space" | "comment":
                    pass
                case _:
                    self._step(kind)
                    self._line += token.count("\n")
        if len(self._chains) > 1:
            raise self._fault("a bracket is not closed")

    def _tokens(self, text: str) -> Iterator[tuple[str, str]]:
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise self._fault(f"{text[at]!r} has no place in a policy")
            at = found.end()
            yield found.lastgroup, found[0]

    def _step(self, kind: str) -> None:
        ended = self._broken and self._before in _OPERANDS | {"close"} and kind in _OPERANDS
        if kind == "end" or ended:
            self._chains[-1] = 0
        self._chains[-1] += 1
        self._cost += 2 ** (len(self._chains) - 1)
        if kind == "open":
            self._chains.append(0)
        elif kind == "close":
            self._chains.pop()
            if not self._chains:
                raise self._fault("a bracket closes that was never opened")
        if len(self._chains) > MAX_DEPTH + 1:
            raise self._fault(f"brackets nest deeper than {MAX_DEPTH}")
        if self._chains[-1] > MAX_CHAIN:
            raise self._fault(f"an expression chains more than {MAX_CHAIN} signs")
        if self._cost > MAX_READING:
            raise self._fault("the file nests too much for its length")
        self._before, self._broken = kind, False

    def _fault(self, why: str) -> OutsideProfile:
        return OutsideProfile(f"{self._path}:{self._line}: {why}")
