"""An export's policy file asks for what the trust root asks for, or ``audit fsck`` says that it does not."""

from pathlib import Path

import pytest

from audit.formats.policy_file import check_policy_file
from audit.formats.quorum import PolicyInvalid, WitnessPolicy
from audit.keys.trust_file import TrustFile
from exchange.log.offline import fsck_folder
from tests.audit.logs import SIGNER
from tests.audit.logs import WITNESSES as STRANGERS
from tests.verifiers.emitted import POLICY, QUORUM, WITNESSES, copy, put
from tests.verifiers.specimens import alliance_root

KEYS = {f"w{number}": one.verifier_key for number, one in enumerate(WITNESSES, 1)}
GOOD = POLICY.format()


def test_the_policy_of_the_alliance_is_good() -> None:
    """What the exchange exports is what the provinces agreed on; fewer named witnesses are no lie."""
    fewer = WitnessPolicy.k_of_n(SIGNER.verifier_key, dict(list(KEYS.items())[:QUORUM]), QUORUM)

    assert check_policy_file(GOOD.encode(), alliance_root()) == POLICY
    assert check_policy_file(fewer.format().encode(), alliance_root()) == fewer


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD.replace("quorum-witnesses 5", "quorum-witnesses 4"),
        GOOD.replace("quorum-witnesses 5", "quorum-witnesses 6"),
        GOOD.replace("quorum quorum-witnesses", "quorum w1"),
        GOOD.replace("quorum quorum-witnesses", "quorum none"),
        GOOD.replace(str(KEYS["w1"]), str(STRANGERS[0].verifier_key)),
        GOOD.replace("\n", " \n", 1),
        GOOD + "# a remark\n",
        GOOD.replace("w1", "省"),
        f"log {SIGNER.verifier_key}\nquorum none\n",
    ],
)
def test_a_policy_that_asks_for_something_else_is_refused(text: str) -> None:
    """Fewer or other witnesses, another quorum, another spelling: the root does not stand behind it."""
    with pytest.raises(PolicyInvalid):
        check_policy_file(text.encode(), alliance_root())


def test_fsck_says_that_a_policy_file_misleads(emitted: dict[int, Path], tmp_path: Path) -> None:
    """The log itself is judged by the trust root, so it stays sound, and the doubt stands beside that."""
    trust = tmp_path / "trust.json"
    trust.write_bytes(TrustFile.of(None, alliance_root()).canonical())
    home = copy(emitted[257], tmp_path / "log")

    assert "policy_file" not in fsck_folder(home, trust=trust).facts
    put(home / "policy", GOOD.replace("quorum-witnesses 5", "quorum-witnesses 1").encode())
    walked = fsck_folder(home, trust=trust)
    assert walked.ok
    assert str(QUORUM) in walked.facts["policy_file"]
