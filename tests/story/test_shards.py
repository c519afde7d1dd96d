"""The log goes on in new shards while the alliance runs: transfers, witnesses, mirrors and proofs follow."""

import json
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from audit.keys.trust_file import TrustFile
from audit.proofs.verify import Verdict, verify_transfer
from contracts.clock import SystemClock
from contracts.errors import HeadwatersError
from exchange.demo.processes import run
from exchange.demo.stage import wait_for
from exchange.log.offline import fsck_folder
from nodes.home import NodeHome
from tests.story.small_alliance import SmallAlliance, readings, small_alliance

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("story"), pytest.mark.timeout(300)]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallAlliance]:
    """Give an alliance of this test's own."""
    with small_alliance(tmp_path) as alliance:
        yield alliance


def test_the_log_goes_on_in_new_shards(small: SmallAlliance) -> None:
    """Twice the shard is closed by command, once with a kill behind it; every proof and the log hold."""
    small.pull()
    for release in (2, 3):
        done = run("exchange", "shard", "--home", small.alliance.exchange_home, "--json")
        assert done.returncode == 0, done.stderr
        if release == 3:
            small.alliance.exchange.kill()
            small.alliance.exchange.start()
        wait_for(f"shard {release}", partial(_opened, small, release))
        small.publish(readings(small.home / "input", release))
        wait_for("a pull in the new shard", partial(_pulled, small, release))
        small.drain()
    wait_for("the cosigned end", lambda: small.log()["witnessed_size"] == small.log()["size"] or None)
    copied = run("audit", "mirror", "--home", small.homes["consumer"], "--json")

    proofs = sorted((small.homes["consumer"] / "inbox").rglob("*.hwproof"))
    assert len([_verified(small, proof) for proof in proofs]) == 3
    trust = TrustFile.load(NodeHome(small.homes["consumer"]).trust_file).root
    assert len(trust.logs) == 3
    walked = fsck_folder(small.alliance.exchange_home)
    assert (walked.ok, walked.facts["shards"]) == (True, 3)
    assert copied.returncode == 0, copied.stderr
    mirrored = fsck_folder(
        small.homes["consumer"] / "mirror", trust=NodeHome(small.homes["consumer"]).trust_file
    )
    assert (mirrored.ok, mirrored.facts["shards"]) == (True, 3)
    assert json.loads(copied.stdout)


def _opened(small: SmallAlliance, number: int) -> bool | None:
    with suppress(HeadwatersError):  # the exchange may still be starting
        log = small.log()
        return (log["shard"] == number and not log["sealed"]) or None
    return None


def _pulled(small: SmallAlliance, release: int) -> bool | None:
    with suppress(HeadwatersError):
        small.pull()
    return True if small.cursor() == release else None


def _verified(small: SmallAlliance, proof: Path) -> Verdict:
    trust = TrustFile.load(NodeHome(small.homes["consumer"]).trust_file)
    return verify_transfer(proof.read_bytes(), None, trust, now=SystemClock().now())
