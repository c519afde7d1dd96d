"""The change of policy over HTTP: signed people, the bundle for an OPA server, and who may see what."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from audit.commitment import new_salt
from audit.keys.signing import load_key
from contracts.clock import FrozenClock
from contracts.messages import PolicyApproval, PolicyProposal
from exchange.app import running
from exchange.log.startup import Opening
from exchange.parts import build_parts
from exchange.settings import load_settings
from exchange.wiring import HOOKS
from nodes.signed import sign_statement
from policies.bundle import Bundle, shipped_bundle
from policies.opa.signing import load_public_key, open_archive
from tests.exchange.conftest import clock, founded_home, home
from tests.exchange.policies.office import closed, files_of
from tests.exchange.provinces import ORIGIN, Exchange, code

__all__ = ["clock", "founded_home", "home"]

pytestmark = pytest.mark.anyio

POLICY = "/operator/policy"


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, as the exchange does."""
    return "asyncio"


@pytest.fixture
async def deciding(home: Path, clock: FrozenClock) -> AsyncIterator[Exchange]:
    """Run an exchange that decides for real."""
    parts = build_parts(load_settings(home, commit_window_seconds=0.0), HOOKS, clock)
    async with running(parts, {}):
        await Opening(parts).round()
        yield Exchange(parts, clock)


def _statement(exchange: Exchange, kind: Any, who: str, **fields: Any) -> str:
    """Sign a proposal or an approval; Any: either, with the fields that fit it."""
    head = {
        "origin": ORIGIN,
        "previous": exchange.parts.policy.digest,
        "widens": False,
        "person": who,
        "salt": new_salt().hex(),
        "at": exchange.clock.now(),
    }
    key = load_key(exchange.parts.settings.home / "people" / f"{who}.key")
    return sign_statement(kind.model_validate({**head, **fields}), key).text


async def _propose(exchange: Exchange, bundle: Bundle) -> dict[str, Any]:
    envelope = _statement(exchange, PolicyProposal, "administrator", bundle=bundle.digest, why="because")
    files = files_of(bundle)
    body = {"envelope": envelope, "sources": files.sources, "tests": {}}
    answer = await exchange.person("administrator").post(f"{POLICY}/proposals", json=body)
    assert answer.status_code == 201, answer.text
    standing: dict[str, Any] = answer.json()
    return standing


async def test_the_whole_change_over_http(deciding: Exchange) -> None:
    """Propose, look, replay, approve: and the bundle that an OPA server fetches is the new one."""
    (waiting,) = (await _propose(deciding, closed()))["open"]
    operator = deciding.person("operator")
    seen = (await operator.get(f"{POLICY}/bundles/{closed().digest}")).json()
    replayed = (await operator.get(f"{POLICY}/bundles/{closed().digest}/replay?last=5")).json()
    fields = {"bundle": closed().digest, "proposal": waiting["proposal"]}
    envelope = _statement(deciding, PolicyApproval, "operator", **fields)
    path = f"{POLICY}/proposals/{closed().digest}/approval"
    approved = await operator.post(path, json={"envelope": envelope})
    fetched = await deciding.http.get("/policy/bundle.tar.gz")

    assert seen["sources"] == files_of(closed()).sources
    assert replayed["asked"] == 0
    assert approved.json()["policy"] == closed().digest
    assert open_archive(fetched.content).digest == closed().digest


async def test_an_opa_server_fetches_what_is_signed_once(deciding: Exchange) -> None:
    """The bundle is open to read, signed with the policy key, and answered 304 to whoever has it."""
    first = await deciding.http.get("/policy/bundle.tar.gz")
    again = await deciding.http.get("/policy/bundle.tar.gz")
    tag = first.headers["etag"]
    known = await deciding.http.get("/policy/bundle.tar.gz", headers={"if-none-match": tag})
    standing = (await deciding.person("auditor").get(POLICY)).json()
    key = load_public_key(standing["bundle_key"].encode())

    assert first.content == again.content
    assert tag == f'"{shipped_bundle().digest}"'
    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
    assert open_archive(first.content, key).digest == shipped_bundle().digest


async def test_the_policy_key_is_private(deciding: Exchange) -> None:
    """The key that signs bundles is a file of its own that only its owner may read."""
    path = deciding.parts.settings.home / "keys" / "policy.key"

    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("who", "method", "path", "body"),
    [
        ("operator", "POST", "/proposals", {"envelope": "", "sources": None, "tests": {}}),
        ("auditor", "POST", "/proposals", {"envelope": "", "sources": None, "tests": {}}),
        ("auditor", "POST", f"/proposals/{closed().digest}/approval", {"envelope": ""}),
        ("auditor", "POST", f"/proposals/{closed().digest}/rejection", {}),
        ("auditor", "POST", "/shadow", {"policy": None}),
    ],
)
async def test_roles(deciding: Exchange, who: str, method: str, path: str, body: dict[str, Any]) -> None:
    """Administrators propose; administrators and operators are second persons; auditors only read."""
    answer = await deciding.person(who).request(method, POLICY + path, json=body)

    assert code(answer) == (403, "wrong-role")


async def test_a_node_and_a_stranger_change_nothing(deciding: Exchange) -> None:
    """What people do is refused to whoever signs as a node, or not at all."""
    province = await deciding.admit(witness=False)

    assert code(await province.http.get(POLICY)) == (403, "wrong-role")
    assert (await deciding.http.get(POLICY)).status_code == 401


@pytest.mark.parametrize("path", [f"bundles/{'0' * 8}", f"bundles/sha256:{'0' * 64}/replay"])
async def test_an_unknown_bundle_is_not_found(deciding: Exchange, path: str) -> None:
    """Only bundles that were in force or proposed can be looked at."""
    answer = await deciding.person("auditor").get(f"{POLICY}/{path}")

    assert code(answer) == (404, "policy-unknown")
