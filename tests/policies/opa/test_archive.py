"""Archives of bundles: the same bytes for the same files, and nothing strange comes out of one."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.bundle import Bundle, BundleTampered, read_bundle, seal, shipped_bundle
from policies.opa.archive import MANIFEST, MAX_BYTES, MAX_FILE_BYTES, MAX_FILES, BadArchive, pack, unpack
from policies.opa.signing import plain_archive

FILES = {MANIFEST: b"{}", "headwaters/a.rego": b"package headwaters.a\n", "headwaters/b.rego": b""}


def archive(*entries: tarfile.TarInfo, raw: bytes = b"package x\n") -> bytes:
    """Write an archive of any entries; each regular file holds ``raw``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for entry in entries:
            entry.size = len(raw) if entry.isreg() else 0
            tar.addfile(entry, io.BytesIO(raw) if entry.isreg() else None)
    return gzip.compress(buffer.getvalue())


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """Make one entry."""
    made = tarfile.TarInfo(name)
    made.type = kind
    made.linkname = link
    return made


def test_what_is_packed_is_unpacked() -> None:
    """Unpacking gives the files that were packed."""
    assert unpack(pack(FILES)) == FILES


def test_the_same_files_give_the_same_bytes() -> None:
    """Neither the order of the files nor the moment shows in an archive."""
    assert pack(FILES) == pack(dict(reversed(FILES.items())))


def test_folders_and_a_leading_dot_are_no_harm() -> None:
    """An archive that tar made of a folder (``./`` before each name, folders as entries) is read as well."""
    raw = archive(
        entry("./", tarfile.DIRTYPE), entry("./headwaters", tarfile.DIRTYPE), entry("./headwaters/a.rego")
    )

    assert unpack(raw) == {"headwaters/a.rego": b"package x\n"}


@pytest.mark.parametrize(
    "name",
    [
        "../headwaters/a.rego",
        "headwaters/../../a.rego",
        "headwaters/../a.rego",
        "//headwaters/a.rego",
        "/etc/passwd",
        "headwaters/sub/a.rego",
        "headwaters/a.rego/",
        "headwaters/A.rego",
        "headwaters/a.rego ",
        "headwaters/a.rego\n",
        "headwaters/.rego",
        "headwaters\\a.rego",
        "headwaters/а.rego",
        "data.json",
        "headwaters/data.json",
        "data.yaml",
        "policy.wasm",
        "plan.json",
        ".manifest.pb",
        "other/a.rego",
        "a.rego",
    ],
)
def test_a_name_off_the_list_is_refused(name: str) -> None:
    """No path leaves the bundle, and no file comes along that OPA would read and we would not."""
    with pytest.raises(BadArchive):
        unpack(archive(entry(name)))


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
        tarfile.CONTTYPE,
        tarfile.GNUTYPE_SPARSE,
    ],
)
def test_only_regular_files_are_taken(kind: bytes) -> None:
    """A link, a device or a sparse file under an allowed name is refused."""
    with pytest.raises(BadArchive):
        unpack(archive(entry("headwaters/a.rego", kind, "/etc/passwd")))


def test_a_file_may_be_there_once() -> None:
    """Two entries of one name would let two readers see different files."""
    for second in ("headwaters/a.rego", "./headwaters/a.rego", "/headwaters/a.rego"):
        with pytest.raises(BadArchive):
            unpack(archive(entry("headwaters/a.rego"), entry(second)))


def test_the_limits_hold() -> None:
    """Too many files, one that is too large, and too many bytes packed or unpacked are refused."""
    many = [entry(f"headwaters/a{number}.rego") for number in range(MAX_FILES + 1)]
    with pytest.raises(BadArchive):
        unpack(archive(*many))
    with pytest.raises(BadArchive):
        unpack(archive(*[entry("./", tarfile.DIRTYPE)] * (MAX_FILES + 1)))
    with pytest.raises(BadArchive):
        unpack(archive(entry("headwaters/a.rego"), raw=b" " * (MAX_FILE_BYTES + 1)))
    with pytest.raises(BadArchive):
        unpack(gzip.compress(b"\0" * (MAX_BYTES + 1)))
    with pytest.raises(BadArchive):
        unpack(b"\0" * (MAX_BYTES + 1))
    assert len(unpack(archive(*many[:-1]))) == MAX_FILES
    assert unpack(archive(entry("headwaters/a.rego"), raw=b" " * MAX_FILE_BYTES))


def test_a_bomb_is_not_unzipped() -> None:
    """A gigabyte of zeros in a megabyte is given up at the limit."""
    bomb = gzip.compress(b"\0" * 50_000_000)

    assert len(bomb) < MAX_BYTES
    with pytest.raises(BadArchive):
        unpack(bomb)


