"""A provider's key is replaced between publishing and delivery: the proof says what was signed in time."""

import json
from pathlib import Path

import pytest

from audit.proofs.transfer_proof import read_proof
from exchange.demo.processes import run
from tests.story.small_alliance import DATASET, small_alliance

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("story"), pytest.mark.timeout(300)]


def test_terms_by_a_former_key_are_proven_by_their_own_entries(tmp_path: Path) -> None:
    """Release, record and agreement of before carry their entries; grant and receipts are by the new key."""
    with small_alliance(tmp_path / "alliance") as small:
        rotated = run("node", "rotate-key", "--role", "node", "--home", small.homes["provider"], "--json")
        assert rotated.returncode == 0, rotated.stderr
        small.pull()
        small.drain()

        consumer = small.homes["consumer"]
        file = next((consumer / "inbox" / DATASET).glob("*.parquet"))
        proof = file.with_name(f"{file.name}.hwproof")
        assert read_proof(proof.read_bytes()).terms.keys() == {"agreement", "manifest", "record"}
        done = run("verify", proof, "--file", file, "--trust", consumer / "trust.json", "--json")
        assert done.returncode == 0, done.stderr
        keys = json.loads((consumer / "trust.json").read_bytes())["own"]["participants"]
        assert sorted(len(one["node_keys"]) for one in keys) == [1, 2]
