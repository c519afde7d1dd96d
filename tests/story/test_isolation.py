"""Each serving process opens only its own home: the kernel says so, not the program."""

import re
import shutil
import signal
import stat
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from exchange.demo.stage import wait_for
from tests.story.small_alliance import SmallAlliance, readings

NAMES = ("exchange", "provider", "consumer")
DATABASES = {"exchange": "exchange.db", "provider": "node.db", "consumer": "node.db"}
STRACE = shutil.which("strace")
_PATH = re.compile(r'"(/[^"]+)"')
pytestmark = [
    pytest.mark.story,
    pytest.mark.xdist_group("story"),
    pytest.mark.timeout(180),
    pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc, so Linux"),
]


@pytest.fixture(scope="module")
def busy(shared: SmallAlliance) -> SmallAlliance:
    """Give the alliance after a release went all the way, so that each process has opened what it opens."""
    _work(shared, 100)
    return shared


@pytest.mark.parametrize("name", NAMES)
def test_no_process_holds_a_file_of_another_home(busy: SmallAlliance, name: str) -> None:
    """A process has no file of another participant's home open or mapped; its own database it has."""
    held = _held(busy.processes[name].pid)
    strange = [path for path in held if _owners(busy, path) - {name}]

    assert strange == []
    assert busy.homes[name] / DATABASES[name] in held


@pytest.mark.skipif(STRACE is None, reason="missing part: strace")
def test_no_process_names_a_file_of_another_home_while_it_works(busy: SmallAlliance, tmp_path: Path) -> None:
    """Through a publication and a transfer, every file system call stays out of the other homes."""
    traces = {name: tmp_path / name for name in NAMES}
    with ExitStack() as stack:
        for name, trace in traces.items():
            stack.enter_context(_Traced(busy.processes[name].pid, trace))
        _work(busy, 101)
    named = {
        name: {Path(path) for path in _PATH.findall(trace.read_text())} for name, trace in traces.items()
    }

    for name, paths in named.items():
        assert [path for path in paths if _owners(busy, path) - {name}] == []
    assert any("provider" in _owners(busy, path) for path in named["provider"])
    assert any("consumer" in _owners(busy, path) for path in named["consumer"])


@pytest.mark.parametrize("name", NAMES)
def test_homes_and_keys_are_their_owners_alone(busy: SmallAlliance, name: str) -> None:
    """A home and its folders are 0700, each key, database and address file is 0600."""
    home = busy.homes[name]
    private = [*home.glob("keys/*"), *home.glob("people/*"), *home.glob("*.db*"), home / "run" / "address"]
    folders = [home, *(path for path in home.rglob("*") if path.is_dir())]

    assert len([path for path in private if path.suffix == ".key"]) >= 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


def _work(small: SmallAlliance, number: int) -> None:
    small.publish(readings(small.home / "input", number))
    assert small.pull()["files"]
    small.drain()


def _held(pid: int) -> set[Path]:
    """Name the files that a process has open or mapped now."""
    held = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            held.add(link.readlink())
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        _, slash, path = line.partition("/")
        held.update([Path(slash + path)] if slash else [])
    return held


def _owners(small: SmallAlliance, path: Path) -> set[str]:
    """Say in whose homes a path lies."""
    return {name for name, home in small.homes.items() if path.is_relative_to(home)}


class _Traced:
    """strace at a running process, from when it has attached until it is told to let go."""

    def __init__(self, pid: int, trace: Path) -> None:
        self._words = [str(STRACE), "-f", "-e", "trace=%file", "-o", str(trace), "-p", str(pid)]
        self._status = Path(f"/proc/{pid}/status")
        self._strace: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> None:
        self._strace = subprocess.Popen(
            self._words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for("strace", self._is_attached)

    def __exit__(self, *_: object) -> None:
        if self._strace is not None:
            self._strace.send_signal(signal.SIGINT)
            self._strace.wait(20)

    def _is_attached(self) -> bool | None:
        if self._strace is not None and self._strace.poll() is not None:
            pytest.skip("strace may not attach to processes here")
        return None if "\nTracerPid:\t0\n" in self._status.read_text() else True
