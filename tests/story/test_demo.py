"""The demonstration as a newcomer runs it: the command, its one JSON object, and the folder it leaves."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.story import folders
from tests.verifiers.judges import JUDGES

SHARED = Path(__file__).parents[3] / "shared" / "data"
pytestmark = [pytest.mark.story, pytest.mark.xdist_group("story"), pytest.mark.timeout(600)]


def _headwaters(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "exchange.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=590)


def _demo(*words: str | Path) -> dict[str, Any]:
    done = _headwaters("demo", "--once", "--json", *words)
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def _demo_until_interrupted(*words: str | Path) -> dict[str, Any]:
    """Play the story, wait until the alliance says that it stays up, and press Ctrl-C."""
    command = [sys.executable, "-m", "exchange.cli", "demo", "--json", *map(str, words)]
    said = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        for line in demo.stderr or ():
            said += line
            if "Ctrl-C" in line:
                demo.send_signal(signal.SIGINT)
                break
        result, rest = demo.communicate(timeout=60)
    assert demo.returncode == 0, said + rest
    summary: dict[str, Any] = json.loads(result)
    return summary


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Play the story on two stations, a buoy and two stack files of known defects, until Ctrl-C."""
    data = tmp_path_factory.mktemp("data")
    folders.write_station(data / "air", "Huairou", 100)
    folders.write_station(data / "air", "Mentougou", 50)
    folders.write_buoy(data, 40)
    folders.write_turbine(data, "a.csv", 30)
    folders.write_turbine(data, "b.csv", 20)
    (data / "notes.txt").write_text("not data\n")
    return _demo_until_interrupted("--data", data, "--home", tmp_path_factory.mktemp("demo") / "home")


def test_the_summary_counts_what_the_files_hold(small: dict[str, Any]) -> None:
    """Every data row is published or in quarantine, each file once, each with its true place."""
    real = [source for source in small["sources"] if not source["synthetic"]]

    assert small["input"] == "mixed"
    assert {source["file"]: source["rows"] for source in real} == {
        "Huairou.csv": 100,
        "Mentougou.csv": 50,
        "buoy.csv": 40,
        "a.csv": 30,
        "b.csv": 20,
    }
    assert {source["file"]: source["rows_quarantined"] for source in real} == {
        "Huairou.csv": 1,
        "Mentougou.csv": 1,
        "buoy.csv": 0,
        "a.csv": 1,
        "b.csv": 1,
    }
    assert all(
        source["rows"] == source["rows_published"] + source["rows_quarantined"] for source in small["sources"]
    )
    assert all(source["sha256"].startswith("sha256:") and source["place"] for source in small["sources"])
    assert small["rows_published"] == sum(source["rows_published"] for source in small["sources"])
    assert small["releases"] == len(small["sources"])


def test_the_story_holds_what_it_tells(small: dict[str, Any]) -> None:
    """Eight participants, seven witnesses, quorum five; transfers close; forgeries are caught."""
    moved = small["transfers"]

    assert (small["participants"], small["witnesses"], small["log"]["quorum"]) == (8, 7, 5)
    assert small["log"]["cosignatures"] >= 5
    assert moved["granted"] == moved["done"] > 0
    assert moved["denied"] >= 4
    assert moved["bytes"] > 0
    assert small["events"] >= 1
    assert small["proof_verified"] is True
    assert small["tampering_caught"] is True
    assert all(small["checks"].values())


def test_the_evidence_outlives_a_hostile_operator(small: dict[str, Any]) -> None:
    """Five signed the root, a key was replaced, mirrors and books agree, a report holds, a fork condemns."""
    home = Path(small["home"])
    trust = home / "guizhou" / "trust.json"
    judged = _headwaters("verify", home / "report.html", "--trust", trust, "--json")
    forked = _headwaters("verify", home / "fork.hwfork", "--trust", trust, "--json")
    mirrored = _headwaters("audit", "fsck", "--home", home / "bank" / "mirror", "--trust", trust, "--json")
    balance = _headwaters("audit", "reconcile", "--home", home, "--json")

    assert set(small["checks"]) >= {
        *("trust_root_signed", "trust_root_adopted", "proof_names_signers"),
        *("key_rotated", "proof_survives_rotation"),
        *("mirrors_walk_clean", "books_balance", "report_verified", "fork_condemned"),
    }
    assert judged.returncode == 0, judged.stderr
    report = json.loads(judged.stdout)
    assert (len(report["root_signers"]), len(report["unsigned_keys"])) == (5, 1)
    assert len(report["received"]) == 2
    assert forked.returncode == 1
    assert json.loads(forked.stdout)["forked"] is True
    assert mirrored.returncode == 0, mirrored.stderr
    assert json.loads(balance.stdout)["ok"] is True


