"""Where an OPA server is: plain HTTP on this machine only, HTTPS anywhere else."""

import ipaddress
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from contracts.errors import Usage

_PORTS = {"http": 80, "https": 443}


class BadPolicyUrl(Usage):
    """The policy server's URL is not usable."""

    code = "policy-url-bad"
    title_zh = "策略服务器地址不可用"
    next_zh = "使用 https://主机:端口;明文 http 只允许本机回环地址。"
    next_en = "Use https://HOST:PORT; plain http is allowed to a loopback address only."


@dataclass(frozen=True, slots=True)
class Address:
    """Host, port, and whether TLS stands before them."""

    host: str
    port: int
    secure: bool

    @classmethod
    def read(cls, url: str) -> Self:
        """Read ``http(s)://HOST[:PORT]``; raise BadPolicyUrl for anything more, or for http off loopback."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise BadPolicyUrl("the URL cannot be read") from error
        more = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
        if parts.scheme not in _PORTS or not host or more or any(sign.isspace() for sign in url):
            raise BadPolicyUrl("the URL is http(s)://HOST:PORT and nothing more")
        secure = parts.scheme == "https"
        if not secure and not _loopback(host):
            raise BadPolicyUrl(f"plain http to {host[:80]} would show every question to the network")
        return cls(f"[{host}]" if ":" in host else host, port or _PORTS[parts.scheme], secure)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
