"""What the tests of the verifiers share: the emitted log, made once, and the judges that are installed."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from tests.verifiers.emitted import SIZES, emit
from tests.verifiers.judges import JUDGES, Judge


@pytest.fixture(scope="session")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Give the exports of one log at nine sizes, made once for all test processes and only read."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "emitted"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            emit(folder)
            (folder / "whole").touch()
    return {size: folder / str(size) for size in SIZES}


@pytest.fixture(scope="session", params=list(JUDGES))
def judge(request: pytest.FixtureRequest) -> Judge:
    """Give one verifier that we did not write; skip aloud where it is missing."""
    return JUDGES[request.param]()
