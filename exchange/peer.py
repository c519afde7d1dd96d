"""From which network address a request came, as a policy may ask for it; None where nobody can say.

The address of the connection counts, in one spelling. Behind a reverse proxy that is the proxy's, which
would make every caller look as if it sat there: so the settings name the proxies, and only what a named
proxy itself added to ``X-Forwarded-For`` is believed. A condition on networks is not met by None.
"""

import ipaddress
from collections.abc import Sequence
from typing import TypeAlias

from fastapi import Request

from exchange.settings import Settings
from nodes.addresses import is_loopback_url

Networks: TypeAlias = Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]

FORWARDED = "x-forwarded-for"


def peer_address(request: Request, settings: Settings) -> str | None:
    """Give the IP address that a request came from; None behind a proxy that the settings do not name."""
    if request.client is None:
        return None
    lines = request.headers.getlist(FORWARDED)
    hops = [hop.strip() for line in lines for hop in line.split(",")]
    found = seen_from(request.client.host, hops, settings.proxies)
    # Whoever is on this machine, while nodes come from elsewhere, is a proxy that nobody named.
    if found is None or (found.is_loopback and not is_loopback_url(settings.public_url)):
        return None
    return str(found)


def seen_from(
    host: str, hops: Sequence[str], proxies: Networks
) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Walk back from the connection over the named proxies; ``hops`` are what they added, the newest last."""
    found, left = _literal(host), list(hops)
    while found is not None and any(found in network for network in proxies):
        found = _literal(left.pop()) if left else None
    return found


def _literal(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address without the zone that only its own machine understands; IPv4 in IPv6 is IPv4."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
