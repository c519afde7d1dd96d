"""Addresses that may be called or served: off loopback there is TLS, and plain HTTP is refused.

A base URL is ``scheme://host[:port]``. A participant without an inbound address is named by
``http://<participant>.node``, an address that only the mailbox and the relay resolve.
"""

import ipaddress
import ssl
from functools import cache
from urllib.parse import urlsplit

import httpx

from contracts.errors import Invalid, Unavailable
from contracts.identifiers import Kind, parse_id

_NODE_SUFFIX = ".node"


class BadAddress(Invalid):
    """The address is not a base URL that can be used."""

    code = "bad-address"
    title_zh = "地址无法使用"
    next_zh = "写成 https://主机[:端口],不带路径。"
    next_en = "Write it as https://HOST[:PORT], without a path."


class AddressInUse(Unavailable):
    """The address to listen on cannot be taken."""

    code = "address-in-use"
    title_zh = "监听地址无法使用"
    next_zh = "换一个端口,或停止占用它的进程。"
    next_en = "Choose another port, or stop the process that holds it."


class PlainHttpRefused(Invalid):
    """Plain HTTP is refused off loopback."""

    code = "plain-http-refused"
    title_zh = "非本机地址不得使用明文 HTTP"
    next_zh = "改用 https:// 地址;服务端在 tls/ 放置证书与私钥。"
    next_en = "Use an https:// address; a server finds its certificate and key under tls/."


def is_loopback(host: str) -> bool:
    """Say whether ``host`` names this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_loopback_url(url: str) -> bool:
    """Say whether a base URL leads to this machine only; a proxy must never carry such a call elsewhere."""
    return is_loopback(urlsplit(url).hostname or "")


def checked_base(url: str) -> str:
    """Return ``scheme://host[:port]`` in one spelling; raise BadAddress or PlainHttpRefused."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadAddress(f"{url[:80]!r} is not a URL") from error
    if parts.scheme not in {"http", "https"} or not host or parts.username is not None:
        raise BadAddress(f"{url[:80]!r} is not an http(s) base URL")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise BadAddress(f"{url[:80]!r} carries a path")
    if parts.scheme == "http" and not is_loopback(host):
        raise PlainHttpRefused(f"{host} is not this machine")
    return f"{parts.scheme}://{bracketed(host)}" + (f":{port}" if port is not None else "")


def checked_peer(url: str, exchange_url: str) -> str:
    """Return a participant's published address in one spelling; raise BadAddress or PlainHttpRefused.

    Where the exchange is elsewhere, an address on loopback would make every caller speak to itself.
    """
    base = checked_base(url)
    if is_loopback_url(base) and not is_loopback_url(exchange_url):
        raise BadAddress(f"{base} names the caller's own machine")
    return base


@cache
def tls_context() -> ssl.SSLContext:
    """Make the TLS settings of every client once; SSL_CERT_FILE names a private authority.

    Reading the machine's certificates costs more than many a loopback call.
    """
    return httpx.create_ssl_context()


def mailbox_base(participant: str) -> str:
    """Give the base URL under which the mailbox and the relay know a participant."""
    return f"http://{participant}{_NODE_SUFFIX}"


def mailbox_participant(host: str) -> str | None:
    """Give the participant of a mailbox host name; None for any other host."""
    if not host.endswith(_NODE_SUFFIX):
        return None
    return parse_id(host.removesuffix(_NODE_SUFFIX), Kind.PARTICIPANT)


def host_port(listen: str) -> tuple[str, int]:
    """Read HOST:PORT, an IPv6 host in brackets or not; raise BadAddress."""
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise BadAddress(f"{listen[:80]!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def bracketed(host: str) -> str:
    """Write a host as it stands before ``:port``."""
    return f"[{host}]" if ":" in host else host
