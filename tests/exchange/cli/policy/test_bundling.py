"""``headwaters policy bundle``: what it writes, a plain OPA serves, and a strict one verifies."""

import asyncio
import json
import shlex
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from contracts.errors import Usage
from exchange.cli.policy.bundling import bundle
from policies.bundle import BundleTampered, seal, shipped_bundle
from policies.engine import EngineOptions
from policies.opa.private_files import PolicyFileExposed, PolicyFileUnreadable
from policies.opa.server import ServerEngine
from policies.opa.signing import load_public_key, open_archive
from policies.profile.limits import OutsideProfile
from tests.opa_server import opa_server
from tests.policies.questions import TRANSFER


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sealed copy of the shipped bundle that a test may change."""
    copy = tmp_path / "rego"
    shutil.copytree(Path(str(files("policies") / "rego")), copy)
    return copy


def test_the_same_bundle_gives_the_same_file(tmp_path: Path) -> None:
    """Without a key the file depends on the bundle alone, and holds it."""
    one, two = tmp_path / "one.tar.gz", tmp_path / "two.tar.gz"
    bundle(one)
    bundle(two)

    assert one.read_bytes() == two.read_bytes()
    assert open_archive(one.read_bytes()) == shipped_bundle()


@pytest.mark.real
@pytest.mark.parametrize("keyed", [False, True])
def test_what_it_prints_starts_an_opa_that_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, keyed: bool
) -> None:
    """The command line that it prints starts a plain OPA, which decides under the bundle's digest."""
    to = tmp_path / "my bundle.tar.gz"
    bundle(to, key=tmp_path / "policy.key" if keyed else None, as_json=True)
    told = json.loads(capsys.readouterr().out)
    command = shlex.split(told["start"])

    assert command[:3] == ["opa", "run", "--server"]
    assert told["signed"] is keyed
    with opa_server(options=command[3:]) as running:
        engine = ServerEngine(running.url, told["policy"], EngineOptions(deadline_seconds=30))
        assert asyncio.run(engine.decide(TRANSFER)).outcome == "permit"


def test_a_key_is_made_once_and_used_again(tmp_path: Path) -> None:
    """The first call makes the key, the second signs with it; the public key goes where it is told."""
    key, public = tmp_path / "policy.key", tmp_path / "public.pem"
    bundle(tmp_path / "one.tar.gz", key=key, public=public)
    first = public.read_bytes()
    bundle(tmp_path / "two.tar.gz", key=key, public=public)

    assert public.read_bytes() == first
    for name in ("one.tar.gz", "two.tar.gz"):
        assert open_archive((tmp_path / name).read_bytes(), load_public_key(first)) == shipped_bundle()
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_bundle_of_ones_own_is_written(tmp_path: Path, folder: Path) -> None:
    """A folder is packed, and so is an archive of it; both are the same bundle."""
    path = folder / "headwaters" / "main.rego"
    path.write_text(path.read_text() + "\n# ours\n")
    digest = seal(folder)
    bundle(tmp_path / "one.tar.gz", source=folder)
    bundle(tmp_path / "two.tar.gz", source=tmp_path / "one.tar.gz")

    assert open_archive((tmp_path / "two.tar.gz").read_bytes()).digest == digest


def test_what_may_not_decide_is_not_written(tmp_path: Path, folder: Path) -> None:
    """A changed file, a policy outside the profile, an exposed key or a folder that is not there: no file."""
    to, key = tmp_path / "bundle.tar.gz", tmp_path / "policy.key"
    path = folder / "headwaters" / "main.rego"
    path.write_text(path.read_text() + '\nodd := http.send({"method": "get", "url": "http://x"})\n')
    with pytest.raises(BundleTampered):
        bundle(to, source=folder)
    seal(folder)
    with pytest.raises(OutsideProfile):
        bundle(to, source=folder)
    key.touch(0o644)
    with pytest.raises(PolicyFileExposed):
        bundle(to, key=key)
    with pytest.raises(PolicyFileUnreadable):
        bundle(tmp_path / "missing" / "bundle.tar.gz")
    with pytest.raises(Usage):
        bundle(to, public=tmp_path / "public.pem")

    assert not to.exists()
