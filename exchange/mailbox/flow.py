"""Use cases of the mailbox: a node polls and answers, a consumer's request is relayed to a provider.

A relayed request passes untouched: the consumer's own signature covers it, so the provider checks exactly
what it would check on a direct call. Only deliveries are relayed, and only under an open grant between the
two; and the questions by which nodes compare what they saw of the log, which need none.
"""

import re

from contracts.errors import Refused
from contracts.messages import MailboxAnswer, MemberStatus, Poll, PollAnswer, RelayRequest
from exchange.identity import Caller
from exchange.parts import Parts
from nodes.addresses import mailbox_base

MAX_HEADERS = 40
MAX_HEADER_CHARS = 8192

_GOSSIP = "/witness/gossip"
_RELAYED = {
    "POST": re.compile(r"/deliveries", re.ASCII),
    "GET": re.compile(r"/deliveries/g-[a-z2-9]{12}/data", re.ASCII),
}


class NotRelayed(Refused):
    """The exchange does not relay this request."""

    code = "not-relayed"
    title_zh = "交换中心不转发该请求"
    next_zh = "只转发有效授权下的数据交付请求;先申请授权。"
    next_en = "Only deliveries under an open grant are relayed; ask for a grant first."


async def poll(parts: Parts, caller: Caller, message: Poll) -> PollAnswer:
    """Wait for work; a node out of good standing hears of newer heads only, and gets no requests."""
    if caller.status is MemberStatus.ACTIVE:
        return await parts.mailbox.poll(caller.participant, message.heads, message.wait_seconds)
    return PollAnswer(requests=[], heads=parts.mailbox.heads)


async def relay(parts: Parts, caller: Caller, provider: str, message: RelayRequest) -> MailboxAnswer:
    """Carry a consumer's signed request to a provider and bring the sealed answer back.

    Raises NotRelayed, NodeSilent, MailboxFull.
    """
    path = check_relayed(provider, message)
    if not parts.roll.is_active(provider):
        raise NotRelayed(f"{provider} is not active", provider=provider)
    if path != _GOSSIP:
        _check_grant(parts, caller.participant, provider)
    with parts.mailbox.relaying(caller.participant, provider):
        answer = await parts.mailbox.call(
            provider,
            method=message.method,
            target_uri=message.target_uri,
            headers=message.headers,
            body=message.body,
            timeout_seconds=_patience_seconds(parts, path),
        )
    # Either side may have been suspended or quarantined while the answer was on its way.
    for side in (provider, caller.participant):
        if not parts.roll.is_active(side):
            raise NotRelayed(f"{side} is not active", provider=provider)
    return answer


def check_relayed(provider: str, message: RelayRequest) -> str:
    """Accept a delivery or gossip request for ``provider`` and give its path; raise NotRelayed for others."""
    base = mailbox_base(provider)
    path = message.target_uri.removeprefix(base)
    is_gossip = (message.method, path) == ("POST", _GOSSIP)
    if path == message.target_uri or not (is_gossip or _RELAYED[message.method].fullmatch(path)):
        raise NotRelayed("only deliveries and gossip of this provider are relayed")
    chars = sum(len(name) + len(value) for name, value in message.headers)
    if len(message.headers) > MAX_HEADERS or chars > MAX_HEADER_CHARS:
        raise NotRelayed("the request carries too many headers")
    return path


def _check_grant(parts: Parts, consumer: str, provider: str) -> None:
    with parts.database.read() as session:
        grant = parts.hooks.relay_gate(session, consumer, provider, parts.clock.now())
    if grant is None:
        raise NotRelayed("there is no open grant between the two parties", provider=provider)


def _patience_seconds(parts: Parts, path: str) -> float:
    settings = parts.settings
    return settings.witness_timeout_seconds if path == _GOSSIP else settings.relay_timeout_seconds