def test_the_policy_is_seen_at_work(small: dict[str, Any]) -> None:
    """The bank's file lacks what the record hides and names the bank; every scene of policy was checked."""
    home = Path(small["home"])
    received = home / "bank" / "inbox" / "enterprise-credit-records" / "1.parquet"
    seen, marks = pl.read_parquet(received), pl.read_parquet_metadata(received)
    judged = _headwaters(
        "verify", f"{received}.hwproof", "--file", received, "--home", home / "bank", "--json"
    )
    tested = _headwaters("policy", "test", "--bundle", home / "policy", "--json")

    assert set(small["checks"]) >= {
        *("view_keeps_duties", "receipts_show_duties", "leak_traced", "who_can_agrees"),
        *("refusal_explained", "second_person_needed", "replay_shows_flips"),
        *("policy_changed_live", "new_policy_decides"),
        *("emergency_opened_and_closed", "emergency_review_due"),
    }
    assert judged.returncode == 0, judged.stderr
    assert seen["violations_count"].min() == 1
    assert set(seen["admin_code"]) == {"510100"}
    assert not {"contact_phone", "inspection_note"} & set(seen.columns)
    assert len(marks["headwaters.watermark"]) == 64
    assert marks["headwaters.purpose"] == "credit-review"
    # What the demonstration's policy opens is the one thing that the agreed cases keep closed.
    failures = [failure["name"] for failure in json.loads(tested.stdout)["failures"]]
    assert (tested.returncode, failures) == (1, ["access: bank, open data without fields"])


def test_contracts_stations_and_quality_are_seen_at_work(small: dict[str, Any]) -> None:
    """Every scene of contracts was checked; what a station sent under SM4 lies nowhere in clear."""
    home = Path(small["home"])
    frames = b"".join(path.read_bytes() for path in sorted(home.glob("guizhou/stations/**/*.hj212")))
    packets = [packet for packet in frames.split(b"##") if packet]
    clear = [packet for packet in packets if b"DataTime=" in packet]
    outlets = next(source for source in small["sources"] if source["dataset"] == "outlets-online")

    assert set(small["checks"]) >= {
        *("station_not_downgraded", "stations_become_a_release"),
        *("findings_recounted", "quarantined_row_mended"),
        *("objection_verified", "objection_has_a_term", "objection_closed"),
        *("correction_reaches_everybody", "correction_corrects"),
        *("breaking_version_refused", "lying_version_refused", "giving_version_taken"),
        "subscribers_hear_first",
    }
    assert (small["rows_mended"], small["corrections"]) == (1, 1)
    assert (outlets["rows"], outlets["rows_quarantined"]) == (240, 0)
    assert (len(packets), len(clear)) == (48, 24)


def test_every_home_is_private(small: dict[str, Any]) -> None:
    """Each participant has its own folder, database and keys, and every key file is 0600."""
    home = Path(small["home"])
    keys = sorted(home.glob("*/keys/*")) + sorted(home.glob("*/people/*.key"))
    databases = sorted(path.parent.name for path in home.glob("*/*.db"))

    assert len(databases) == 9
    assert len(keys) >= 9 * 2
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert len({key.read_bytes() for key in keys}) == len(keys)


def test_the_stopped_log_still_walks_and_exports(small: dict[str, Any], tmp_path: Path) -> None:
    """The demo's home leaves a log that walks clean and exports with its policy, also after the end."""
    walked = _headwaters("audit", "fsck", "--home", small["home"], "--json")
    wrote = _headwaters("audit", "export", "--home", small["home"], "--to", tmp_path / "log", "--json")
    policy = (tmp_path / "log" / "policy").read_text()

    assert walked.returncode == 0
    assert json.loads(walked.stdout)["size"] >= small["log"]["size"]
    assert wrote.returncode == 0
    assert (tmp_path / "log" / "checkpoint").is_file()
    assert policy.count("\nwitness ") == 7
    assert "\nquorum " in policy


