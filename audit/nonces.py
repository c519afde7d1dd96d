"""The durable memory of request nonces: a signed request counts once (RFC 9421 s7.2.2).

A nonce is kept until its signature has expired and a margin for clock skew is over; after that the signature
itself is refused. The row commits with whatever the request caused, or not at all.
"""

from datetime import datetime, timedelta

from sqlalchemy import CursorResult, delete, text
from sqlmodel import Session, col

from audit.httpsig import SignedParts
from audit.log.tables import Nonce
from contracts.clock import epoch_ms
from contracts.errors import Unauthenticated

SWEEP_MARGIN = timedelta(seconds=60)
_MAX_LENGTH = 200

# Plain SQL, because only the dialects' own constructs know ON CONFLICT and both spell it like this.
_INSERT = text(
    "INSERT INTO nonce (keyid, nonce, expires_at) VALUES (:keyid, :nonce, :expires_at) ON CONFLICT DO NOTHING"
)


class Replayed(Unauthenticated):
    """The signed request was used before."""

    code = "replayed"
    title_zh = "签名请求已被使用过"
    next_zh = "重新签名(使用新的 nonce)后再发送。"
    next_en = "Sign the request again with a fresh nonce."


def admit(session: Session, parts: SignedParts, now: datetime) -> None:
    """Remember the nonce of a verified request; raise Replayed when its key used it before.

    The caller has verified the signature and its times. Expired nonces are swept on the way.
    """
    if len(parts.nonce) > _MAX_LENGTH or len(parts.keyid) > _MAX_LENGTH:
        raise Replayed(f"a nonce and a key id have at most {_MAX_LENGTH} characters")
    connection = session.connection()
    connection.execute(delete(Nonce).where(col(Nonce.expires_at) < epoch_ms(now - SWEEP_MARGIN)))
    result: CursorResult[tuple[()]] = connection.execute(
        _INSERT, {"keyid": parts.keyid, "nonce": parts.nonce, "expires_at": epoch_ms(parts.expires_at)}
    )
    if result.rowcount != 1:
        raise Replayed("this key used this nonce before")
