"""Suspension in the middle of a download: the stream stops within five seconds, and resuming goes on."""

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from contracts.clock import monotonic_seconds
from contracts.errors import HeadwatersError
from exchange.demo.stage import wait_for
from tests.story.recorder import Delivery
from tests.story.small_alliance import SmallAlliance, readings

ROWS = 100_000  # some 8 MB that do not compress
PACE = 512 * 1024  # bytes per second, so that the whole would take 15 seconds
WITHIN_SECONDS = 5.0
# What has left the provider's last check and not yet arrived: a block, and the buffers on the way.
ON_THE_WAY_SECONDS = 1024 * 1024 / PACE
pytestmark = [pytest.mark.story, pytest.mark.xdist_group("story"), pytest.mark.timeout(180)]


@pytest.mark.parametrize(("who", "number"), [("consumer", 1001), ("provider", 1002)])
def test_suspension_stops_a_running_download(shared: SmallAlliance, who: str, number: int) -> None:
    """No more leaves five seconds after either side is suspended; after resuming the rest follows, once."""
    shared.pull()
    shared.drain()
    participant = shared.alliance.ids[who]
    published = shared.publish(readings(shared.home / "input", number, ROWS))
    seen = len(shared.recorder.deliveries)
    shared.recorder.pace = PACE
    puller = _Puller(shared)
    puller.start()
    first = wait_for("the download", lambda: _running(shared, seen))

    shared.administer(participant, "suspend", "drill")
    suspended_at = monotonic_seconds()
    try:
        wait_for("the end of the stream", lambda: first.is_over or None)
        puller.join(30)
        refused = puller.failure
        with pytest.raises(HeadwatersError):
            shared.pull()
    finally:
        shared.recorder.pace = None
        shared.administer(participant, "resume")
    brought = wait_for("the rest", lambda: _pulled(shared))
    rest = shared.recorder.released()[-1]

    assert refused is not None
    assert 0 < first.released_bytes < first.size_bytes == published["size_bytes"]
    assert first.last_byte_seconds - suspended_at < WITHIN_SECONDS + ON_THE_WAY_SECONDS
    assert (rest.grant, rest.released_bytes) == (first.grant, rest.size_bytes)
    assert rest.size_bytes < first.size_bytes
    assert _content(brought) == _artifact(shared, published)
    shared.drain()


class _Puller(threading.Thread):
    """A pull that is expected to break off; keeps why."""

    def __init__(self, small: SmallAlliance) -> None:
        super().__init__(name="pull", daemon=True)
        self._small = small
        self.failure: HeadwatersError | None = None

    def run(self) -> None:
        """Pull once."""
        try:
            self._small.pull()
        except HeadwatersError as error:
            self.failure = error


def _running(small: SmallAlliance, seen: int) -> Delivery | None:
    """Give the delivery that has begun since, once some of it has gone out."""
    return next((one for one in small.recorder.deliveries[seen:] if one.released_bytes > PACE // 2), None)


def _pulled(small: SmallAlliance) -> dict[str, Any] | None:
    with suppress(HeadwatersError):  # the provider's revocation list may still be the old one
        return small.pull()
    return None


def _content(brought: dict[str, Any]) -> bytes:
    (file,) = brought["files"]
    return Path(file["path"]).read_bytes()


def _artifact(small: SmallAlliance, published: dict[str, Any]) -> bytes:
    name = published["artifact"].removeprefix("sha256:") + ".parquet"
    path: Path = small.homes["provider"] / "artifacts" / name
    return path.read_bytes()
