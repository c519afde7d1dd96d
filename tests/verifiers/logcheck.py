"""Our Go programs that put exported logs before other people's packages: built once, and asked.

``logcheck`` asks golang.org/x/mod, ``cosigcheck`` asks transparency-dev's formats and merkle.
"""

import hashlib
import os
import subprocess
from pathlib import Path

from tests.parts import CACHE, missing, require

SOURCE = Path(__file__).parent / "go"


def build(name: str, package: str) -> Path:
    """Build a program of the Go module if need be, and give its path; skip the test where Go is missing."""
    go = require("go")
    files = sorted(path for path in SOURCE.rglob("*") if path.suffix in {".go", ".mod", ".sum"})
    sources = hashlib.sha256(b"".join(path.read_bytes() for path in files))
    binary = CACHE / f"{name}-{sources.hexdigest()[:16]}"
    if binary.exists():
        return binary
    offline = {**os.environ, "GOFLAGS": "-mod=readonly", "GOPROXY": "off"}
    CACHE.mkdir(exist_ok=True)
    fresh = binary.with_suffix(f".{os.getpid()}")
    made = subprocess.run(
        [go, "build", "-trimpath", "-o", fresh, package],
        cwd=SOURCE,
        env=offline,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        missing(
            f"{name}'s modules",
            f"them once with a network: go mod download in {SOURCE}; {made.stderr[-500:]}",
        )
    return fresh.rename(binary)


def judge(program: Path, home: Path) -> str:
    """Run a program on a folder and give its one line; its exit code must agree with it."""
    run = subprocess.run([program, home], capture_output=True, text=True, check=False)
    assert (run.returncode == 0) == run.stdout.startswith("OK ")
    return run.stdout + run.stderr
