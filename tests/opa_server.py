"""A real OPA server on a free loopback port, for as long as a test needs it.

It needs the ``opa`` binary; without it the test is skipped aloud, and fails when REQUIRE_PARTS=1. Readiness
is asked at a second, plain address (OPA's diagnostic one), so it does not depend on the TLS that a test puts
before the first; a test's authorisation policy must let ``/health`` through.
"""

import http.client
import os
import random
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from policies.bundle import Bundle, shipped_bundle
from policies.opa.archive import MANIFEST, pack
from tests.parts import require

_TRIES = 400
_PAUSE_SECONDS = 0.05
_LOWEST_PORT, _HIGHEST_PORT = 20_000, 32_000


@dataclass(frozen=True, slots=True)
class Opa:
    """A running OPA: ``url`` is where it decides, ``diagnostic_port`` where it tells its health."""

    url: str
    port: int
    diagnostic_port: int
    process: "subprocess.Popen[bytes]"
    log: Path

    def healthy(self, query: str = "") -> bool:
        """Ask the diagnostic address; ``query`` may be ``?bundles`` (all bundles are active)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.diagnostic_port, timeout=5)
        try:
            connection.request("GET", f"/health{query}")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    def wait_for_log(self, text: str) -> None:
        """Wait until OPA's own log says ``text``; raise RuntimeError when it does not come."""
        for _ in range(_TRIES):
            if text in self.log.read_text(errors="replace"):
                return
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=_PAUSE_SECONDS)
        raise RuntimeError(f"OPA did not say {text!r}")

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait(timeout=30)


@contextmanager
def opa_server(
    *paths: Path,
    options: Sequence[str] = (),
    scheme: str = "http",
    ready: bool = True,
    port: int | None = None,
) -> Iterator[Opa]:
    """Run OPA with ``paths`` as bundles (files or folders) and ``options``; stop it at the end.

    ``port`` is where it decides, a free one where it is not given.
    ``ready`` waits until the bundles are active; without it only until the process answers. Raises
    RuntimeError with OPA's own log when it ends by itself, for instance because a signature does not hold.
    """
    binary = require("opa")
    with tempfile.TemporaryDirectory(prefix="hw-opa-") as folder:
        log = Path(folder) / "log"
        free, diagnostic_port = free_ports(2)
        port = port or free
        command = [
            *(str(binary), "run", "--server", "--skip-version-check", "--log-level", "error"),
            *("--addr", f"{scheme}://127.0.0.1:{port}"),
            *("--diagnostic-addr", f"http://127.0.0.1:{diagnostic_port}"),
            *("--shutdown-grace-period", "1"),
            *options,
            *(["--bundle", *map(str, paths)] if paths else []),
        ]
        with log.open("wb") as sink:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={"PATH": os.environ["PATH"], "HOME": folder},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )
        opa = Opa(f"{scheme}://127.0.0.1:{port}", port, diagnostic_port, process, log)
        try:
            _wait(opa, "?bundles" if ready else "")
            yield opa
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                opa.kill()


@contextmanager
def serving(bundle: Bundle, *, options: Sequence[str] = (), scheme: str = "http") -> Iterator[Opa]:
    """Run OPA with one unsigned bundle."""
    with tempfile.TemporaryDirectory(prefix="hw-bundle-") as folder:
        path = write_unsigned(bundle, Path(folder) / "bundle.tar.gz")
        with opa_server(path, options=options, scheme=scheme) as opa:
            yield opa


def write_unsigned(bundle: Bundle, path: Path) -> Path:
    """Write a bundle as an archive without a signature; give ``path`` back."""
    path.write_bytes(pack({**bundle.sources, MANIFEST: bundle.manifest_bytes()}))
    return path


@pytest.fixture(scope="session")
def opa() -> Iterator[Opa]:
    """One OPA server with the shipped bundle for the whole run of a test process."""
    with serving(shipped_bundle()) as running:
        yield running


def free_ports(count: int) -> list[int]:
    """Find ports of the loopback address on which nobody listens now.

    They lie below those that systems hand out by themselves, so no other program gets one by chance.
    """
    found: list[int] = []
    while len(found) < count:
        port = random.SystemRandom().randrange(_LOWEST_PORT, _HIGHEST_PORT)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
    return found


def _wait(opa: Opa, query: str) -> None:
    for _ in range(_TRIES):
        if opa.healthy(query):
            return
        try:
            opa.process.wait(timeout=_PAUSE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        break
    raise RuntimeError(f"OPA is not ready: {opa.log.read_text(errors='replace')[-2000:]}")
