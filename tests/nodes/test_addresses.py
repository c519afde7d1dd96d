import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import HeadwatersError
from nodes.addresses import BadAddress, PlainHttpRefused, checked_base, checked_peer, mailbox_participant


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://127.0.0.1:8420/", "http://127.0.0.1:8420"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("https://exchange.example", "https://exchange.example"),
    ],
)
def test_a_base_has_one_spelling(url: str, base: str) -> None:
    """A usable address comes back as scheme, host and port."""
    assert checked_base(url) == base


@pytest.mark.parametrize("url", ["http://exchange.example", "http://10.0.0.1:80", "http://127.0.0.1.example"])
def test_plain_http_off_loopback_is_refused(url: str) -> None:
    """Off loopback there is TLS."""
    with pytest.raises(PlainHttpRefused):
        checked_base(url)


@pytest.mark.parametrize(
    "url", ["ftp://a", "https://", "https://a/b", "https://a?x=1", "https://u:p@a", "https://a:99999", "a"]
)
def test_what_is_no_base_is_refused(url: str) -> None:
    """A path, a query, a password or another scheme is no base URL."""
    with pytest.raises(BadAddress):
        checked_base(url)


@given(st.text(max_size=60))
def test_any_text_is_refused_in_words_or_stable(text: str) -> None:
    """Whatever is typed becomes an error of the house, or an address that stays as it is."""
    try:
        base = checked_base(text)
    except HeadwatersError:
        return
    assert checked_base(base) == base


def test_only_node_names_belong_to_the_mailbox() -> None:
    """A mailbox name holds a participant id."""
    assert mailbox_participant("p-aaaaaaaaaaaa.node") == "p-aaaaaaaaaaaa"
    assert mailbox_participant("example.org") is None
    with pytest.raises(HeadwatersError):
        mailbox_participant("evil.node")


def test_a_far_exchange_sends_nobody_to_their_own_machine() -> None:
    """An address on loopback is refused, unless the exchange is on this machine as well."""
    near = "http://127.0.0.1:9000"

    assert checked_peer(near, "http://127.0.0.1:8420") == near
    assert checked_peer("https://node.example", "https://exchange.example") == "https://node.example"
    for own in (near, "https://localhost", "https://[::1]:1"):
        with pytest.raises(BadAddress):
            checked_peer(own, "https://exchange.example")
