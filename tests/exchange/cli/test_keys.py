"""The commands that change keys: what they ask of which process, and what they do not take."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from exchange.cli import keys
from exchange.cli.app import app


class Asked:
    """Stands in for the process of a home; keeps who asked for what."""

    calls: list[tuple[str, str | None, str, Any]]

    def __init__(self, home: Path, person: str | None) -> None:
        self.home, self.person = home, person

    def post(self, path: str, body: Any = None) -> dict[str, str]:
        """Note the request and answer."""
        Asked.calls.append((self.home.name, self.person, path, body))
        return {"role": "node"}


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> type[Asked]:
    """Let the commands speak to nobody."""
    Asked.calls = []
    monkeypatch.setattr(keys, "ControlClient", Asked)
    return Asked


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (
            "node rotate-key --role witness --home a",
            ("a", None, "/local/keys/rotate", {"role": "witness", "root_key": None}),
        ),
        (
            "node rotate-key --role node --root-key /safe/root.key --home a --as li",
            ("a", "li", "/local/keys/rotate", {"role": "node", "root_key": "/safe/root.key"}),
        ),
        (
            "node revoke-key --role node --reason lost --home a",
            ("a", None, "/local/keys/revoke", {"role": "node", "reason": "lost", "root_key": None}),
        ),
        (
            "exchange rotate-key --role statement --home x",
            ("x", "administrator", "/operator/keys/statement", None),
        ),
        (
            "exchange revoke-key p-aaaaaaaaaaaa --role witness --reason retired --home x",
            (
                "x",
                "administrator",
                "/operator/members/p-aaaaaaaaaaaa/revoke-key",
                {"role": "witness", "reason": "retired"},
            ),
        ),
    ],
)
def test_a_command_asks_the_process_of_its_home(words: str, call: tuple[Any, ...]) -> None:
    """Each command is one signed request."""
    done = CliRunner().invoke(app, [*words.split(), "--json"])

    assert (done.exit_code, Asked.calls) == (0, [call]), done.output


@pytest.mark.parametrize(
    "words",
    [
        "node rotate-key --role statement",
        "node revoke-key --role sealing --reason lost",
        "node revoke-key --role node --reason bored",
        "exchange rotate-key --role log",
        "exchange revoke-key p-aaaaaaaaaaaa --role node",
    ],
)
def test_what_a_command_does_not_take(words: str) -> None:
    """Roles and reasons are few; anything else is wrong usage and asks nobody."""
    done = CliRunner().invoke(app, words.split())

    assert (done.exit_code, Asked.calls) == (2, [])
