"""A simulated day leaves a file of HJ 212 frames."""

from pathlib import Path

from nodes.simulation import record
from nodes.sources.hj212 import open_hj212


def test_a_simulated_day_leaves_every_answered_packet(tmp_path: Path) -> None:
    """Every packet that was answered is in the file, and the same seed gives the same rows."""
    first = record(tmp_path / "one.hj212", stations=2, hours=12, seed=7)
    again = record(tmp_path / "two.hj212", stations=2, hours=12, seed=7)
    rows = list(open_hj212(tmp_path / "one.hj212"))

    assert first["packets"] == again["packets"] == 24
    assert first["transmissions"] >= first["packets"]
    assert {row["mn"] for _, row in rows} == {row["mn"] for _, row in open_hj212(tmp_path / "two.hj212")}
    assert len({str(row["mn"]) for _, row in rows}) == 2
    assert rows == list(open_hj212(tmp_path / "two.hj212"))
