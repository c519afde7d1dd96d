"""One small alliance for the tests that leave it as they found it."""

from collections.abc import Iterator

import pytest

from tests.story.small_alliance import SmallAlliance, small_alliance


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallAlliance]:
    """Give a running alliance; a test that changes it changes it back."""
    with small_alliance(tmp_path_factory.mktemp("alliance")) as small:
        yield small
