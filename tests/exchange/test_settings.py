"""Settings: file and environment, and everything misspelt is refused."""

from pathlib import Path
from typing import Any

import pytest

from exchange.serve import check_listen
from exchange.settings import (
    SETTINGS_FILE,
    NoExchangeHome,
    Settings,
    SettingsInvalid,
    format_settings,
    load_settings,
)
from nodes.addresses import PlainHttpRefused
from policies.engine import EngineOptions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with the least settings."""
    least = {"origin": "audit.example/1", "public_url": "https://exchange.example"}
    (tmp_path / SETTINGS_FILE).write_text(format_settings(least))
    return tmp_path


def test_the_environment_wins_over_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HEADWATERS_* lies on top of the file, and defaults fill the rest."""
    monkeypatch.setenv("HEADWATERS_QUORUM", "3")

    settings = load_settings(folder)

    assert (settings.quorum, settings.witnesses, settings.public_url) == (3, 7, "https://exchange.example")


def test_what_is_passed_wins_over_both(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An explicit argument, such as --listen, wins over file and environment."""
    monkeypatch.setenv("HEADWATERS_LISTEN", "127.0.0.1:1")

    settings = load_settings(folder, listen="127.0.0.1:2")

    assert settings.listen_port == 2


def test_an_unknown_variable_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt HEADWATERS_* variable stops the start and is named."""
    monkeypatch.setenv("HEADWATERS_QUORM", "3")

    with pytest.raises(SettingsInvalid) as refused:
        load_settings(folder)

    assert refused.value.facts["faults"] == ["HEADWATERS_QUORM"]


def test_an_unknown_key_in_the_file_is_refused(folder: Path) -> None:
    """A misspelt key in headwaters.toml stops the start."""
    with (folder / SETTINGS_FILE).open("a") as file:
        file.write("quorm = 3\n")

    with pytest.raises(SettingsInvalid, match="quorm"):
        load_settings(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("listen", "nowhere"),
        ("listen", "127.0.0.1:99999"),
        ("public_url", "http://exchange.example"),
        ("origin", "https://audit.example"),
        ("quorum", 8),
        ("tls_key", "key.pem"),
        ("grant_ttl_seconds", 0),
    ],
)
def test_a_value_out_of_range_is_refused(folder: Path, name: str, value: object) -> None:
    """A value that cannot work is refused when it is read, not when it is used."""
    with pytest.raises((SettingsInvalid, PlainHttpRefused)):
        load_settings(folder, **{name: value})


def test_a_file_that_is_not_toml_is_refused(folder: Path) -> None:
    """A file with a syntax error is refused."""
    (folder / SETTINGS_FILE).write_text("origin = \n")

    with pytest.raises(SettingsInvalid, match=SETTINGS_FILE):
        load_settings(folder)


def test_a_folder_without_settings_is_no_home(tmp_path: Path) -> None:
    """Without headwaters.toml a folder is not an exchange's home."""
    with pytest.raises(NoExchangeHome):
        load_settings(tmp_path)


def test_settings_are_written_as_they_are_read(folder: Path) -> None:
    """Quotes and backslashes survive the file."""
    odd = {"origin": "audit.example/1", "public_url": "https://e.example", "database_url": 'a"b\\c'}
    (folder / SETTINGS_FILE).write_text(format_settings(odd))

    assert load_settings(folder).database_url == 'a"b\\c'


def test_plain_http_is_served_on_loopback_only(folder: Path) -> None:
    """Off loopback a certificate and a key must be there before anything is bound."""
    with pytest.raises(PlainHttpRefused):
        check_listen(load_settings(folder, listen="0.0.0.0:8420"))
    with pytest.raises(SettingsInvalid, match="there is no file"):
        check_listen(
            load_settings(folder, listen="0.0.0.0:8420", tls_certificate="no.pem", tls_key="none.pem")
        )


@pytest.mark.parametrize(
    ("chosen", "address"),
    [
        ({"listen": "127.0.0.1:8420"}, "http://127.0.0.1:8420"),
        (
            {"listen": "0.0.0.0:8420", "tls_certificate": "c.pem", "tls_key": "k.pem", "local_port": 8421},
            "http://127.0.0.1:8421",
        ),
    ],
)
def test_people_reach_the_process_on_loopback(folder: Path, chosen: dict[str, Any], address: str) -> None:
    """Beside a TLS listener people have one on loopback; both bases are accepted in signatures."""
    settings = load_settings(folder, **chosen, public_url="https://exchange.example:443/")

    assert settings.own_address == address
    assert {address, "https://exchange.example"} <= set(settings.bases)


def test_every_setting_is_described() -> None:
    """Each setting says what it is, so that the reference page can be written from it."""
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_policy_settings_say_how_to_reach_an_opa_server(folder: Path) -> None:
    """The files and the deadline in milliseconds become the engine's options; half a pair is refused."""
    pair = {"policy_certificate": Path("c.pem"), "policy_client_key": Path("c.key")}
    settings = load_settings(folder, **pair, policy_ca=Path("ca.pem"), policy_token_file=Path("token"))

    assert settings.engine_options == EngineOptions(
        ca=Path("ca.pem"),
        certificate=Path("c.pem"),
        client_key=Path("c.key"),
        token_file=Path("token"),
        deadline_seconds=1.0,
    )
    for name, path in pair.items():
        with pytest.raises(SettingsInvalid):
            load_settings(folder, **{name: path})
    with pytest.raises(SettingsInvalid):
        load_settings(folder, policy_deadline_ms=49)
