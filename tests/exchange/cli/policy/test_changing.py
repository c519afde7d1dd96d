"""``headwaters policy propose`` to ``rollback`` and ``exchange person``: what people do, end to end."""

import asyncio
import io
import json
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from typer.testing import CliRunner, Result

from audit.keys.signing import load_key
from contracts.errors import Conflict, HeadwatersError, NotFound, Refused, Usage
from contracts.problem import error_from
from exchange.cli import acting
from exchange.cli.app import app
from policies.bundle import Bundle, BundleTampered, shipped_bundle
from policies.opa.signing import (
    BundleUnsigned,
    SignerUnnamed,
    create_key,
    plain_archive,
    public_pem,
    signed_archive,
)
from tests.exchange.policies.office import alike, closed, wide
from tests.exchange.provinces import Exchange
from tests.exchange.trading import Alliance, Trade, alliance, exchange_home, trade

__all__ = ["alliance", "exchange_home", "trade"]

Run: TypeAlias = Callable[..., Any]


@pytest.fixture
def run(alliance: Alliance, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Give a function that runs a command on the alliance's exchange and reads its JSON."""

    class InProcess:
        """Signs as the real client does, and calls the app without a socket."""

        def __init__(self, home: Path, person: str) -> None:
            assert home == alliance.parts.settings.home
            self._client = Exchange(alliance.parts, alliance.clock).person(person)

        def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
            return self._done("GET", path, params=query)

        def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
            return self._done("POST", path, json=body or {})

        def _done(self, method: str, path: str, **what: Any) -> Any:
            with redirect_stdout(io.StringIO()):  # the process writes its log elsewhere
                answer = asyncio.run(self._client.request(method, path, **what))
            if not answer.is_success:
                raise error_from(answer.status_code, answer.content)
            return answer.json()

    monkeypatch.setattr(acting, "ControlClient", InProcess)

    def invoke(*words: str, exit_code: int = 0) -> Any:
        home = ["--home", str(alliance.parts.settings.home)]
        done: Result = CliRunner().invoke(app, [*words, *home, "--json"])
        if isinstance(done.exception, HeadwatersError):
            raise done.exception
        assert done.exit_code == exit_code, done.output
        return json.loads(done.stdout)

    return invoke


def _folder(bundle: Bundle, path: Path, **tests: str) -> Path:
    """Write a bundle as an author keeps it, sealed."""
    for name, raw in bundle.files().items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(raw)
    for name, text in tests.items():
        (path / "tests").mkdir(exist_ok=True)
        (path / "tests" / f"{name}.rego").write_text(text)
    return path


def test_two_people_change_the_policy_and_go_back(run: Run, alliance: Alliance, tmp_path: Path) -> None:
    """Propose, look, approve by the beginning of the digest, and roll back with two people again."""
    folder = _folder(closed(), tmp_path / "mine")
    run("policy", "propose", str(folder), "--why", "too open")
    beginning = closed().digest[7:17]
    shown = run("policy", "show", beginning)
    after = run("policy", "approve", beginning)
    run("policy", "rollback", "--why", "too closed")
    waiting = run("policy", "list")
    back = run("policy", "approve", shipped_bundle().digest)

    assert shown["files"] == {path: raw.decode() for path, raw in closed().sources.items()}
    assert after["policy"] == closed().digest
    assert (waiting["policy"], waiting["open"][0]["why"]) == (closed().digest, "too closed")
    assert (back["policy"], alliance.parts.policy.digest) == (shipped_bundle().digest,) * 2


def test_the_proposer_needs_somebody_else(run: Run, tmp_path: Path) -> None:
    """The administrator's own approval is refused."""
    run("policy", "propose", str(_folder(closed(), tmp_path / "mine")), "--why", "because")

    with pytest.raises(Refused) as refusal:
        run("policy", "approve", closed().digest, "--as", "administrator")
    assert refusal.value.code == "second-person-needed"


def test_a_widening_is_said_by_both(run: Run, trade: Trade, tmp_path: Path) -> None:
    """Without ``--widens`` on both sides a wider policy is refused with samples; replay says so before."""
    with pytest.raises(Refused):
        trade.alliance.apply(trade.consumer, purpose="never-offered")
    folder = str(_folder(wide(), tmp_path / "mine"))
    replayed = run("policy", "replay", "--bundle", folder, exit_code=1)
    run("policy", "propose", folder, "--why", "because", "--widens")
    with pytest.raises(Refused) as refusal:
        run("policy", "approve", wide().digest)
    done = run("policy", "approve", wide().digest, "--widens")

    assert (replayed["permitted"], replayed["widens"], len(replayed["samples"])) == (1, True, 1)
    assert refusal.value.code == "policy-widens"
    assert done["policy"] == wide().digest


def test_a_replay_that_widens_nothing_ends_well(run: Run, trade: Trade, tmp_path: Path) -> None:
    """Exit code 0 says that nothing more would be permitted or shown."""
    replayed = run("policy", "replay", "--bundle", str(_folder(alike(), tmp_path / "mine")), "--last", "5")

    assert (replayed["asked"], replayed["same"], replayed["widens"]) == (1, 1, False)


def test_an_author_seals_what_was_edited(run: Run, tmp_path: Path) -> None:
    """Edited rules are refused until their author has sealed them."""
    folder = _folder(closed(), tmp_path / "mine")
    (folder / "headwaters" / "main.rego").write_bytes(closed("edited").sources["headwaters/main.rego"])
    with pytest.raises(BundleTampered):
        run("policy", "propose", str(folder), "--why", "because")
    sealed = CliRunner().invoke(app, ["policy", "seal", str(folder), "--json"])
    proposed = run("policy", "propose", str(folder), "--why", "because")

    assert json.loads(sealed.stdout)["policy"] == closed("edited").digest
    assert proposed["open"][0]["policy"] == closed("edited").digest


def test_tests_beside_the_rules_come_along(run: Run, tmp_path: Path) -> None:
    """A failing test in the folder keeps its bundle from being proposed."""
    head = "package headwaters.closed_test\n\nimport rego.v1\n\nimport data.headwaters.main\n\n"
    failing = head + "test_permits if {\n\tmain.answer.allow == true with input as {}\n}\n"
    folder = _folder(closed(), tmp_path / "mine", closed_test=failing)

    with pytest.raises(HeadwatersError) as refusal:
        run("policy", "propose", str(folder), "--why", "because")
    assert refusal.value.code == "bundle-unfit"


def test_a_signed_bundle_needs_its_authors_key(run: Run, tmp_path: Path) -> None:
    """A contributed archive is proposed only where the signature that it carries holds under a named key."""
    author, stranger = create_key(tmp_path / "author.key"), create_key(tmp_path / "stranger.key")
    (tmp_path / "author.pem").write_bytes(public_pem(author))
    (tmp_path / "stranger.pem").write_bytes(public_pem(stranger))
    (tmp_path / "signed.tar.gz").write_bytes(signed_archive(closed(), author))
    (tmp_path / "plain.tar.gz").write_bytes(plain_archive(closed()))
    ask = ("policy", "propose", "--why", "contributed")
    with pytest.raises(SignerUnnamed):
        run(*ask, str(tmp_path / "signed.tar.gz"))
    for archive, key in (("signed.tar.gz", "stranger.pem"), ("plain.tar.gz", "author.pem")):
        with pytest.raises(BundleUnsigned):
            run(*ask, str(tmp_path / archive), "--public", str(tmp_path / key))
    with pytest.raises(BundleUnsigned):
        run(*ask, str(_folder(closed(), tmp_path / "mine")), "--public", str(tmp_path / "author.pem"))

    run(*ask, str(tmp_path / "signed.tar.gz"), "--public", str(tmp_path / "author.pem"))

    assert [one["policy"] for one in run("policy", "list")["open"]] == [closed().digest]


def test_a_candidate_is_shadowed_and_rejected(run: Run, tmp_path: Path) -> None:
    """A shadow is set and stopped by command, and a proposal closed."""
    run("policy", "propose", str(_folder(closed(), tmp_path / "mine")), "--why", "because")
    begun = run("policy", "shadow", closed().digest)
    stopped = run("policy", "shadow", "--stop")
    rejected = run("policy", "reject", closed().digest)

    assert (begun["shadow"]["policy"], stopped["shadow"]) == (closed().digest, None)
    assert (rejected["open"], rejected["changes"][0]["state"]) == ([], "rejected")


@pytest.mark.parametrize(
    "words",
    [
        ("policy", "propose", "--why", "because"),
        ("policy", "propose", "--shipped"),
        ("policy", "rollback", "--why", "because"),
        ("policy", "approve", "77"),
        ("policy", "shadow"),
    ],
)
def test_what_the_commands_do_not_take(run: Run, words: tuple[str, ...]) -> None:
    """No bundle, no reason, nothing to go back to, and a digest that nothing begins with are wrong usage."""
    with pytest.raises(Usage):
        run(*words)


def test_the_shipped_policy_is_in_force_already(run: Run) -> None:
    """``--shipped`` proposes what the software brought, where that is another one."""
    with pytest.raises(Conflict):
        run("policy", "propose", "--shipped", "--why", "because")


def test_files_are_written_for_a_second_look(run: Run, tmp_path: Path) -> None:
    """``policy show --to`` writes what an approver reads, byte for byte."""
    run("policy", "show", shipped_bundle().digest, "--to", str(tmp_path / "seen"))

    written = {
        str(path.relative_to(tmp_path / "seen")): path.read_bytes()
        for path in (tmp_path / "seen").rglob("*.rego")
    }
    assert written == dict(shipped_bundle().sources)


def test_a_person_is_added_by_two(run: Run, alliance: Alliance) -> None:
    """``person add`` makes a private key, ``confirm`` by another lets it act, and ``list`` shows both."""
    run("exchange", "person", "add", "li-si", "--role", "operator")
    with pytest.raises(Refused):
        run("exchange", "person", "confirm", "li-si", "--as", "administrator")
    run("exchange", "person", "confirm", "li-si")
    listed = {one["name"]: one for one in run("exchange", "person", "list", "--as", "li-si")}
    key = alliance.parts.settings.home / "people" / "li-si.key"

    assert listed["li-si"]["roles"] == ["operator"]
    assert listed["li-si"]["key"] == load_key(key).public.text
    assert key.stat().st_mode & 0o777 == 0o600


def test_nobody_waits_under_that_name(run: Run) -> None:
    """Confirming somebody who was never proposed is refused."""
    with pytest.raises(NotFound):
        run("exchange", "person", "confirm", "nobody")
