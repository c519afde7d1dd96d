"""From which address a request came: one spelling, only named proxies believed, None where nobody knows."""

from typing import Any

import pytest
from fastapi import Request

from exchange.peer import peer_address
from exchange.settings import Settings, SettingsInvalid


def settings(**changes: Any) -> Settings:
    """Write the settings of an exchange that nodes reach from elsewhere."""
    values = {"home": "/nowhere", "origin": "audit.example/a", "public_url": "https://exchange.example"}
    return Settings.model_validate({**values, **changes})


def request(host: str | None, *forwarded: str) -> Request:
    """Make a request that came over a connection from ``host``."""
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    client = None if host is None else (host, 4711)
    return Request({"type": "http", "headers": headers, "client": client})


@pytest.mark.parametrize(
    ("host", "seen"),
    [
        ("10.51.3.4", "10.51.3.4"),
        ("::ffff:10.51.3.4", "10.51.3.4"),
        ("2001:DB8::0001", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("testclient", None),
        ("010.51.3.4", None),
        ("", None),
        (None, None),
    ],
)
def test_the_connection_is_believed_in_one_spelling(host: str | None, seen: str | None) -> None:
    """The address is a literal as Python writes it, without a zone; anything else is unknown."""
    assert peer_address(request(host), settings()) == seen


def test_nobody_says_from_where_they_come() -> None:
    """Without a named proxy a header of the caller's changes nothing."""
    assert peer_address(request("203.0.113.9", "10.51.3.4"), settings()) == "203.0.113.9"


@pytest.mark.parametrize(
    ("hops", "seen"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["10.51.3.4, 203.0.113.9"], "203.0.113.9"),
        (["10.51.3.4", "203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9, 192.0.2.7"], "203.0.113.9"),
        (["203.0.113.9, unknown"], None),
        (["203.0.113.9:443"], None),
        (["192.0.2.7"], None),
        ([], None),
    ],
)
def test_a_named_proxy_says_what_it_saw(hops: list[str], seen: str | None) -> None:
    """The newest hop that is no named proxy counts; what a caller wrote before it does not."""
    behind = settings(trusted_proxies="192.0.2.0/28, 198.51.100.1")

    assert peer_address(request("192.0.2.3", *hops), behind) == seen


def test_a_proxy_on_this_machine_that_nobody_named_hides_everyone() -> None:
    """Loopback is no address of a node's while nodes reach the exchange from elsewhere."""
    assert peer_address(request("127.0.0.1", "10.51.3.4"), settings()) is None
    assert peer_address(request("::1"), settings()) is None
    assert peer_address(request("127.0.0.1"), settings(public_url="http://127.0.0.1:8420")) == "127.0.0.1"


def test_proxies_are_addresses_and_networks() -> None:
    """A name, or a network with host bits, is refused."""
    for text in ("proxy.example", "10.0.0.1/8", "10.0.0.0/33"):
        with pytest.raises((SettingsInvalid, ValueError)):
            settings(trusted_proxies=text)
    assert settings(trusted_proxies=" 10.0.0.1 ,").trusted_proxies == "10.0.0.1/32"
