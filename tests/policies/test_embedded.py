"""The embedded engine opens only the bundle and the engine that it was promised."""

import asyncio
import base64
import shutil
from pathlib import Path

import pytest
import regorus  # type: ignore[import-untyped]  # a native module without stubs

from policies import embedded
from policies.bundle import Bundle, BundleTampered, seal, shipped_bundle, shipped_folder
from policies.embedded import EngineUnfit, check_distribution, is_panic, open_embedded
from policies.engine import UnknownScheme, open_engine
from policies.profile.limits import OutsideProfile
from tests.policies.questions import TRANSFER


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sealed copy of the shipped bundle that a test may spoil."""
    copy = tmp_path / "rego"
    shutil.copytree(shipped_folder(), copy)
    return copy


def test_the_shipped_bundle_opens_by_url() -> None:
    """``embedded:`` gives an engine that names the shipped bundle."""
    assert open_engine("embedded:").digest == shipped_bundle().digest


def test_a_folder_opens_by_url(folder: Path) -> None:
    """``embedded:FOLDER`` gives an engine on the sealed bundle in that folder."""
    engine = open_engine(f"embedded:{folder}")

    assert asyncio.run(engine.decide(TRANSFER)).outcome == "permit"


@pytest.mark.parametrize("url", ["", "opa", "ftp://pdp.example", "file:/x", "embedded"])
def test_an_unknown_scheme_is_wrong_usage(url: str) -> None:
    """A scheme without a builder is refused with exit code 64."""
    with pytest.raises(UnknownScheme) as caught:
        open_engine(url)

    assert caught.value.exit_code == 64


def test_a_changed_file_is_noticed(folder: Path) -> None:
    """One changed byte in one policy file and the bundle does not load."""
    path = folder / "headwaters" / "access.rego"
    path.write_text(path.read_text().replace('status == "active"', 'status != "revoked"'))

    with pytest.raises(BundleTampered):
        open_embedded(str(folder))


def test_an_added_or_missing_file_is_noticed(folder: Path) -> None:
    """The digest covers which files there are."""
    (folder / "headwaters" / "more.rego").write_text("package headwaters.more\n\nimport rego.v1\n")
    with pytest.raises(BundleTampered):
        open_embedded(str(folder))
    (folder / "headwaters" / "more.rego").unlink()
    (folder / "headwaters" / "apply.rego").unlink()
    with pytest.raises(BundleTampered):
        open_embedded(str(folder))


@pytest.mark.parametrize("place", ["data.json", "headwaters/data.json", "headwaters/main/data.yaml"])
def test_data_documents_are_refused(folder: Path, place: str) -> None:
    """In regorus data overrides rules of the same name, so a bundle may bring none, sealed or not."""
    path = folder / place
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"headwaters": {"main": {"answer": {"allow": true}}}}')

    with pytest.raises(BundleTampered):
        seal(folder)
    with pytest.raises(BundleTampered):
        open_embedded(str(folder))


def test_a_bundle_without_manifest_is_refused(folder: Path) -> None:
    """Unsealed files are nobody's policy."""
    (folder / ".manifest").unlink()

    with pytest.raises(BundleTampered):
        open_embedded(str(folder))


def test_the_digest_does_not_depend_on_order() -> None:
    """The same files in another order are the same bundle; other content is another."""
    sources = shipped_bundle().sources
    turned = Bundle(dict(reversed(list(sources.items()))))

    assert turned.digest == shipped_bundle().digest
    assert Bundle({"headwaters/main.rego": b""}).digest != turned.digest


OUTSIDE: list[str] = [
    "x := http.send({})",
    "x := time.now_ns()",
    "x := rand.intn(input.purpose, 2)",
    "x if walk(input)",
    "x if every f in input.fields { f }",
    "x if data.headwaters.main.allow",
    "x := data",
    "x if not input.purpose",
    "y if input.purpose\n\nx if not y",
    'x if not input.purpose in {"a"}',
    "x if not count(input.purpose)",
    "x := y with input as {}\n\ny := input",
    "x := $`a`",
]


