"""Names, bytes and hashes of tiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.formats.merkle import OutsideTree, consistency_path, inclusion_path, root_from
from audit.formats.tile import (
    BadTilePath,
    TileCoordinate,
    TileCorrupt,
    TileHashReader,
    decode_bundle,
    encode_bundle,
    entries_path,
    parse_entries_path,
    parse_tile_path,
    tile_path,
    tiles_for,
)
from tests.audit.trees import numbered

TREE = numbered(1000)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (TileCoordinate(0, 0, 256), "tile/0/000"),
        (TileCoordinate(1, 1_234_067, 256), "tile/1/x001/x234/067"),
        (TileCoordinate(0, 1_234_067, 12), "tile/0/x001/x234/067.p/12"),
        (TileCoordinate(63, 999, 1), "tile/63/999.p/1"),
        (TileCoordinate(2, 1000, 255), "tile/2/x001/000.p/255"),
    ],
)
def test_names(tile: TileCoordinate, path: str) -> None:
    """A tile's name is written and read as in tlog-tiles."""
    assert tile.path == path
    assert parse_tile_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/x000/001",
        "tile/00/000",
        "tile/64/000",
        "tile/0/1",
        "tile/0/0001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/012",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/000\n",
        "tile/0/x001",
        "tile/0/001/000",
        "tile/-1/000",
        "tile/entries/000",
        "tile/0/٠٠٠",
        "tile/0/" + "x001/" * 40 + "000",
    ],
)
def test_other_spellings_are_refused(path: str) -> None:
    """A tile has one name."""
    with pytest.raises(BadTilePath):
        parse_tile_path(path)


@given(st.integers(0, 63), st.integers(0, 2**40), st.integers(1, 256))
def test_names_round_trip(level: int, n: int, width: int) -> None:
    """Every name reads back as its tile."""
    assert parse_tile_path(tile_path(level, n, width)) == (level, n, width)
    assert parse_entries_path(entries_path(n, width)) == (n, width)


@given(st.text(max_size=30))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    """No text crashes the parser, and what it accepts it writes the same."""
    try:
        tile = parse_tile_path(f"tile/{text}")
    except BadTilePath:
        return

    assert tile.path == f"tile/{text}"


def test_tiles_of_70000() -> None:
    """A log of 70,000 has 273 full tiles and a partial of 112, then 1 and 17, then a partial of 1."""
    tiles = list(tiles_for(70_000))

    assert [sum(tile.level == level and tile.width == 256 for tile in tiles) for level in range(3)] == [
        273,
        1,
        0,
    ]
    assert [tile for tile in tiles if tile.width < 256] == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert list(tiles_for(0)) == []


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_growth_writes_only_what_is_new(one: int, two: int) -> None:
    """What a log gains on its way is exactly the tiles that it had not before."""
    old, new = sorted((one, two))

    assert set(tiles_for(new, since=old)) == set(tiles_for(new)) - set(tiles_for(old))


@given(st.integers(1, 1000), st.data())
def test_proofs_from_tiles(size: int, data: st.DataObject) -> None:
    """Tiles give the same proofs as the tree itself."""
    index = data.draw(st.integers(0, size - 1))
    reader = TileHashReader(TREE.tile, size)

    assert inclusion_path(index, size, reader) == inclusion_path(index, size, TREE)
    assert consistency_path(index, size, reader) == consistency_path(index, size, TREE)
    assert root_from(size, reader) == TREE.root(size)


def test_a_tile_of_another_length_is_refused() -> None:
    """A truncated tile is corrupt, and a subtree beyond the log is not read."""
    reader = TileHashReader(lambda level, n, width: TREE.tile(level, n, width)[:-1], 1000)
    with pytest.raises(TileCorrupt):
        reader(0, 0)
    with pytest.raises(OutsideTree):
        reader(0, 1000)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_bundles_round_trip(entries: list[bytes]) -> None:
    """A bundle gives back its entries, and a bundle cut anywhere inside one is refused."""
    raw = encode_bundle(entries)

    assert decode_bundle(raw) == entries
    with pytest.raises(TileCorrupt):
        decode_bundle(raw[:-1])


@pytest.mark.parametrize("entries", [[], [b""] * 257, [b"x" * 65_536]])
def test_bundle_limits(entries: list[bytes]) -> None:
    """A bundle holds 1 to 256 entries of at most 65,535 bytes."""
    with pytest.raises(TileCorrupt):
        encode_bundle(entries)


@pytest.mark.parametrize("raw", [b"", b"\x00", b"\x00\x02a", b"\x00\x00" * 257])
def test_broken_bundles(raw: bytes) -> None:
    """An empty, cut off or overlong bundle is refused."""
    with pytest.raises(TileCorrupt):
        decode_bundle(raw)
