"""A bundle that somebody hands in is kept only when it holds together and passes its tests."""

import pytest

from exchange.policies import store
from policies.bundle import BundleTampered
from policies.trying.vetting import BundleUnfit
from tests.exchange.policies.office import Office, closed, files_of


@pytest.mark.parametrize(
    "text",
    [
        'package headwaters.main\n\nimport rego.v1\n\nanswer := {"allow": true}\n',
        "package headwaters.main\n\nimport rego.v1\n\nallow if http.send({})\n",
        "package headwaters.main\n\nnot rego at all {{{\n",
        "",
    ],
)
def test_a_bundle_that_does_not_hold_is_not_proposed(office: Office, text: str) -> None:
    """What permits without facts, leaves the profile or does not parse never waits for anybody."""
    bundle = closed()
    unfit = type(bundle)({"headwaters/main.rego": text.encode()})

    with pytest.raises(BundleUnfit):
        office.propose(unfit)
    assert office.standing()["open"] == []


def test_a_path_outside_the_bundle_is_refused(office: Office) -> None:
    """No file name leaves the bundle's folder."""
    bundle = type(closed())({"../evil.rego": b"package headwaters.main\n"})

    with pytest.raises(BundleTampered):
        office.propose(bundle)


def test_tests_that_come_along_must_pass(office: Office) -> None:
    """A failing test that came with the bundle keeps it out; passing ones are kept with it."""
    head = "package headwaters.closed_test\n\nimport rego.v1\n\nimport data.headwaters.main\n\n"
    passing = head + "test_refuses if {\n\tmain.answer.allow == false with input as {}\n}\n"
    failing = head + "test_permits if {\n\tmain.answer.allow == true with input as {}\n}\n"

    with pytest.raises(BundleUnfit) as refusal:
        office.propose(closed(), files=files_of(closed(), closed_test=failing))
    office.propose(closed(), files=files_of(closed(), closed_test=passing))

    assert "test_permits" in refusal.value.detail
    with office.alliance.parts.database.read() as session:
        assert store.tests_of(session, closed().digest) == {"closed_test.rego": passing}
