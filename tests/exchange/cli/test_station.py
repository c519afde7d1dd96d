"""``headwaters station``: what an operator types, what the node is asked, what the operator reads."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from typer.testing import CliRunner

from contracts.errors import Usage
from exchange.cli import station
from exchange.cli.app import app
from nodes.control import ControlClient
from nodes.stations import registry
from nodes.stations.model import refuse
from tests.nodes.flows.test_local_routes import Person
from tests.nodes.sharing import World, exchange, joined, world
from tests.nodes.stations.collecting import SOURCE, Province, province
from tests.nodes.stations.hearing import MN, hour

__all__ = ["exchange", "joined", "world"]

NEW = "D" * 24
PASSWORD = "s3cret"
KEY = "00112233445566778899AABBCCDDEEFF"


@pytest.fixture
def outlets(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Province]:
    """Let the commands speak to a node in this process that knows one station."""
    one = province(world)
    person = Person(world, world.provider)

    class InProcess(ControlClient):
        @contextmanager
        def _open(self, *, stream: bool = False) -> Iterator[httpx.Client]:  # noqa: ARG002  # as the client has it
            yield person.client

    monkeypatch.setattr(station, "ControlClient", InProcess)
    with person.client:
        yield one
    one.journal.close()


def typed(*words: str) -> Any:
    """Run a command and give the JSON that it prints."""
    result = CliRunner().invoke(app, ["station", *words, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return orjson.loads(result.stdout)


def shown(*words: str, answer: str | None = None) -> str:
    """Run a command as a person does and give what it prints."""
    result = CliRunner().invoke(app, ["station", *words], input=answer, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def secrets(tmp_path: Path) -> list[str]:
    """Write password and key into files, and give the options that name them."""
    (tmp_path / "pw").write_text(PASSWORD + "\n")
    (tmp_path / "key").write_text(KEY + "\n")
    return [f"--password-file={tmp_path / 'pw'}", f"--sm4-key-file={tmp_path / 'key'}"]


def test_an_operator_registers_changes_and_retires(outlets: Province, secrets: list[str]) -> None:
    """Four commands for the life of a station; its secrets are read from files and shown nowhere."""
    named = [NEW, "--name=stack", f"--source={SOURCE}", "--edition=2025", "--unit=a34004=ug/m3"]
    added = typed("add", *named, *secrets)
    changed = typed("change", NEW, "--name=stack 2")
    retired = shown("retire", NEW)
    page = shown("show", NEW) + shown("list")

    assert (added["encrypts"], added["units"], changed["name"]) == (True, {"a34004": "ug/m3"}, "stack 2")
    assert "retired" in retired
    assert "a34004=ug/m3" in page
    assert PASSWORD not in page
    assert KEY not in page
    assert registry.find_station(outlets.node, NEW).secret.password == PASSWORD


def test_a_password_is_asked_for(outlets: Province) -> None:
    """Without a file the password is typed, and not echoed."""
    page = shown("add", NEW, "--name=stack", f"--source={SOURCE}", answer="typed1\n")

    assert "typed1" not in page
    assert registry.find_station(outlets.node, NEW).secret.password == "typed1"


def test_what_came_is_collected_and_what_was_refused_is_shown(outlets: Province) -> None:
    """Refused frames are told with the reason in Chinese and English, and without their password."""
    outlets.take(hour(0))
    outlets.journal.close()
    frame = refuse(hour(1).frame(), "hj212-checksum", "the checksum of the segment is 1C80")
    registry.NodeRegister(outlets.node).note([("10.0.0.9", frame)], {}, {})

    collected = typed("collect")
    found = typed("refused", f"--mn={MN}")
    page = shown("refused") + shown("show", MN)

    assert (collected["records"], collected["sources"]) == (2, [SOURCE])
    assert found["counts"] == {"hj212-checksum": 1}
    assert found["frames"][0]["title"]["zh"] == "报文 CRC 校验错误"
    assert "PW=******" in found["frames"][0]["frame"]
    assert "10.0.0.9" in page
    assert typed("list")["listening"] is None


def test_a_unit_without_its_factor_is_wrong_usage(outlets: Province, secrets: list[str]) -> None:
    """``--unit ug/m3`` does not say which factor it is of."""
    with pytest.raises(Usage):
        typed("add", NEW, "--name=x", f"--source={SOURCE}", "--unit=ug/m3", secrets[0])


def test_a_simulated_station_finds_nobody(secrets: list[str]) -> None:
    """Simulating towards an address that is none is wrong usage, before anything is sent."""
    with pytest.raises(Usage):
        typed("simulate", "--to=nowhere", f"--mn={MN}", secrets[0])
