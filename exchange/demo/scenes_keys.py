"""Scenes of keys: the provinces sign one trust root; a province's key is replaced between two deliveries."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from audit.keys.signing import load_key
from audit.keys.trust_file import SignedRoot, TrustFile
from contracts.canonical import canonical_bytes
from contracts.messages import Sharing
from exchange.demo.alliance import Alliance
from exchange.demo.cast import CALLED, CAST, CENTRE, PROVINCES, QUORUM
from exchange.demo.inputs import PlannedDataset
from exchange.demo.scenes_sharing import Pulled, take
from exchange.demo.stage import Stage, wait_for
from exchange.demo.summary import Summary

SIGNERS = tuple(player.slug for player in (CENTRE, *PROVINCES))[:QUORUM]
WITNESSES = sum(player.is_witness for player in CAST)


@dataclass(frozen=True, slots=True)
class Deliveries:
    """One dataset delivered twice: before its provider replaced its key, and after."""

    before: Pulled
    after: Pulled

    @property
    def older(self) -> Path:
        """The file that was received before."""
        return Path(self.before.files[0]["path"])

    @property
    def newer(self) -> Path:
        """The file that was received after."""
        return Path(self.after.files[0]["path"])


def sign_trust_root(stage: Stage, alliance: Alliance) -> None:
    """One node proposes the trust root, five of seven sign what agrees with their own view."""
    stage.scene("各省共签信任根", "the provinces sign the trust root, each with a root key of its own")
    proposer, *others = SIGNERS
    _sign(alliance, proposer, "/local/trust/draft")
    stage.line(f"{CALLED[proposer]}按本节点所知拟出信任根并签署", "one node draws it and signs first")
    for slug in others:
        _sign(alliance, slug, "/local/trust/proposal")
    stage.line(f"{'、'.join(CALLED[slug] for slug in others)}核对一致后签署", "four more compare and sign")
    stage.line(
        "达到法定数:信任根写入日志,各节点副署后采信", "enough: it is logged, and adopted once witnessed"
    )


def see_it_adopted(stage: Stage, alliance: Alliance, summary: Summary) -> None:
    """Look into the file that every node gives to verifiers: the one root that five of seven have signed."""
    files = [
        wait_for(f"the trust root at {player.slug}", partial(_adopted, alliance, player.slug))
        for player in CAST
    ]
    signed = min(len(file.signers) for file in files)
    summary.checks["trust_root_signed"] = signed >= QUORUM
    summary.checks["trust_root_adopted"] = len({_digest(file) for file in files}) == 1
    stage.line(
        f"{len(files)} 个节点都已采信信任根:{WITNESSES} 个见证方中 {signed} 方签署",
        f"every node goes by the root that {signed} of {WITNESSES} have signed",
    )


def _sign(alliance: Alliance, slug: str, source: str) -> None:
    node = alliance.node(slug)
    root = SignedRoot.read(canonical_bytes(node.get(source)))
    key = load_key(alliance.node_home(slug) / "keys" / "root.key")
    node.post("/local/trust/signatures", root.with_signature(alliance.ids[slug], key).model_dump(mode="json"))


def _adopted(alliance: Alliance, slug: str) -> TrustFile | None:
    file = TrustFile.load(alliance.node_home(slug) / "trust.json")
    return file if file.signers else None


def _digest(file: TrustFile) -> str | None:
    return None if file.signed_root is None else file.signed_root.digest


def rotate_between_deliveries(
    stage: Stage, alliance: Alliance, transfers: list[Pulled], watched: PlannedDataset, summary: Summary
) -> Deliveries:
    """Replace a provider's key after it has delivered, and let it deliver the same dataset once more.

    ``watched`` is corrected later on, so another dataset shows it where there is one.
    """
    stage.scene("更换密钥,交付不断", "a province replaces its key between two deliveries")
    # The smallest dataset shows it as well as the largest.
    shared = [t for t in transfers if t.dataset.sharing is Sharing.UNCONDITIONAL]
    before = min(shared, key=lambda pulled: (pulled.dataset is watched, _rows(pulled)))
    provider, has_it = before.dataset.provider, {t.consumer for t in transfers if t.dataset is before.dataset}
    alliance.node(provider).post("/local/keys/rotate", {"role": "node", "root_key": None})
    stage.line(f"{CALLED[provider]}更换节点密钥,新旧密钥共同签署", "old and new key sign; the log holds it")
    consumer = next(p.slug for p in reversed(PROVINCES) if p.slug not in {provider, *has_it})
    after = take(stage, alliance, consumer, before.dataset)
    ended = wait_for("the former key in trust.json", partial(_former_keys, alliance, provider, of=consumer))
    summary.checks["key_rotated"] = ended == ["rotated"]
    return Deliveries(before, after)


def _former_keys(alliance: Alliance, slug: str, *, of: str) -> list[str | None] | None:
    parties = TrustFile.load(alliance.node_home(of) / "trust.json").root.participants
    keys = next(one.node_keys for one in parties if one.participant == alliance.ids[slug])
    return [key.why for key in keys if key.until is not None] or None


def _rows(pulled: Pulled) -> int:
    return sum(int(file["rows"]) for file in pulled.files)
