"""A release is examined before it is signed, and its report stays with who published it."""

import pytest

from contracts.errors import Conflict
from contracts.messages import FindingCount, Manifest
from nodes.publishing.artifacts import artifact_path, hash_file
from nodes.publishing.publish import own_releases
from nodes.quality.artifact_rows import ArtifactRows
from nodes.quality.keeping import ReportDiffers, examine_release, own_report, report_path
from nodes.sources.faults import TruncatedFile
from tests.nodes.quality.conftest import ruled
from tests.nodes.sharing import DATASET, World, rows

COUNTS = [
    FindingCount(rule="stuck-temperature", kind="stuck", severity="error", records=40),
    FindingCount(rule="late", kind="timely", severity="info", records=40),
]


def published(world: World, **options: int) -> Manifest:
    return world.publish(rows(40, **options)).manifest.statement


def test_a_manifest_counts_findings_and_binds_the_report(ruled_world: World) -> None:
    """The counts are signed, and the file's digest is the one in the manifest."""
    manifest = published(ruled_world)

    assert manifest.findings == COUNTS
    assert manifest.quality is not None
    path = report_path(ruled_world.provider, DATASET, 1)
    assert hash_file(path).sha256 == manifest.quality.report
    assert path.stat().st_mode & 0o777 == 0o600
    assert (manifest.quality.expected, manifest.quality.present) == (40, 40)


def test_findings_remove_no_row(ruled_world: World) -> None:
    """Every row is published, whatever was found about it."""
    assert published(ruled_world).counts.model_dump() == {"read": 40, "published": 40, "quarantined": 0}


def test_a_contract_that_promises_nothing_leaves_the_manifest_as_it_was(world: World) -> None:
    """Without series and rules there is no note, and the canonical bytes have no new part."""
    contract = ruled().model_copy(update={"series": None, "quality": []})

    examined = examine_release(
        world.provider, contract, "sha256:" + "0" * 64, dataset=DATASET, number=1, at=world.clock.now()
    )

    assert (examined.findings, examined.note) == ([], None)
    assert not report_path(world.provider, DATASET, 1).exists()


@pytest.mark.parametrize("harm", ["gone", "altered"])
def test_a_report_that_was_lost_is_made_again(ruled_world: World, harm: str) -> None:
    """The artifact gives the same bytes again."""
    manifest = published(ruled_world)
    path = report_path(ruled_world.provider, DATASET, 1)
    whole = path.read_bytes()
    path.unlink()
    if harm == "altered":
        path.write_bytes(whole.replace(b'"records":40', b'"records":41'))

    report = own_report(ruled_world.provider, ruled(), manifest)

    assert report is not None
    assert path.read_bytes() == whole
    assert sum(one.records for one in report.findings()) == 80
    assert [line.present for line in report.series()] == [40]


def test_an_artifact_that_gives_another_report_is_told(ruled_world: World) -> None:
    """When neither file nor artifact give what was signed, nothing is shown in its place."""
    manifest = published(ruled_world)
    assert manifest.quality is not None
    other = manifest.quality.model_copy(update={"report": "sha256:" + "7" * 64})

    with pytest.raises(ReportDiffers):
        own_report(ruled_world.provider, ruled(), manifest.model_copy(update={"quality": other}))


def test_a_refused_release_leaves_its_number_and_report_to_the_next(ruled_world: World) -> None:
    """A report is named by its release, so what was never published is written over."""
    send = ruled_world.provider.broker.publish_release

    def refuse(_dataset: str, _manifest: str) -> None:
        raise Conflict("not now")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ruled_world.provider.broker, "publish_release", refuse)
        with pytest.raises(Conflict):
            published(ruled_world)
    assert send is not None
    ruled_world.clock.advance(3600)

    manifest = published(ruled_world)

    assert manifest.number == 1
    assert own_releases(ruled_world.provider, DATASET) == [manifest]
    assert manifest.quality is not None
    path = report_path(ruled_world.provider, DATASET, 1)
    assert hash_file(path).sha256 == manifest.quality.report
    assert [one.name for one in path.parent.iterdir()] == ["1.ndjson"]


def test_a_damaged_artifact_is_told_as_such(ruled_world: World) -> None:
    """Cut bytes are no rows to examine."""
    manifest = published(ruled_world)
    path = artifact_path(ruled_world.provider, manifest.distribution.sha256)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:100])

    with pytest.raises(TruncatedFile):
        ArtifactRows(path).read(["ph"])