@pytest.mark.parametrize("body", OUTSIDE)
def test_rego_outside_the_profile_is_refused(folder: Path, body: str) -> None:
    """A sealed bundle that uses what engines treat differently, or what fails open, does not load."""
    text = f"package headwaters.more\n\nimport rego.v1\n\n{body}\n"
    (folder / "headwaters" / "more.rego").write_text(text)
    seal(folder)

    with pytest.raises(OutsideProfile):
        open_embedded(str(folder))


@pytest.mark.parametrize(
    "head",
    [
        "package elsewhere\n\nimport rego.v1",
        "package headwaters.more",
        "package headwaters.more\n\nimport rego.v1\nimport data.elsewhere",
        "package headwaters.more\n\nimport rego.v1\nimport data.headwaters.access as apply",
    ],
)
def test_packages_and_imports_stay_in_the_house(folder: Path, head: str) -> None:
    """Only headwaters packages, with rego.v1, importing each other under their own names."""
    (folder / "headwaters" / "more.rego").write_text(f"{head}\n\nx := 1\n")
    seal(folder)

    with pytest.raises(OutsideProfile):
        open_embedded(str(folder))


def test_not_over_a_total_rule_is_inside_the_profile(folder: Path) -> None:
    """A default makes a rule total; local functions and imported totals are fine too."""
    text = (
        "package headwaters.more\n\nimport rego.v1\n\nimport data.headwaters.emergency\n\n"
        "default y := false\n\ny if input.purpose\n\nf(a) := lower(a)\n\n"
        "x if {\n\tnot y\n\tnot emergency.declared\n\tf(input.purpose) == `a`\n}\n"
    )
    (folder / "headwaters" / "more.rego").write_text(text)
    seal(folder)

    assert open_embedded(str(folder)).decide_now(TRANSFER).outcome == "permit"


def test_policies_that_do_not_parse_are_refused(folder: Path) -> None:
    """A syntax error is told at load, without a native stack trace."""
    (folder / "headwaters" / "more.rego").write_text("package headwaters.more\nx := \n")
    seal(folder)

    with pytest.raises(OutsideProfile) as caught:
        open_embedded(str(folder))

    assert "expecting expression" in str(caught.value)
    assert "backtrace" not in str(caught.value)


@pytest.mark.parametrize(
    "main",
    [
        b"package headwaters.main\n\nimport rego.v1\n\nx := 1\n",
        b"package headwaters.main\n\nimport rego.v1\n\nanswer := true\n",
        b'package headwaters.main\n\nimport rego.v1\n\nanswer := {"allow": true}\n',
        b"package headwaters.main\n\nimport rego.v1\n\nanswer if x\n\nx if answer\n",
        b"package headwaters.main\n\nimport rego.v1\n\nanswer := `\xff`\n",
    ],
)
def test_a_policy_that_cannot_refuse_is_refused(folder: Path, main: bytes) -> None:
    """At load the policy must answer a question without facts, and with no; not be undefined or loop."""
    (folder / "headwaters" / "main.rego").write_bytes(main)
    seal(folder)

    with pytest.raises(OutsideProfile):
        open_embedded(str(folder))


def test_another_version_of_the_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The policies run on the version they were tested with, or not at all."""
    monkeypatch.setattr(embedded, "VERSION", "9.9.9")

    with pytest.raises(EngineUnfit):
        check_distribution()


def test_a_distribution_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package that happens to provide ``regorus`` is not enough."""
    monkeypatch.setattr(embedded, "DISTRIBUTION", "no-such-regorus")

    with pytest.raises(EngineUnfit):
        check_distribution()


def test_a_module_of_the_same_name_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A module loaded from elsewhere than the pinned wheel's files is not the engine."""
    monkeypatch.setattr(regorus, "__file__", str(tmp_path / "regorus" / "__init__.py"))

    with pytest.raises(EngineUnfit):
        check_distribution()


def test_files_that_another_package_wrote_over_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel's own record must fit the files that are loaded."""
    wrong = base64.urlsafe_b64encode(b"0" * 32).decode()
    monkeypatch.setattr(embedded, "_record_hash", lambda _: wrong)

    with pytest.raises(EngineUnfit):
        check_distribution()


def test_only_a_panic_is_taken_for_a_panic() -> None:
    """Interrupts and exits pass through the engine untouched."""
    assert not is_panic(KeyboardInterrupt())
    assert not is_panic(SystemExit())
    assert not is_panic(RuntimeError())