@pytest.mark.real
@pytest.mark.parametrize("name", list(JUDGES))
def test_somebody_else_s_verifier_accepts_the_demo_s_log(
    small: dict[str, Any], tmp_path: Path, name: str
) -> None:
    """Five verifiers that we did not write accept what the running alliance logged and witnessed."""
    judge = JUDGES[name]()
    exported = tmp_path / "log"
    assert _headwaters("audit", "export", "--home", small["home"], "--to", exported).returncode == 0
    signers = {
        line.split(" ")[1] for line in (exported / "checkpoint").read_text().splitlines() if line[:1] == "—"
    }
    words = [line.split(" ") for line in (exported / "policy").read_text().splitlines()]
    keys = [word[-1] for word in words if word[0] in {"log", "witness"}]
    signed = [key for key in keys if key.split("+")[0] in signers]
    (exported / "vkeys").write_text("".join(f"{key}\n" for key in signed))
    (exported / "vkey").write_text(signed[0])
    (exported / "proofs.json").write_text('{"Inclusion":[],"Consistency":[]}')

    verdict = judge.judge(exported)

    assert len(signed) >= 6
    assert verdict.partition(",")[0] == f"OK {_size(exported)} entries"
    assert (f"{len(signed)} signatures" in verdict) == ("cosignatures" in judge.sees)


def _size(exported: Path) -> int:
    return int((exported / "checkpoint").read_text().splitlines()[1])


def test_a_home_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    """The demonstration never writes into somebody's folder: wrong usage, exit 64, in both languages."""
    (tmp_path / "mine.txt").write_text("keep me\n")

    done = _headwaters("demo", "--once", "--home", tmp_path)

    assert done.returncode == 64
    assert "命令用法错误" in done.stderr
    assert (tmp_path / "mine.txt").read_text() == "keep me\n"


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Play the story without a data folder."""
    return _demo("--home", tmp_path_factory.mktemp("demo") / "home")


def test_without_data_the_stations_are_simulated(made_up: dict[str, Any]) -> None:
    """Without a data folder the input is synthetic and the summary says so for every dataset."""
    summary = made_up

    assert summary["input"] == "synthetic"
    assert all(source["synthetic"] for source in summary["sources"])
    assert any(source["file"].endswith(".hj212") for source in summary["sources"])
    assert summary["rows_quarantined"] > 0
    assert summary["checks"]["findings_are_heard"] is True


def test_a_correction_changes_what_was_disputed_and_nothing_else(made_up: dict[str, Any]) -> None:
    """An earlier recipient holds the old release, the mended row and the correction, each proved."""
    inbox = Path(made_up["home"]) / "centre" / "inbox" / "air-example"
    trust = inbox.parents[1] / "trust.json"
    old, mended, corrected = (pl.read_parquet(inbox / f"{number}.parquet") for number in (1, 2, 3))
    judged = _headwaters(
        "verify", inbox / "3.parquet.hwproof", "--file", inbox / "3.parquet", "--trust", trust, "--json"
    )
    disputed = old["co"] == 10_000

    assert judged.returncode == 0, judged.stderr
    assert (len(old), disputed.sum()) == (479, 3)
    assert corrected["co"].filter(disputed).to_list() == [None] * 3
    assert corrected.filter(~disputed).equals(old.filter(~disputed))
    assert corrected.drop("co").equals(old.drop("co"))
    assert mended.select("so2", "o3").rows() == [(None, mended["o3"][0])]
    assert made_up["rows_mended"] == made_up["corrections"] == 1


@pytest.mark.skipif(not SHARED.is_dir(), reason="missing: the shared data folder beside the checkout")
@pytest.mark.skipif(
    os.environ.get("CI") != "true", reason="plays the whole real data set; set CI=true to run it"
)
def test_the_real_files_are_published_whole(tmp_path: Path) -> None:
    """All nineteen real files are published, each once, and only impossible values are in quarantine."""
    summary = _demo("--data", SHARED, "--home", tmp_path / "home")
    real = [source for source in summary["sources"] if not source["synthetic"]]

    assert len(real) == 19
    assert sum(source["rows"] for source in real) == 569_158
    assert 0 < sum(source["rows_quarantined"] for source in real) < 1000
