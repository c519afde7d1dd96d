"""``verify`` of a fork file, ``audit mirror`` and ``audit peers``: what they print, how they end."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from audit.keys.trust import TrustedLog
from audit.proofs.equivocation import ForkUnproven, UnknownLog, fork_path, prove_fork
from exchange.cli import network
from exchange.cli.app import app
from tests.audit.test_equivocation import FORKED, KEY, ORIGIN, TREE, note
from tests.audit.transfer_evidence import trust


@pytest.fixture
def fork(tmp_path: Path) -> Path:
    """Give a fork file of a log."""
    file = tmp_path / "evidence.hwfork"
    proof = prove_fork(note(TREE, 7), note(FORKED, 300), KEY, fork_path(7, 300, FORKED))
    file.write_bytes(proof.encode())
    return file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a trust root that names that log."""
    file = tmp_path / "trust.json"
    file.write_bytes(trust(logs=[TrustedLog(origin=ORIGIN, vkey=str(KEY))]).canonical())
    return file


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, words)))


def test_a_fork_file_ends_with_1_and_says_why(fork: Path, root: Path) -> None:
    """Whoever verifies it reads that the log signed two histories, and which."""
    done = run("verify", fork, "--trust", root, "--json")
    told = run("verify", fork, "--trust", root)

    view = json.loads(done.stdout)
    assert (done.exit_code, told.exit_code) == (1, 1)
    assert (view["valid"], view["forked"], view["origin"]) == (False, True, ORIGIN)
    assert (view["size"], view["other_size"]) == (7, 300)
    assert view["root"] == TREE.root(7).hex()
    assert view["other_root"] == FORKED.root(7).hex()
    assert "日志签署了两个历史" in told.stdout


def test_a_fork_file_that_proves_nothing_is_refused(fork: Path, root: Path) -> None:
    """A changed file accuses nobody."""
    fork.write_bytes(fork.read_bytes().replace(b"\n7\n", b"\n8\n"))

    assert isinstance(run("verify", fork, "--trust", root).exception, ForkUnproven)


def test_an_unknown_log_is_undecided(fork: Path, tmp_path: Path) -> None:
    """A trust root that does not name the log cannot judge it."""
    other = tmp_path / "other.json"
    other.write_bytes(trust().canonical())

    failed = run("verify", fork, "--trust", other).exception
    assert isinstance(failed, UnknownLog)
    assert failed.exit_code == 2


class Answering:
    """Stands in for a running node."""

    def __init__(self, *_: object) -> None:
        pass

    def post(self, path: str) -> dict[str, Any]:
        assert path == "/local/mirror"
        return {"folder": "/node/mirror", "shards": 1, "size": 91, "fetched": 0, "checked": 1, "mended": []}

    def get(self, path: str) -> dict[str, Any]:
        assert path == "/local/network"
        peer = {
            "participant": "p-aaaaaaaaaaaa",
            "size": 91,
            "answered": None,
            "silent_since": None,
            "trouble": None,
        }
        return {"peers": [peer], "stopped": [{"origin": ORIGIN, "evidence": "sha256:aa"}], "unsettled": 0}


def test_mirror_and_peers_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """People see how far the copy reaches, how witnesses answer, and which logs are stopped."""
    monkeypatch.setattr(network, "ControlClient", Answering)

    assert json.loads(run("audit", "mirror", "--json").stdout)["size"] == 91
    assert json.loads(run("audit", "peers", "--json").stdout)["unsettled"] == 0
    shown = run("audit", "peers").stdout
    assert "见证网络 peers (1)" in shown
    assert ORIGIN in shown
