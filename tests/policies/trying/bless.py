"""Write the golden cases anew, as the shipped policy decides now: ``python -m tests.policies.trying.bless``.

Run it after a change of policy that is meant, and read the difference: it is what the change does.
"""

import json
from pathlib import Path
from typing import Any

from policies.bundle import shipped_bundle
from policies.embedded import EmbeddedEngine
from policies.trying import golden

FOLDER = Path(golden.__file__).parent / "cases"


def bless() -> None:
    """Decide every case of every file again."""
    engine = EmbeddedEngine(shipped_bundle())
    for path in sorted(FOLDER.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        for case in document["cases"]:
            decision = engine.decide_now(golden.question_of(document["base"], case))
            case["decision"] = decision.answer()
        write(path, document)


def write(path: Path, document: dict[str, Any]) -> None:  # JSON of the shape that golden reads
    """Write a file of cases: each part of a case on a line of its own, so that a change is one line."""
    cases = [
        "  {\n"
        + ",\n".join(f"    {json.dumps(key)}: {_line(value)}" for key, value in case.items())
        + "\n  }"
        for case in document["cases"]
    ]
    base = json.dumps(document["base"], ensure_ascii=False, indent=1)
    text = f'{{"base": {base},\n"cases": [\n' + ",\n".join(cases) + "\n]}\n"
    path.write_text(text, encoding="utf-8")


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    bless()
