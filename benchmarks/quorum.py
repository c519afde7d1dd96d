"""A5 and A6: from an append to five of seven cosignatures, and one transfer's proof, over real processes.

Seven witnessing nodes and an exchange serve on this machine. Each measured entry is an administrative act
over HTTP; the clock stops when ``GET /log/checkpoint`` covers it. The proof is that of a transfer between two
of the nodes; the plain limit of checking it is the Ed25519 signatures that it carries, verified alone.
"""

import gzip
import json
import time
from pathlib import Path

import httpx

from audit.formats.checkpoint import Checkpoint
from audit.formats.note import parse_note
from audit.keys.signing import SigningKey
from audit.keys.trust_file import TrustFile
from audit.proofs.verify import verify_transfer
from benchmarks.figures import Figure, Limit, cpu_each, percentile
from contracts.clock import SystemClock
from contracts.messages import Sharing, Text
from exchange.demo.alliance import Alliance, in_parallel
from exchange.demo.cast import BANK, CENTRE, PROVINCES, QUORUM
from exchange.demo.inputs import NOWHERE, PlannedDataset
from exchange.demo.scenes_sharing import PURPOSE, apply_for, publish_file, pull, subscribe
from exchange.demo.stage import wait_for

ACTS = 100
CAST = (*PROVINCES, CENTRE)
PROVIDER, CONSUMER = PROVINCES[0].slug, PROVINCES[1].slug
DATASET = "buoy-readings"
HEADER = (
    "Timestamp,Record number,Average Water Speed,Average Water Direction,Chlorophyll,Temperature,"
    "Dissolved Oxygen,Dissolved Oxygen (%Saturation),pH,Salinity,Specific Conductance,Turbidity"
)


def run(folder: Path) -> list[Figure]:
    """Found the alliance, measure, and stop it again."""
    alliance = Alliance(folder, cast=CAST, quorum=QUORUM, published={})
    try:
        alliance.found()
        in_parallel([(player, alliance.invite(player)) for player in CAST], alliance)
        alliance.serve(alliance.nodes)
        wait_for("the first cosigned checkpoint", lambda: _cosignatures(alliance) >= QUORUM or None)
        acts, waits = _measure(alliance)
        proof = _transfer(alliance, folder)
    finally:
        alliance.stop()
    plain = Limit("ms, the act alone, p50", percentile(acts, 0.5))
    median, slow = percentile(waits, 0.5), percentile(waits, 0.99)
    return [
        Figure("A5", "append to 5 of 7, p50", median, "ms", plain),
        Figure("A5", "append to 5 of 7, p99", slow, "ms", plain, bar="1,000 ms", aim="300 ms"),
        *_judge(proof, TrustFile.load(alliance.node_home(CONSUMER) / "trust.json")),
    ]


def _measure(alliance: Alliance) -> tuple[list[float], list[float]]:
    operator, acts, waits = alliance.operator("administrator"), list[float](), list[float]()
    body = {"profile": BANK.profile.model_dump(mode="json"), "witness": False, "expires_hours": 1}
    with httpx.Client(base_url=alliance.exchange.address, trust_env=False) as client:
        for _ in range(ACTS):
            before = _published(client)
            began = time.perf_counter()
            operator.post("/operator/invites", body)
            acts.append((time.perf_counter() - began) * 1000)
            while _published(client) <= before:
                time.sleep(0.005)
            waits.append((time.perf_counter() - began) * 1000)
    return acts, waits


def _transfer(alliance: Alliance, folder: Path) -> bytes:
    """Publish a small release at one node, receive it at another, and give the proof."""
    planned = PlannedDataset(
        dataset=DATASET,
        provider=PROVIDER,
        contract="surface-water-buoy",
        title=Text(zh="浮标监测", en="Buoy readings"),
        place=NOWHERE,
        sharing=Sharing.UNCONDITIONAL,
        synthetic=True,
        files=(),
    )
    readings = folder / "readings.csv"
    rows = [f"2023-08-04 {n:02d}:30,{n},1.5,100.2,1.9,19.8,7.4,100.2,8.1,35.2,53.3,2.1" for n in range(24)]
    readings.write_text("\n".join([HEADER, *rows]) + "\n")
    alliance.node(PROVIDER).post("/local/contracts", {"contract": planned.contract})
    alliance.node(PROVIDER).post("/local/datasets", planned.declaration())
    publish_file(alliance, PROVIDER, DATASET, readings)
    subscribe(alliance, CONSUMER, DATASET, apply_for(alliance, CONSUMER, DATASET, PURPOSE))
    pull(alliance, CONSUMER, DATASET)
    inbox = alliance.node_home(CONSUMER) / "inbox"
    return wait_for("the proof", lambda: next(inbox.rglob("*.hwproof"), None)).read_bytes()


def _judge(proof: bytes, trust: TrustFile) -> list[Figure]:
    whole = json.loads(gzip.decompress(proof))
    statements = [one for part in whole["statements"].values() for one in part["signatures"]]
    lines = sum(note.count("\n— ") for note in whole["checkpoints"])
    key, message = SigningKey.generate(), b"x" * 600
    signature = key.sign(message)
    alone = cpu_each(lambda: key.public.verify(signature, message)) * (len(statements) + lines) * 1000
    judged = cpu_each(lambda: verify_transfer(proof, None, trust, now=SystemClock().now())) * 1000
    plain = Limit(f"ms, {len(statements) + lines} Ed25519 verifications", alone)
    raw = Limit("bytes, the same JSON as it is", len(gzip.decompress(proof)))
    return [
        Figure("A6", ".hwproof of one transfer", len(proof), "bytes", raw, bar="6,144", aim="4,608"),
        Figure("A6", "offline verification, CPU", judged, "ms", plain, bar="5 ms", aim="2 ms"),
    ]


def _published(client: httpx.Client) -> int:
    return Checkpoint.parse(parse_note(client.get("/log/checkpoint").content).text).size


def _cosignatures(alliance: Alliance) -> int:
    return int(alliance.operator("operator").get("/operator/status")["log"]["cosignatures"])
