"""What the story came to: the one JSON object for scripts, and the tables for people."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

_SHARING = {
    "unconditional": "无条件 open",
    "conditional": "有条件 conditional",
    "not-shared": "不予共享 closed",
}


@dataclass(slots=True)
class Summary:
    """Facts gathered while the story played; ``as_dict`` is the documented output."""

    home: str = ""
    sources: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    participants: list[dict[str, Any]] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    events: int = 0
    datasets: int = 0
    releases: int = 0
    rows_published: int = 0
    rows_quarantined: int = 0
    rows_mended: int = 0
    corrections: int = 0
    is_proof_verified: bool = False
    is_tampering_caught: bool = False
    checks: dict[str, bool] = field(default_factory=dict)
    seconds: float = 0.0

    def add_sources(self, published: Iterable[dict[str, Any]]) -> None:
        """Count files that were published."""
        self.sources = sorted(
            [*self.sources, *published], key=lambda source: (source["dataset"], source["file"])
        )
        self.releases = len(self.sources)
        self.rows_published = sum(source["rows_published"] for source in self.sources)
        self.rows_quarantined = sum(source["rows_quarantined"] for source in self.sources)

    def input_kind(self) -> str:
        """Say whether the input was real, synthetic, or both."""
        kinds = {bool(source["synthetic"]) for source in self.sources}
        return "mixed" if len(kinds) > 1 else "synthetic" if True in kinds else "real"

    def as_dict(self) -> dict[str, Any]:
        """Give the documented JSON object."""
        log = self.status["log"]
        return {
            "input": self.input_kind(),
            "sources": self.sources,
            "skipped": self.skipped,
            "participants": len(self.participants),
            "witnesses": log["witnesses"],
            "datasets": self.datasets,
            "releases": self.releases,
            "rows_published": self.rows_published,
            "rows_quarantined": self.rows_quarantined,
            "rows_mended": self.rows_mended,
            "corrections": self.corrections,
            "transfers": {
                key: self.status["transfers"][key] for key in ("granted", "denied", "done", "bytes")
            },
            "events": self.events,
            "log": {"size": log["size"], "cosignatures": log["cosignatures"], "quorum": log["quorum"]},
            "proof_verified": self.is_proof_verified,
            "tampering_caught": self.is_tampering_caught,
            "checks": self.checks,
            "seconds": round(self.seconds, 1),
            "home": self.home,
        }

    def is_complete(self) -> bool:
        """Tell whether every check of the story held."""
        return self.is_proof_verified and self.is_tampering_caught and all(self.checks.values())

    def print(self, console: Console) -> None:
        """Show the tables a person would look at."""
        members = Table(title="参与方 participants", title_justify="left")
        for heading in ("编号 id", "名称 name", "见证 witness", "打开 open"):
            members.add_column(heading, overflow="fold", no_wrap=heading.startswith(("编号", "打开")))
        for row in self.participants:
            members.add_row(row["id"], row["name"], "✓" if row["witness"] else "–", row["address"])
        console.print(members)
        data = Table(title="数据集 datasets", title_justify="left")
        for heading in ("数据集 dataset", "真实地点 true place", "共享 sharing", "发布行 rows", "隔离 bad"):
            data.add_column(heading, overflow="fold", no_wrap=heading.startswith("数据集"))
        for source in _by_dataset(self.sources):
            data.add_row(
                source["dataset"],
                "合成数据 synthetic" if source["synthetic"] else source["place"],
                _SHARING[source["sharing"]],
                f"{source['rows_published']:,}",
                f"{source['rows_quarantined']:,}",
            )
        console.print(data)
        moved, log = self.status["transfers"], self.status["log"]
        console.print(
            f"传输 transfers: 授权 granted {moved['granted']} · 拒绝 denied {moved['denied']} · "
            f"完成 done {moved['done']} · "
            f"{moved['bytes']:,} 字节 bytes"
        )
        console.print(
            f"日志 log: {log['size']} 条 entries · "
            f"副署 cosignatures {log['cosignatures']}/{log['witnesses']} "
            f"(需要 quorum {log['quorum']})"
        )


def _by_dataset(sources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for source in sources:
        row = merged.setdefault(source["dataset"], {**source, "rows_published": 0, "rows_quarantined": 0})
        row["rows_published"] += source["rows_published"]
        row["rows_quarantined"] += source["rows_quarantined"]
    return list(merged.values())
