"""The Go program that judges our logs with golang.org/x/mod: built once for its sources, and asked."""

import hashlib
import os
import subprocess
from pathlib import Path

from tests.parts import CACHE, missing, require

SOURCE = Path(__file__).parent / "go"


def build_logcheck() -> Path:
    """Build the program if need be, and give its path; skip the test where Go is missing."""
    go = require("go")
    sources = b"".join((SOURCE / name).read_bytes() for name in ("main.go", "go.mod", "go.sum"))
    binary = CACHE / f"logcheck-{hashlib.sha256(sources).hexdigest()[:16]}"
    if binary.exists():
        return binary
    if subprocess.run([go, "mod", "download"], cwd=SOURCE, capture_output=True, check=False).returncode:
        missing("golang.org/x/mod", "it once with a network: go mod download in tests/verifiers/go")
    CACHE.mkdir(exist_ok=True)
    fresh = binary.with_suffix(f".{os.getpid()}")
    subprocess.run([go, "build", "-trimpath", "-o", fresh, "."], cwd=SOURCE, check=True)
    return fresh.rename(binary)


def judge(logcheck: Path, home: Path) -> str:
    """Run the program on a folder and give its one line; its exit code must agree with it."""
    run = subprocess.run([logcheck, home], capture_output=True, text=True, check=False)
    assert (run.returncode == 0) == run.stdout.startswith("OK ")
    return run.stdout + run.stderr
