"""What the log entry of a grant must say: the one list that exchange, provider, consumer and verifier share.

The exchange writes the entry from it, both nodes hold the leaf against it before a byte moves, and the
offline verifier does so years later. ``prev`` is the log's own and stands in no grant.
"""

from audit.commitment import commit
from contracts.canonical import Json, digest
from contracts.clock import epoch_ms
from contracts.messages import Grant, Obligation


def obligations_digest(obligations: list[Obligation]) -> str:
    """Name a list of obligations by the digest of its canonical bytes."""
    value: list[Json] = [one.model_dump(mode="json") for one in obligations]
    return digest(value)


def grant_fields(grant: Grant, payload: bytes) -> dict[str, Json]:
    """Give the fields of a grant's entry; ``payload`` is the grant as it was signed."""
    salt = bytes.fromhex(grant.salt)
    return {
        "gid": grant.grant,
        "sub": grant.subscription,
        "seq": grant.seq,
        "prov": grant.provider,
        "cons": grant.consumer,
        "ckey": grant.consumer_key,
        "man": grant.manifest,
        "agr": grant.agreement_digest,
        "rec": grant.record,
        "obl": obligations_digest(grant.obligations),
        "pol": grant.policy,
        "dec": grant.decision,
        "exp": epoch_ms(grant.expires_at),
        "dsc": commit(salt, grant.dataset.encode()),
        "pur": commit(salt, grant.purpose.encode()),
        "ev": commit(salt, payload),
    }
