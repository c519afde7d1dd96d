"""Use cases of the mailbox: a node polls and answers, a consumer's request is relayed to a provider.

A relayed request passes untouched: the consumer's own signature covers it, so the provider checks exactly
what it would check on a direct call. Only deliveries are relayed, and only under an open grant between the
two.
"""

import re

from contracts.errors import Refused
from contracts.messages import MailboxAnswer, MemberStatus, Poll, PollAnswer, RelayRequest
from exchange.identity import Caller
from exchange.parts import Parts
from nodes.addresses import mailbox_base

MAX_HEADERS = 40
MAX_HEADER_CHARS = 8192

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
    check_relayed(provider, message)
    if not parts.roll.is_active(provider):
        raise NotRelayed(f"{provider} is not active", provider=provider)
    with parts.database.read() as session:
        grant = parts.hooks.relay_gate(session, caller.participant, provider, parts.clock.now())
        if grant is None:
            raise NotRelayed("there is no open grant between the two parties", provider=provider)
    with parts.mailbox.relaying(caller.participant, provider):
        return await parts.mailbox.call(
            provider,
            method=message.method,
            target_uri=message.target_uri,
            headers=message.headers,
            body=message.body,
            timeout_seconds=parts.settings.relay_timeout_seconds,
        )


def check_relayed(provider: str, message: RelayRequest) -> None:
    """Accept a delivery request for ``provider``, raise NotRelayed for anything else."""
    base = mailbox_base(provider)
    path = message.target_uri.removeprefix(base)
    if path == message.target_uri or not _RELAYED[message.method].fullmatch(path):
        raise NotRelayed("only deliveries of this provider are relayed")
    chars = sum(len(name) + len(value) for name, value in message.headers)
    if len(message.headers) > MAX_HEADERS or chars > MAX_HEADER_CHARS:
        raise NotRelayed("the request carries too many headers")
