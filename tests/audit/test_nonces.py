"""A signed request counts once."""

from datetime import timedelta

import pytest
from sqlmodel import select

from audit.database import Database
from audit.httpsig import HTTP_TAG, SignedParts
from audit.log.tables import Nonce
from audit.log.unit import Unit
from audit.nonces import SWEEP_MARGIN, Replayed, admit
from tests.audit.logs import NOW, event, running

LIFE = timedelta(seconds=60)


def _parts(nonce: str, keyid: str = "node:p-abcdefghijkm") -> SignedParts:
    return SignedParts(keyid=keyid, tag=HTTP_TAG, nonce=nonce, created_at=NOW, expires_at=NOW + LIFE)


def test_a_nonce_counts_once(database: Database) -> None:
    """The second use of a nonce by the same key is refused, in any later transaction."""
    with database.transaction() as session:
        admit(session, _parts("a" * 22), NOW)

    with database.transaction() as session, pytest.raises(Replayed):
        admit(session, _parts("a" * 22), NOW + LIFE)


def test_a_nonce_belongs_to_its_key(database: Database) -> None:
    """Another key may use the same nonce, and the same key another nonce."""
    with database.transaction() as session:
        admit(session, _parts("a" * 22), NOW)
        admit(session, _parts("a" * 22, "person:wang"), NOW)
        admit(session, _parts("b" * 22), NOW)
        found = len(session.exec(select(Nonce)).all())

    assert found == 3


def test_an_expired_nonce_is_swept(database: Database) -> None:
    """A nonce is forgotten once its signature has expired and the margin is over, not before."""
    with database.transaction() as session:
        admit(session, _parts("a" * 22), NOW)
        admit(session, _parts("b" * 22), NOW + LIFE + SWEEP_MARGIN)
        kept = sorted(session.exec(select(Nonce.nonce)))
        admit(session, _parts("c" * 22), NOW + LIFE + SWEEP_MARGIN + timedelta(milliseconds=1))
        left = sorted(session.exec(select(Nonce.nonce)))

    assert (kept, left) == (["a" * 22, "b" * 22], ["c" * 22])


def test_a_replay_refuses_its_unit_only(database: Database) -> None:
    """Inside the log, a replayed request loses its entry and the connection stays usable."""

    def work(unit: Unit) -> int:
        index = unit.append(event(1))
        admit(unit.session, _parts("a" * 22), unit.now)
        return index

    with running(database) as log:
        first = log.commit_blocking(work)
        with pytest.raises(Replayed):
            log.commit_blocking(work)
        size = log.size()

    assert (first.value, size) == (0, 1)
