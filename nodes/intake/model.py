"""What a source is: a name, the dataset it feeds, how its rows arrive, and how often a release is made.

Pure words; a person at the node writes them, never a contract. Nothing here holds a secret: a database
address stands in a private file or in the environment of the node, and of a push token only a digest is kept.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from contracts.errors import Conflict, NotFound, Unavailable
from contracts.messages import DatasetId, Wire

MAX_KEY_CHARS = 200
MAX_EVERY_SECONDS = 31 * 86_400

ColumnName = Annotated[str, Field(min_length=1, max_length=128)]


class SourceKind(StrEnum):
    """How rows arrive."""

    FOLDER = "folder"
    SQL = "sql"
    PUSH = "push"
    STATION = "station"


class PieceState(StrEnum):
    """Where a piece stands: waiting, in an open lot, in a release, or refused as a whole."""

    WAITING = "waiting"
    LOT = "lot"
    RELEASED = "released"
    REFUSED = "refused"


class LotState(StrEnum):
    """Where a lot stands: ``quarantined`` is one whose every row broke the contract."""

    OPEN = "open"
    RELEASED = "released"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


class FolderSettings(Wire):
    """A folder that is watched; a file is finished after ``settle_seconds``, or when its marker is there.

    ``marker`` is what the sender appends to the name of an empty file that says so, as ``.ok``. ``after``
    says what happens to a file that was taken: it stays, or moves to ``taken/`` (``refused/``) in the folder.
    """

    kind: Literal[SourceKind.FOLDER] = SourceKind.FOLDER
    path: Annotated[str, Field(min_length=1, max_length=1000)]
    settle_seconds: Annotated[int, Field(ge=0, le=86_400)] = 10
    marker: Annotated[str, Field(pattern=r"^\.[A-Za-z0-9]{1,16}$")] | None = None
    after: Literal["keep", "move"] = "keep"


class SqlSettings(Wire):
    """A table or view of a database, read on from where the last reading ended.

    ``by`` is a column that only grows for new rows. Rows that appear late are found while their ``by`` is at
    most ``lookback`` behind: seconds for times, plain numbers otherwise. ``columns`` leads from columns to
    contract fields; a column with the name of a field needs no mention. ``zone`` is the offset from UTC in
    which times without one are read.
    """

    kind: Literal[SourceKind.SQL] = SourceKind.SQL
    url_file: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    url_env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,63}$")] | None = None
    table: ColumnName
    table_schema: ColumnName | None = None
    by: ColumnName
    lookback: Annotated[int, Field(ge=0, le=400 * 86_400)] = 0
    columns: Annotated[dict[ColumnName, ColumnName], Field(max_length=400)] = Field(default={})
    zone: Annotated[str, Field(pattern=r"^[+-](?:0[0-9]|1[0-4]):[0-5][0-9]$")] | None = None


class PushSettings(Wire):
    """Programs that send rows to the node over HTTP, with the source's token."""

    kind: Literal[SourceKind.PUSH] = SourceKind.PUSH


class StationSettings(Wire):
    """Stations whose gateway hands rows over inside this node."""

    kind: Literal[SourceKind.STATION] = SourceKind.STATION


Settings = Annotated[
    FolderSettings | SqlSettings | PushSettings | StationSettings, Field(discriminator="kind")
]


class NewSource(Wire):
    """What a person asks for; with ``every_seconds`` 0 a release is made when somebody runs the source."""

    name: DatasetId
    dataset: DatasetId
    settings: Settings
    every_seconds: Annotated[int, Field(ge=0, le=MAX_EVERY_SECONDS)] = 0


class StoredSettings(Wire):
    """The settings as the database keeps them."""

    settings: Settings


class NoSuchSource(NotFound):
    """There is no source of this name."""

    code = "no-such-source"
    title_zh = "没有这个名称的数据来源"
    next_zh = "用 headwaters source list 查看来源。"
    next_en = "headwaters source list shows the sources."


class SourceNameTaken(Conflict):
    """A source of this name is there already."""

    code = "source-name-taken"
    title_zh = "已有同名的数据来源"
    next_zh = "换一个名称,或先移除原来的来源。"
    next_en = "Choose another name, or remove the source that has it."


class WrongSourceKind(Conflict):
    """This is not how the rows of this source arrive."""

    code = "wrong-source-kind"
    title_zh = "该来源的接入方式与此操作不符"
    next_zh = "用 headwaters source show 查看来源的接入方式。"
    next_en = "headwaters source show says how its rows arrive."


class KeyTaken(Conflict):
    """Other rows landed under this batch id before."""

    code = "batch-key-taken"
    title_zh = "该批号此前已用于另一批内容"
    next_zh = "重发须逐字节相同;新内容请用新的批号。"
    next_en = "Send the same bytes again, or give new rows a new batch id."


class SpoolFull(Unavailable):
    """The source has more rows waiting than it may."""

    code = "spool-full"
    title_zh = "该来源待发布的数据已达上限"
    next_zh = "待发布批次发出后重试;headwaters source show 说明为何积压。"
    next_en = "Try again once a release was made; headwaters source show says what holds it up."


class RowsWaiting(Conflict):
    """Rows of the source wait for a release."""

    code = "rows-waiting"
    title_zh = "该来源仍有待发布的数据"
    next_zh = "先运行 headwaters source run;确要丢弃时加 --discard。"
    next_en = "Run headwaters source run first, or add --discard to let them go."
