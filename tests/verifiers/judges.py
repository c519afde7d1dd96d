"""Five verifiers that Headwaters did not write, each asked in the same way about an exported log.

A judge takes folders and gives one line for each: it begins with OK or with REJECTED. A folder is a
tlog-tiles tree with three files more, ``vkeys``, ``vkey`` (the log's alone) and ``proofs.json``, which
``tests.verifiers.emitted`` writes. What each judge looks at is said in ``sees``. ``.ci/parts`` installs them
all; no test fetches anything.
"""

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.parts import CACHE, missing, require
from tests.verifiers.logcheck import build, judge

HERE = Path(__file__).parent
TESSERA = "v1.0.4"
SIGSTORE_JS = "4.1.3"
SIGSTORE = "4.5.1"


@dataclass(frozen=True)
class Judge:
    """One verifier: ``sees`` names the parts of which it must reject every change."""

    name: str
    sees: frozenset[str]
    _ask: Callable[[Sequence[Path]], list[str]]

    def ask(self, *folders: Path) -> list[str]:
        """Give one line for each folder."""
        lines = self._ask(folders)
        assert len(lines) == len(folders)
        assert all(line.startswith(("OK ", "REJECTED")) for line in lines)
        return lines

    def judge(self, folder: Path) -> str:
        """Give the line for one folder."""
        return self.ask(folder)[0]


def x_mod() -> Judge:
    """Go's checksum-database packages: notes, tiles, entries, both kinds of proof."""
    program = build("logcheck", ".")
    return Judge(
        "x/mod",
        _TREE | _PROOFS | {"cosignatures", "vkeys"},
        lambda all_: [judge(program, one) for one in all_],
    )


def formats() -> Judge:
    """transparency-dev's formats and merkle: cosignatures, quorum, proof files, both kinds of proof."""
    program = build("cosigcheck", "./cosigcheck")
    sees = _SIGNED | _PROOFS | {"cosignatures", "proof files", "vkeys"}
    return Judge("formats", sees, lambda all_: _lines([program, *all_]))


def tessera() -> Judge:
    """Tessera's own fsck, the released command: the log's signature, every entry and every tile."""
    program = CACHE / "bin" / "fsck"
    install = (
        f"Tessera: GOBIN=$PWD/.cache/bin go install github.com/transparency-dev/tessera/cmd/fsck@{TESSERA}"
    )
    if not program.exists():
        missing("fsck", install)
    built = subprocess.run(
        [require("go"), "version", "-m", program], capture_output=True, text=True, check=False
    )
    if f"tessera\t{TESSERA}\t" not in built.stdout:
        missing(f"fsck {TESSERA}", install)
    return Judge("tessera", _TREE, lambda all_: [_fsck(program, one) for one in all_])


def sigstore_js() -> Judge:
    """Npm's @sigstore/verify: the log's signature and inclusion proofs."""
    modules = CACHE / "npm" / "node_modules"
    package = modules / "@sigstore" / "verify" / "package.json"
    if not package.exists() or f'"version": "{SIGSTORE_JS}"' not in package.read_text():
        missing(f"@sigstore/verify {SIGSTORE_JS}", "it with .ci/parts: npm ci into .cache/npm")
    command: list[str | Path] = [require("node"), HERE / "npm" / "check.mjs", modules]
    return Judge("sigstore-js", _SIGNED | {"inclusion"}, lambda all_: _lines([*command, *all_]))


def sigstore() -> Judge:
    """PyPI's sigstore: the log's signature, whatever name stands beside it, and inclusion proofs."""
    home = CACHE / "sigstore"
    if not list(home.glob(f"lib/python3*/site-packages/sigstore-{SIGSTORE}.dist-info")):
        missing(f"sigstore {SIGSTORE}", "it with .ci/parts: an environment of its own in .cache/sigstore")
    command: list[str | Path] = [home / "bin" / "python", "-I", HERE / "pypi" / "check.py"]
    return Judge("sigstore", frozenset({"checkpoint", "inclusion"}), lambda all_: _lines([*command, *all_]))


JUDGES: dict[str, Callable[[], Judge]] = {
    "x/mod": x_mod,
    "tessera": tessera,
    "formats": formats,
    "sigstore-js": sigstore_js,
    "sigstore": sigstore,
}

_SOUND = re.compile(r"Successfully fsck'd log with size ([0-9]+) and root ")
_SIGNED = frozenset({"checkpoint", "log's name"})
_TREE = _SIGNED | {"tiles", "bundles"}
_PROOFS = frozenset({"inclusion", "consistency"})


def _lines(command: Sequence[str | Path]) -> list[str]:
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = run.stdout.splitlines()
    assert run.returncode == (0 if all(line.startswith("OK ") for line in lines) else 1), run.stderr
    return lines


def _fsck(program: Path, folder: Path) -> str:
    """Ask Tessera; its exit code says nothing, so only the sentence that ends a sound walk counts.

    A worker that finds a wrong tile ends, and with the last one gone the command would wait for ever.
    """
    where = [f"--storage_url=file://{folder}/", f"--public_key={folder / 'vkey'}"]
    command: list[str | Path] = [program, *where, "--ui=false", "--logtostderr", "--N=8"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    sound = _SOUND.findall(run.stderr)
    if run.returncode == 0 and len(sound) == 1 and "failed" not in run.stderr:
        return f"OK {sound[0]} entries"
    return f"REJECTED {run.stderr.strip()[-300:]!r}"
