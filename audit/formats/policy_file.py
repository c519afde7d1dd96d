"""The policy file beside an export (c2sp.org/tlog-policy), held against the trust root.

Other people's tools take the witnesses from that file, and nobody signs it. Whoever has a trust root can tell
whether the file asks for what the provinces agreed on, and for no less.
"""

from audit.formats.quorum import PolicyInvalid, WitnessPolicy
from audit.keys.trust import TrustRoot


def check_policy_file(raw: bytes, root: TrustRoot) -> WitnessPolicy:
    """Give the policy; raise PolicyInvalid unless the root stands behind it.

    It has its one spelling, names only logs and witnesses of the root, replaced keys included, and asks for
    the root's quorum.
    """
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise PolicyInvalid("the policy file is not ASCII") from error
    policy = WitnessPolicy.parse(text)
    if policy.format() != text:
        raise PolicyInvalid("the policy file is not in its one spelling")
    logs = {one.verifier_key for one in root.logs}
    witnesses = {key.verifier_key for one in root.participants for key in one.witness_keys}
    if not {one.key for one in policy.logs} <= logs:
        raise PolicyInvalid("the policy file names a log that is not in the trust root")
    if not {one.key for one in policy.witnesses.values()} <= witnesses:
        raise PolicyInvalid("the policy file names a witness that is not in the trust root")
    quorum = policy.groups.get(policy.quorum or "")
    if quorum is None or quorum.k != root.quorum:
        raise PolicyInvalid(f"the policy file does not ask for {root.quorum} witnesses")
    return policy
