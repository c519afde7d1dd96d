"""The rows of the policies room: bundles, changes of policy, and decisions."""

from sqlalchemy import BigInteger, Boolean, String
from sqlalchemy import Text as LongText
from sqlmodel import Field

from audit.log.tables import PLACE
from exchange.tables import ExchangeTable


class BundleRow(ExchangeTable, table=True):
    """One bundle that is or was in force, or was proposed; files are canonical JSON, text by path.

    ``shadow`` is set for the one that is asked beside the bundle in force, if there is one.
    """

    __tablename__ = "policy_bundle"

    digest: str = Field(sa_type=String(71), primary_key=True)
    sources: str = Field(sa_type=LongText)
    tests: str = Field(sa_type=LongText)
    shadow: bool = Field(default=False, sa_type=Boolean)
    at: int = Field(sa_type=BigInteger)


class ChangeRow(ExchangeTable, table=True):
    """One change of policy, from its proposal on; of those in state ``active`` the newest decides.

    ``statement`` is the digest of the proposal and ``proposal`` its envelope; both are None for the bundle
    that the founders adopted. ``replayed`` is what the replay before the approval found, as JSON.
    """

    __tablename__ = "policy_change"

    number: int = Field(sa_type=PLACE, primary_key=True, sa_column_kwargs={"autoincrement": False})
    bundle: str = Field(sa_type=String(71), index=True)
    state: str = Field(sa_type=String(12))
    widens: bool = Field(sa_type=Boolean)
    statement: str | None = Field(default=None, sa_type=String(71), unique=True)
    proposal: str | None = Field(default=None, sa_type=LongText)
    proposed_by: str | None = Field(default=None, sa_type=String(64))
    approval: str | None = Field(default=None, sa_type=LongText)
    settled_by: str | None = Field(default=None, sa_type=String(64))
    why: str | None = Field(default=None, sa_type=LongText)
    replayed: str | None = Field(default=None, sa_type=LongText)
    at: int = Field(sa_type=BigInteger)
    settled_at: int | None = Field(default=None, sa_type=BigInteger)


class DecisionRow(ExchangeTable, table=True):
    """One decision of which an entry came; ``origin`` and ``idx`` say which."""

    __tablename__ = "policy_decision"

    decision: str = Field(sa_type=String(14), primary_key=True)
    at: int = Field(sa_type=BigInteger, index=True)
    participant: str = Field(sa_type=String(14))
    dataset: str = Field(sa_type=String(63))
    action: str = Field(sa_type=String(10))
    purpose: str = Field(sa_type=String(63))
    outcome: str = Field(sa_type=String(14))
    policy: str = Field(sa_type=String(71))
    engine: str = Field(sa_type=String(80))
    revision: str = Field(sa_type=String(71))
    question: str = Field(sa_type=LongText)
    answer: str = Field(sa_type=LongText)
    origin: str = Field(sa_type=String(255))
    idx: int = Field(sa_type=BigInteger)
