"""The real parts that some tests need: found on this machine, or skipped aloud, or demanded.

Mark such a test ``real``. Without the part it is skipped with the reason; where REQUIRE_PARTS=1 it fails.
"""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

CACHE = Path(__file__).parent.parent / ".cache"

# Where a part lies when it is not on the PATH, and how to get it.
_PLACES = {"go": "/usr/local/go/bin/go", "opa": str(CACHE / "bin" / "opa")}
_INSTALL = {
    "go": "Go 1.26 or later, from go.dev or the system's packages",
    "node": "Node 20 or later with npm, from the system's packages",
    "opa": "OPA: GOBIN=$PWD/.cache/bin go install github.com/open-policy-agent/opa@v1.20.2",
}


def require(name: str) -> Path:
    """Give the path of an executable; skip the test without it, or fail where REQUIRE_PARTS=1."""
    found = shutil.which(name) or shutil.which(_PLACES.get(name, ""))
    if found is None:
        missing(name, _INSTALL.get(name, name))
    return Path(found)


def missing(name: str, install: str) -> NoReturn:
    """Skip the running test because a part is missing, or fail it where REQUIRE_PARTS=1."""
    message = f"missing part: {name}; install {install}"
    if os.environ.get("REQUIRE_PARTS") == "1":
        pytest.fail(message)
    pytest.skip(message)
