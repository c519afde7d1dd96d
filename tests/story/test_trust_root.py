"""The provinces sign one trust root with the commands that people use, and proofs then stand under it."""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from exchange.demo.processes import run
from exchange.demo.stage import wait_for
from tests.story.small_alliance import DATASET, SmallAlliance, readings

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("story"), pytest.mark.timeout(180)]


def test_two_provinces_sign_one_online_and_one_offline(shared: SmallAlliance, tmp_path: Path) -> None:
    """One proposes from a file that was signed without a network, the other signs; both nodes adopt it."""
    provider, consumer = shared.homes["provider"], shared.homes["consumer"]
    safe = shutil.move(provider / "keys" / "root.key", tmp_path / "root.key")
    draft = tmp_path / "root.json"

    _json("trust", "propose", "--home", provider, "--to", draft)
    _json("trust", "sign", draft, "--root-key", safe)
    proposed = _json("trust", "send", draft, "--home", provider)
    _json("trust", "sign", "--home", consumer)
    for home in (provider, consumer):
        wait_for("the adopted root", partial(_adopted, home))

    assert [len(one["signers"]) for one in proposed["proposals"]] == [1]
    assert json.loads((provider / "trust.json").read_bytes())["signed"]["number"] == 1
    verdict = _proved(shared)
    assert len(verdict["root_signers"]) == 2
    assert (verdict["unsigned_keys"], verdict["root_number"]) == ([], 1)
    assert run("trust", "sign", "--home", consumer, "--json").returncode == 1  # nothing waits any more
    assert run("trust", "sign", draft, "--root-key", consumer / "keys" / "node.key", "--json").returncode == 1


def _json(*words: str | Path) -> dict[str, Any]:
    done = run(*words, "--json")
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def _adopted(home: Path) -> bool | None:
    standing = _json("trust", "show", "--home", home)
    return None if standing["adopted"] is None else True


def _proved(shared: SmallAlliance) -> dict[str, Any]:
    shared.publish(readings(shared.home / "input", 2001))
    shared.pull()
    shared.drain()
    inbox = shared.homes["consumer"] / "inbox" / DATASET
    file = max(inbox.glob("*.parquet"), key=lambda path: int(path.stem))
    proof = file.with_name(f"{file.name}.hwproof")
    assert proof.stat().st_size < 6000
    return _json("verify", proof, "--file", file, "--trust", shared.homes["provider"] / "trust.json")
