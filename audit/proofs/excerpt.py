"""The ``.hwpart`` file: some 64 KiB chunks of transferred data, provable without the rest of it.

One line with the format's name, one line of canonical JSON, the whole ``.hwproof``, and the chunks' bytes.
The chunks hash, with the hashes beside them, to the chunk root that both parties signed in their receipts, so
one disputed range is shown alone. Nothing in the file is a mere claim: which bytes it holds follows from the
places of the chunks, and those are part of what is proven.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, BinaryIO, TypeAlias

from pydantic import Field

from audit.commitment import CHUNK_BYTES
from audit.formats.merkle import ProofInvalid, leaf_hash, tree_root
from audit.formats.subset import subset_path, subset_root
from audit.keys.trust_file import TrustFile
from audit.proofs.doubts import DATA_NOT_SHOWN
from audit.proofs.transfer_proof import MAX_PROOF_BYTES
from audit.proofs.verify import Verdict, verify_transfer
from contracts.errors import Invalid
from contracts.identifiers import format_digest
from contracts.messages import Text, Wire
from contracts.spelling import NotBase64, from_base64, to_base64

MAGIC = b"headwaters-excerpt/v1\n"
MAX_HEADER_BYTES = 1024 * 1024
MAX_RUNS = 1000

Keep: TypeAlias = Callable[[int, bytes], object]
"""Takes the bytes of a chunk and the offset at which they stand in the data."""

REST_NOT_SHOWN = Text(
    zh="所示范围之外的数据:摘录只证明其所含的字节。",
    en="The data outside this range: an excerpt proves the bytes that it holds and no others.",
)


class ExcerptInvalid(Invalid):
    """The file is no excerpt, or not the one spelling of it."""

    code = "excerpt-invalid"
    title_zh = "该文件不是有效的数据摘录"


class OutsideData(Invalid):
    """The range lies outside the data."""

    code = "outside-data"
    title_zh = "所选范围超出数据"
    next_zh = "字节从 0、行从 1 数起,起止都含;先用 headwaters verify 查看大小与行数。"
    next_en = "Bytes count from 0 and rows from 1, both ends included; headwaters verify shows how many."


class ExcerptNotProven(ProofInvalid):
    """The excerpt is not part of the data that moved."""

    code = "excerpt-not-proven"
    title_zh = "该摘录不属于所传输的数据"
    next_zh = "不要采信该摘录;请对方重新提供。"
    next_en = "Do not rely on this excerpt; ask for it again."


class Run(Wire):
    """Consecutive chunks; numbers count from 0."""

    first: Annotated[int, Field(ge=0)]
    count: Annotated[int, Field(ge=1)]


class Header(Wire):
    """The second line: how long the proof is, which chunks follow, and the hashes beside them in base64."""

    proof_bytes: Annotated[int, Field(ge=1, le=MAX_PROOF_BYTES)]
    runs: Annotated[list[Run], Field(min_length=1, max_length=MAX_RUNS)]
    path: list[str]

    def chunks(self, size_bytes: int) -> Iterator[int]:
        """Number the chunks inside data of ``size_bytes``; raise ExcerptInvalid or ExcerptNotProven."""
        ends = [run.first + run.count for run in self.runs]
        if any(end >= run.first for end, run in zip(ends, self.runs[1:], strict=False)):
            raise ExcerptInvalid("the runs of chunks touch or are not in order")
        if ends[-1] > _chunk_count(size_bytes):
            raise ExcerptNotProven(f"the data has only {size_bytes} bytes")
        # One by one: how many there are is a claim until the file has shown their bytes.
        return (chunk for run in self.runs for chunk in range(run.first, run.first + run.count))

    def hashes(self) -> list[bytes]:
        """Give the hashes of the path; raise ExcerptInvalid."""
        try:
            return [from_base64(text) for text in self.path]
        except NotBase64 as error:
            raise ExcerptInvalid("a hash is not base64") from error


@dataclass(frozen=True, slots=True)
class ExcerptVerdict:
    """What an excerpt proves: the transfer, and the bytes ``(start, end)`` of its data, ``end`` excluded."""

    transfer: Verdict
    ranges: tuple[tuple[int, int], ...]
    not_proven: tuple[Text, ...]


def chunks_of(ranges: Sequence[tuple[int, int]], size_bytes: int) -> list[int]:
    """Number the chunks that cover the byte ranges, ``end`` excluded; raise OutsideData."""
    chosen: set[int] = set()
    for start, end in ranges:
        if not 0 <= start < end <= size_bytes:
            raise OutsideData(f"the data has {size_bytes} bytes", size_bytes=size_bytes)
        chosen.update(range(start // CHUNK_BYTES, _chunk_count(end)))
    return sorted(chosen)


def write_excerpt(
    out: BinaryIO, data: BinaryIO, proof: bytes, verdict: Verdict, ranges: Sequence[tuple[int, int]]
) -> list[Run]:
    """Cut an excerpt that covers ``ranges`` out of the seekable ``data`` and give its runs of chunks.

    ``verdict`` is what ``verify_transfer`` said of ``proof``. Raises OutsideData, and ExcerptNotProven when
    ``data`` is not the data of that transfer.
    """
    chunks = chunks_of(ranges, verdict.size_bytes)
    data.seek(0)
    leaves = list(_leaf_hashes(data))
    if format_digest(tree_root(leaves)) != verdict.chunk_root:
        raise ExcerptNotProven("the data is not what this proof is about")
    runs = _runs(chunks)
    path = [to_base64(value) for value in subset_path(chunks, leaves)]
    header = Header(proof_bytes=len(proof), runs=runs, path=path)
    out.write(MAGIC + header.canonical() + b"\n" + proof)
    for chunk in chunks:
        data.seek(chunk * CHUNK_BYTES)
        out.write(data.read(CHUNK_BYTES))
    return runs


def verify_excerpt(
    part: BinaryIO, trust: TrustFile, *, now: datetime, keep: Keep = lambda _at, _piece: None
) -> ExcerptVerdict:
    """Judge an excerpt; ``keep`` receives each chunk while it is read, and counts only when this returns.

    Raises ExcerptInvalid, ExcerptNotProven, and what ``verify_transfer`` raises.
    """
    header, proof = _opened(part)
    transfer = verify_transfer(proof, None, trust, now=now)
    size, chosen = transfer.size_bytes, {}
    for chunk in header.chunks(size):
        start = chunk * CHUNK_BYTES
        piece = part.read(min(CHUNK_BYTES, size - start))
        if len(piece) != min(CHUNK_BYTES, size - start):
            raise ExcerptNotProven("the file ends before its last chunk")
        chosen[chunk] = leaf_hash(piece)
        keep(start, piece)
    if part.read(1):
        raise ExcerptInvalid("there is more in the file than its chunks")
    root = subset_root(chosen, _chunk_count(size), header.hashes())
    if format_digest(root) != transfer.chunk_root:
        raise ExcerptNotProven("the chunks do not lead to the root that both parties signed")
    ranges = tuple(
        (run.first * CHUNK_BYTES, min((run.first + run.count) * CHUNK_BYTES, size)) for run in header.runs
    )
    rest = REST_NOT_SHOWN if ranges != ((0, size),) else None
    texts = [rest if text == DATA_NOT_SHOWN else text for text in transfer.not_proven]
    return ExcerptVerdict(transfer, ranges, tuple(text for text in texts if text is not None))


def _opened(part: BinaryIO) -> tuple[Header, bytes]:
    line = part.read(len(MAGIC))
    if line != MAGIC:
        raise ExcerptInvalid("the file does not begin as an excerpt does")
    raw = part.readline(MAX_HEADER_BYTES)
    if not raw.endswith(b"\n"):
        raise ExcerptInvalid("the second line is too long or has no end")
    header = Header.parse(raw[:-1])
    if header.canonical() + b"\n" != raw:
        raise ExcerptInvalid("the second line is not in its one spelling")
    proof = part.read(header.proof_bytes)
    return header, proof


def _leaf_hashes(data: BinaryIO) -> Iterator[bytes]:
    while chunk := data.read(CHUNK_BYTES):
        yield leaf_hash(chunk)


def _runs(chunks: Sequence[int]) -> list[Run]:
    chosen = set(chunks)
    starts = [chunk for chunk in chunks if chunk - 1 not in chosen]
    ends = [chunk for chunk in chunks if chunk + 1 not in chosen]
    return [Run(first=start, count=end - start + 1) for start, end in zip(starts, ends, strict=True)]


def _chunk_count(size_bytes: int) -> int:
    return -(-size_bytes // CHUNK_BYTES)
