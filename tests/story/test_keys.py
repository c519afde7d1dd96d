"""Every key is replaced while the alliance runs: transfers go on, and all proofs hold offline."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from audit.keys.trust_file import TrustFile
from audit.proofs.verify import Verdict, verify_transfer
from contracts.clock import SystemClock
from contracts.errors import HeadwatersError
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


def test_transfers_go_on_while_every_key_is_replaced(small: SmallAlliance) -> None:
    """After each rotation a new release moves under the new key, and every proof so far still verifies."""
    small.pull()
    release = 1
    for who, role in (
        ("provider", "node"),
        ("consumer", "node"),
        ("exchange", "statement"),
        ("consumer", "sealing"),
        ("provider", "witness"),
        ("consumer", "witness"),
        ("consumer", "node"),
    ):
        _rotate(small, who, role)
        release += 1
        small.publish(readings(small.home / "input", release))
        wait_for(f"a pull after {who}'s {role} key", partial(_pulled, small, release))
        small.drain()

    proofs = sorted((small.homes["consumer"] / "inbox").rglob("*.hwproof"))
    verdicts = [_verified(small, proof) for proof in proofs]
    assert len(verdicts) == 8
    trust = TrustFile.load(NodeHome(small.homes["consumer"]).trust_file).root
    ended = {len(one.node_keys) + len(one.witness_keys) for one in trust.participants}
    assert ended == {4, 5}
    assert len(trust.statement_keys) == 2
    assert fsck_folder(small.alliance.exchange_home).ok


def _rotate(small: SmallAlliance, who: str, role: str) -> None:
    if who == "exchange":
        small.alliance.operator("administrator").post("/operator/keys/statement")
    else:
        small.alliance.node(who).post("/local/keys/rotate", {"role": role})


def _pulled(small: SmallAlliance, release: int) -> bool | None:
    with suppress(HeadwatersError):  # a node hears of the new directory within its poll
        small.pull()
    return True if small.cursor() == release else None


def _verified(small: SmallAlliance, proof: Path) -> Verdict:
    trust = TrustFile.load(NodeHome(small.homes["consumer"]).trust_file)
    return verify_transfer(proof.read_bytes(), None, trust, now=SystemClock().now())
