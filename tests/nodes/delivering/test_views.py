"""Views: what is hidden is gone from the bytes, and a view is made once."""

from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest
from sqlmodel import select

from contracts import library
from contracts.messages import Manifest, Obligation, Redact
from contracts.view import ObligationUnfit
from nodes.delivering.checks import ArtifactMissing
from nodes.delivering.duties.handler import View
from nodes.delivering.views import make_view
from nodes.publishing.artifacts import artifact_path, hash_file
from nodes.sharing_tables import ViewRow
from tests.nodes.sharing import CONTRACT, World, rows

KEY = "sha256:" + "3" * 64


def made(world: World, fields: list[str], manifest: Manifest | None = None) -> View:
    published = manifest or world.publish().manifest.statement
    duties: list[Obligation] = [Redact(fields=fields)] if fields else []
    return make_view(world.provider, published, library.load(CONTRACT), duties, KEY)


def test_without_redactions_the_view_is_the_artifact(world: World) -> None:
    """Nothing is copied where nothing is hidden."""
    world.declare()
    manifest = world.publish().manifest.statement

    view = made(world, [], manifest)

    assert view.content.sha256 == manifest.distribution.sha256
    assert view.path == artifact_path(world.provider, manifest.distribution.sha256)


def test_a_hidden_column_is_gone_from_the_bytes(world: World) -> None:
    """Neither the column's name nor its values stand anywhere in the file."""
    world.declare()
    world.publish([{**row, "chlorophyll": 987.125} for row in rows(5)])

    view = made(world, ["chlorophyll", "ph"])

    assert set(pl.read_parquet(view.path).columns).isdisjoint({"chlorophyll", "ph"})
    assert b"chlorophyll" not in view.path.read_bytes()
    assert hash_file(view.path) == view.content
    assert view.redacted == ("chlorophyll", "ph")


def test_a_view_is_made_once_even_by_many_at_a_time(world: World) -> None:
    """Concurrent requests get the same view, and no draft is left."""
    world.declare()
    manifest = world.publish().manifest.statement

    with ThreadPoolExecutor(4) as pool:
        views = list(pool.map(lambda _: made(world, ["ph"], manifest), range(4)))

    with world.provider.database.read() as session:
        assert len(session.exec(select(ViewRow)).all()) == 1
    assert len({view.path for view in views}) == 1
    assert [one.name for one in world.provider.home.views.glob("*.parquet")] == [views[0].path.name]


def test_a_lost_view_is_made_again(world: World) -> None:
    """The cache may be emptied at any time."""
    world.declare()
    manifest = world.publish().manifest.statement
    first = made(world, ["ph"], manifest)
    first.path.unlink()

    assert made(world, ["ph"], manifest).content == first.content


def test_no_view_is_made_of_a_damaged_artifact(world: World) -> None:
    """The provider signs nothing over bytes that are not its release."""
    world.declare()
    manifest = world.publish().manifest.statement
    path = artifact_path(world.provider, manifest.distribution.sha256)
    path.chmod(0o600)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)

    with pytest.raises(ArtifactMissing):
        made(world, ["ph"], manifest)


def test_a_view_needs_a_column(world: World) -> None:
    """Hiding everything is refused."""
    world.declare()

    with pytest.raises(ObligationUnfit):
        made(world, list(rows(1)[0]))
