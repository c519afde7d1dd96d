import asyncio

import httpx
import pytest

from contracts.messages import ContractRef, DatasetRecord, Sharing, Text
from nodes.app import create_app
from nodes.node import Node
from nodes.sharing_tables import DatasetRow, QuarantineRow
from nodes.signed import sign_statement
from tests.nodes.faces import LISTENER, transport
from tests.nodes.simulated_exchange import SimulatedExchange

DIGEST = "sha256:" + "0" * 64


def _get(node: Node, path: str, *, peer: str = "127.0.0.1", base: str = LISTENER) -> httpx.Response:
    async def send() -> httpx.Response:
        app = create_app(node, [LISTENER])
        async with httpx.AsyncClient(transport=transport(app, peer), base_url=base) as client:
            return await client.get(path)

    return asyncio.run(send())


def test_the_page_shows_the_node_in_chinese_first(node: Node, exchange: SimulatedExchange) -> None:
    """The page names the participant and its events; what came from outside is escaped."""
    exchange.add_event()
    node.events.refresh()
    answer = _get(node, "/")

    assert answer.status_code == 200
    assert 'lang="zh-Hans"' in answer.text
    assert node.participant in answer.text
    assert "2026-11-22 12:00:0" in answer.text  # UTC+8
    assert "Probing &lt;b&gt;access&lt;/b&gt;" in answer.text
    assert "<script" not in answer.text


def test_the_page_counts_what_the_node_shares(node: Node) -> None:
    """Datasets show their releases and rejected rows in counts, never a row."""
    record = DatasetRecord(
        dataset="air-hourly",
        provider=node.participant,
        number=1,
        title=Text(zh="空气 <小时>", en="Air"),
        contract=ContractRef(id="air-quality", version="1.0.0", digest=DIGEST),
        theme="air",
        sharing=Sharing.UNCONDITIONAL,
        sharing_basis="art. 14",
        classification=1,
        purposes=[],
        purpose_fields=[],
        place="Sichuan",
        synthetic=True,
        update_frequency="hourly",
        at=node.clock.now(),
    )
    with node.database.transaction() as session:
        envelope = sign_statement(record, node.node_key).text
        session.add(
            DatasetRow(
                dataset="air-hourly", number=1, digest=DIGEST, envelope=envelope, state="registered", at=0
            )
        )
        for number in (1, 2):
            session.add(
                QuarantineRow(
                    dataset="air-hourly",
                    source=DIGEST,
                    contract=DIGEST,
                    row_number=number,
                    record=DIGEST,
                    reasons="[]",
                    raw="private-value",
                    at=0,
                )
            )

    text = _get(node, "/").text
    row = "<td>air-hourly</td><td>空气 &lt;小时&gt;</td><td>0</td><td>2</td>"
    assert row in text
    assert "private-value" not in text


def test_a_browser_runs_nothing(node: Node) -> None:
    """Every answer forbids scripts, frames and other content, problems included."""
    for path in ("/", "/nowhere", "/health/live"):
        policy = _get(node, path).headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("peer", "base", "code"),
    [("10.0.0.7", LISTENER, "not-local"), ("127.0.0.1", "http://evil.example:8000", "wrong-target")],
)
def test_the_page_is_for_this_machine(node: Node, peer: str, base: str, code: str) -> None:
    """The network does not see the page, nor does a foreign name that resolves to loopback."""
    assert _get(node, "/", peer=peer, base=base).json()["code"] == code


def test_people_are_asked_for_a_signature(node: Node) -> None:
    """Nothing under /local answers without one."""
    assert _get(node, "/local/status").status_code in {401, 404}