def header(kind: bytes, size: int) -> bytes:
    """Write the header of an entry with a size that tarfile itself would not write."""
    raw = bytearray(entry("headwaters/b.rego").tobuf(tarfile.GNU_FORMAT))
    raw[124:136] = (256**12 + size if size < 0 else 128 << 88 | size).to_bytes(12, "big")
    raw[156:157] = kind
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE, b"L", b"K", b"x", b"g"])
@pytest.mark.parametrize("size", [-(10**20), -1024, 10**20])
def test_an_odd_size_is_refused(kind: bytes, size: int) -> None:
    """A size below zero would lead back into what was read, one beyond memory nowhere: both are refused."""
    first, last = header(tarfile.REGTYPE, 0), header(tarfile.REGTYPE, 0)
    with pytest.raises(BadArchive):
        unpack(gzip.compress(first + header(kind, size) + last + bytes(1024)))


@pytest.mark.parametrize("kind", [b"L", b"x", b"g"])
def test_a_tower_of_extension_headers_is_refused(kind: bytes) -> None:
    """Each of them is read inside the one before; thousands of them end in a refusal, not in a crash."""
    with pytest.raises(BadArchive):
        unpack(gzip.compress(header(kind, 0) * 3900 + header(tarfile.REGTYPE, 0) + bytes(1024)))


def test_nothing_may_stand_behind_the_archive() -> None:
    """A second gzip member, or bytes after the first, could be read by one reader and not by another."""
    raw = pack(FILES)
    for spoilt in (raw + b"\0", raw + raw, raw[:-1], raw[:40], b"", b"PK\x03\x04"):
        with pytest.raises(BadArchive):
            unpack(spoilt)


@given(st.binary(max_size=2048))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Whatever is handed over, an archive is read or BadArchive is raised, also inside the gzip."""
    for attempt in (raw, gzip.compress(raw)):
        try:
            files = unpack(attempt)
        except BadArchive:
            files = {}
        assert files == {}


def test_a_bundle_is_read_from_an_archive(tmp_path: Path) -> None:
    """A folder and the archive of it are the same bundle."""
    path = tmp_path / "bundle.tar.gz"
    path.write_bytes(plain_archive(shipped_bundle()))

    assert read_bundle(path) == shipped_bundle()


def test_a_bundle_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """No file, no manifest, another manifest, no policy: no bundle."""
    path = tmp_path / "bundle.tar.gz"
    with pytest.raises(BundleTampered):
        read_bundle(path)
    sources = dict(shipped_bundle().sources)
    other = Bundle({"headwaters/a.rego": b""}).manifest_bytes()
    for manifest in (b"", b"null", b"[" * 100_000, b'{"roots": 1.5}', other):
        path.write_bytes(pack({**sources, MANIFEST: manifest}))
        with pytest.raises(BundleTampered):
            read_bundle(path)
    for files in (sources, {MANIFEST: Bundle({}).manifest_bytes()}):
        path.write_bytes(pack(files))
        with pytest.raises(BundleTampered):
            read_bundle(path)


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    """A folder without its parts, with too many files or with larger ones is refused as it is read."""
    (tmp_path / "headwaters").mkdir()
    with pytest.raises(BundleTampered):
        read_bundle(tmp_path)
    (tmp_path / MANIFEST).write_bytes(b"{}")
    large = tmp_path / "headwaters" / "large.rego"
    large.write_bytes(b" " * (MAX_FILE_BYTES + 1))
    with pytest.raises(BundleTampered):
        seal(tmp_path)
    large.unlink()
    for number in range(MAX_FILES + 1):
        (tmp_path / "headwaters" / f"a{number}.rego").touch()
    with pytest.raises(BundleTampered):
        seal(tmp_path)


def test_a_link_in_a_folder_is_not_followed(tmp_path: Path) -> None:
    """A bundle from elsewhere brings its own files: no link to another file, no pipe that never ends."""
    folder = tmp_path / "rego" / "headwaters"
    folder.mkdir(parents=True)
    (tmp_path / "a.rego").touch()
    (folder / "a.rego").symlink_to(tmp_path / "a.rego")
    with pytest.raises(BundleTampered):
        seal(tmp_path / "rego")
    (folder / "a.rego").unlink()
    os.mkfifo(folder / "a.rego")
    with pytest.raises(BundleTampered):
        seal(tmp_path / "rego")


def test_an_archive_that_ends_in_a_file_is_refused() -> None:
    """A header that promises more than there is."""
    plain = gzip.decompress(pack({"headwaters/a.rego": b"x" * 2000}))

    with pytest.raises(BadArchive):
        unpack(gzip.compress(plain[:1024]))


def test_a_bundle_in_memory_keeps_to_the_limits() -> None:
    """Names and sizes are checked however the files came."""
    for sources in (
        {"headwaters/data.json": b"{}"},
        {"a.rego": b""},
        {f"headwaters/a{number}.rego": b"" for number in range(MAX_FILES + 1)},
        {"headwaters/a.rego": b" " * (MAX_FILE_BYTES + 1)},
        {f"headwaters/a{number}.rego": b" " * MAX_FILE_BYTES for number in range(5)},
    ):
        bundle = Bundle(sources)
        with pytest.raises(BundleTampered):
            Bundle.from_files(bundle.files())
