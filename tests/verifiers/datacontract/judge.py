"""Runs inside the environment of datacontract-cli: lint and test every file of a folder, report as JSON.

Starting the environment costs seconds, so one start judges all. It prints, for each file, the result of lint
and the checks that failed, warned or were not run.
"""

import json
import logging
import sys
from pathlib import Path

from datacontract.data_contract import DataContract  # type: ignore[import-not-found]  # of its own environment

logging.disable(logging.CRITICAL)


def judge(path: Path) -> dict[str, object]:
    """Lint one contract, or test it where it names a server."""
    told: dict[str, object] = {}
    if "servers:" not in path.read_text(encoding="utf-8"):
        lint = DataContract(data_contract_file=str(path)).lint()
        told["lint"] = lint.result.value
        told["reasons"] = [check.reason for check in lint.checks if check.result.value != "passed"]
    else:
        run = DataContract(data_contract_file=str(path)).test()
        told["checks"] = [
            [check.type, check.field, None if check.result is None else check.result.value]
            for check in run.checks
        ]
    return told


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    print(json.dumps({path.name: judge(path) for path in sorted(folder.glob("*.yaml"))}))  # noqa: T201 - the answer
