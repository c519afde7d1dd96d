"""A table of a database, read on from a cursor: read-only, streaming, in pieces that land with the cursor.

Every statement is built from quoted names and bound values. Rows come in the order of one column. What is
near the cursor is read again and compared with digests, so rows that share its value, or appear a little
late, are neither lost nor taken twice. Rows, digests and cursor are committed together.
"""

import hashlib
import os
from collections import Counter, deque
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Column, MetaData, Table, create_engine, delete, func, inspect, select, types
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, NoSuchTableError, SQLAlchemyError
from sqlalchemy.types import NullType
from sqlmodel import Session, col

from audit.keys.signing import read_key_file
from contracts.clock import epoch_ms
from contracts.errors import Invalid, Unavailable
from contracts.schema import Contract
from nodes.intake.lots import terms_of
from nodes.intake.model import SqlSettings
from nodes.intake.spool import add_piece, check_room, identity, spool_folder, write_draft
from nodes.intake.sql_values import (
    Cell,
    CursorText,
    Spelling,
    before,
    read_cursor,
    write_cursor,
    zone_of,
)
from nodes.intake.tables import SeenRecordRow, SourceRow
from nodes.node import Node

PIECE_ROWS = 50_000
PIECE_BYTES = 64 * 1024**2
MAX_NEAR = 200_000
_FETCH_ROWS = 1_000
_CONNECT_SECONDS = 10
_NUMBERS = (int, float, Decimal)


class DatabaseSilent(Unavailable):
    """The source's database does not answer."""

    code = "source-database-silent"
    title_zh = "来源数据库没有应答"
    next_zh = "检查数据库地址、网络与账号;下次到期会自动再试。"
    next_en = "Check its address, the network and the account; it is asked again when the source is due."


class DatabaseUnfit(Invalid):
    """The source's database cannot be read as its settings say."""

    code = "source-database-unfit"
    title_zh = "来源数据库与设置不符"
    next_zh = "核对表名、列名与字段对照(--map),以及地址文件。"
    next_en = "Compare the names of table and columns, the mapping (--map), and the file with the address."


class CursorTooCoarse(Invalid):
    """Too many rows are near the cursor to be told apart."""

    code = "cursor-too-coarse"
    title_zh = "增量列过粗或回看过长,游标附近的行过多"
    next_zh = "换用更细的增量列,或缩短回看(--lookback)。"
    next_en = "Read by a finer column, or look back less (--lookback)."


@dataclass(frozen=True, slots=True)
class Read:
    """What one reading did; ``without_cursor`` rows hold no value in the column and are never read."""

    landed: int
    rows: int
    without_cursor: int
    unread_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Shape:
    """The table as it is read: contract field by column, and the column of the cursor."""

    table: Table
    fields: dict[str, str]
    by: Column[Cell]
    spelling: Spelling
    nullable: bool
    unread: tuple[str, ...]


@dataclass(slots=True)
class _Near:
    """The digests of the rows at most ``lookback`` behind the newest one."""

    lookback: int
    rows: deque[tuple[Cell, str]] = field(default_factory=deque)

    def add(self, value: Cell, record: str) -> None:
        self.rows.append((value, record))
        floor = before(value, self.lookback)
        # The rows come in order, so what falls behind falls off the left end.
        while self.rows and _is_before(self.rows[0][0], floor):
            self.rows.popleft()
        if len(self.rows) > MAX_NEAR:
            raise CursorTooCoarse(f"more than {MAX_NEAR} rows are near the cursor")


def read_on(node: Node, source: SourceRow, settings: SqlSettings) -> Read:
    """Read the rows that are new since the last reading into the spool.

    Raises DatabaseSilent, DatabaseUnfit, CursorUnfit, CursorTooCoarse, SpoolFull, or DatasetNotDeclared.
    """
    contract = terms_of(node, source.dataset).contract
    with _connected(settings) as connection:
        with _answering(settings):
            shape = _shape(connection, settings, contract)
            without = _without_cursor(connection, shape)
        reading = _Reading(node, source, settings)
        with closing(_rows(connection, settings, shape, reading.floor)) as rows:
            for value, line in rows:
                reading.take(value, line)
        reading.land()
    return Read(reading.pieces, reading.taken, without, shape.unread)


class _Reading:
    """Rows on their way from the database into pieces."""

    def __init__(self, node: Node, source: SourceRow, settings: SqlSettings) -> None:
        self._node, self._source = node, source
        self._near = _Near(settings.lookback)
        cursor = None if source.cursor is None else read_cursor(CursorText.parse(source.cursor.encode()))
        self.floor = None if cursor is None else before(cursor, settings.lookback)
        self._cursor = cursor
        self._known = self._seen()
        self._met: Counter[str] = Counter()
        self._last: Cell = cursor
        self._lines: list[bytes] = []
        self._size = 0
        self.pieces = self.taken = 0

    def take(self, value: Cell, line: bytes) -> None:
        """Add a row unless it was taken before; equal rows are told apart by how often they were met."""
        record = hashlib.sha256(repr(value).encode() + b"\n" + line).hexdigest()[:32]
        self._met[record] += 1
        record = f"{record}-{self._met[record]}"[:40]
        self._near.add(value, record)
        self._forget_met()
        self._last = value
        if record in self._known:
            return
        self._lines.append(line)
        self._size += len(line)
        self.taken += 1
        if len(self._lines) >= PIECE_ROWS or self._size >= PIECE_BYTES:
            self.land()

    def land(self) -> None:
        """Commit the rows that wait as one piece, together with how far the reading is."""
        if not self._lines:
            return
        node, source = self._node, self._source
        with node.database.read() as session:
            check_room(session, identity(source), self._size)
        draft = write_draft(spool_folder(node, identity(source)), self._lines)
        ahead = self._cursor is None or not _is_before(self._last, self._cursor)
        cursor = write_cursor(self._last)
        with node.database.transaction() as session:
            key = f"{epoch_ms(node.clock.now())}-{draft.path.name}"
            add_piece(node, session, source, draft, key=key, rows=len(self._lines))
            if ahead:
                kept = session.get_one(SourceRow, source.id)
                kept.cursor = cursor.canonical().decode()
                session.add(kept)
            self._note_seen(session, all_of_them=ahead)
        if ahead:
            self._cursor = self._last
        self.pieces += 1
        self._lines, self._size = [], 0

    def _seen(self) -> set[str]:
        with self._node.database.read() as session:
            query = select(col(SeenRecordRow.record)).where(col(SeenRecordRow.source) == self._source.id)
            return set(session.scalars(query))

    def _note_seen(self, session: Session, *, all_of_them: bool) -> None:
        """Remember the rows near the cursor in place of those near the last one.

        The rows that were read again are among them, as the reading began at the last one's window. While it
        has not come to the last cursor again, the late rows are remembered beside those that are known.
        """
        source = identity(self._source)
        records = {record for _, record in self._near.rows}
        if all_of_them:
            session.connection().execute(delete(SeenRecordRow).where(col(SeenRecordRow.source) == source))
            self._known = records
        else:
            records -= self._known
            self._known |= records
        rows = [{"source": source, "record": record} for record in sorted(records)]
        if rows:
            session.connection().execute(SeenRecordRow.__table__.insert(), rows)  # type: ignore[attr-defined]  # SQLModel makes it

    def _forget_met(self) -> None:
        # Equal rows share the cursor's value, so only those near it can be met again.
        if len(self._met) > 2 * MAX_NEAR:
            near = {record.partition("-")[0] for _, record in self._near.rows}
            self._met = Counter({name: count for name, count in self._met.items() if name in near})


def _rows(
    connection: Connection, settings: SqlSettings, shape: _Shape, floor: Cell
) -> Generator[tuple[Cell, bytes], None, None]:
    columns = [shape.table.c[name] for name in shape.fields]
    query = select(shape.by.label("_by"), *columns).where(shape.by.is_not(None)).order_by(shape.by)
    if floor is not None:
        query = query.where(shape.by >= floor)
    names = list(shape.fields.values())
    streaming = connection.execution_options(stream_results=True, yield_per=_FETCH_ROWS)
    with _answering(settings), streaming.execute(query) as result:
        for row in result:
            yield row[0], shape.spelling.row(dict(zip(names, row[1:], strict=True)))


def _without_cursor(connection: Connection, shape: _Shape) -> int:
    if not shape.nullable:
        return 0
    query = select(func.count()).select_from(shape.table).where(shape.by.is_(None))
    return int(connection.execute(query).scalar_one())


def _shape(connection: Connection, settings: SqlSettings, contract: Contract) -> _Shape:
    try:
        found = inspect(connection).get_columns(settings.table, schema=settings.table_schema)
    except NoSuchTableError as error:
        raise DatabaseUnfit(f"there is no table or view {settings.table}") from error
    kinds = {str(column["name"]): column["type"] for column in found}
    nullable = {str(column["name"]): bool(column.get("nullable", True)) for column in found}
    missing = sorted(({settings.by} | settings.columns.keys()) - kinds.keys())
    if missing:
        raise DatabaseUnfit(f"{settings.table} has no column {missing[0]!r}", columns=missing)
    fields = {name: settings.columns.get(name, name) for name in kinds}
    fields = {name: target for name, target in fields.items() if contract.kind(target) is not None}
    _check_fields(settings, contract, fields)
    # Without types of its own the driver's values come as they are: none is read wrongly, none raises.
    plain = [Column(name, NullType()) for name in dict.fromkeys([settings.by, *fields])]
    table = Table(settings.table, MetaData(), *plain, schema=settings.table_schema)
    spelling = Spelling(
        contract,
        zone_of(settings.zone),
        frozenset(target for name, target in fields.items() if isinstance(kinds[name], types.DateTime)),
        frozenset(target for name, target in fields.items() if isinstance(kinds[name], types.Boolean)),
    )
    unread = tuple(sorted(kinds.keys() - fields.keys() - {settings.by}))
    return _Shape(table, fields, table.c[settings.by], spelling, nullable[settings.by], unread)


def _check_fields(settings: SqlSettings, contract: Contract, fields: dict[str, str]) -> None:
    targets = list(fields.values())
    strangers = sorted(set(settings.columns.values()) - set(targets))
    if strangers:
        raise DatabaseUnfit(f"{contract.id} has no field {strangers[0]!r}", fields=strangers)
    twice = sorted({name for name in targets if targets.count(name) > 1})
    if twice:
        raise DatabaseUnfit(f"two columns are read as {twice[0]!r}", fields=twice)
    required = contract.record.get("required", [])
    lacking = sorted({str(name) for name in required} - set(targets)) if isinstance(required, list) else []
    if lacking:
        raise DatabaseUnfit(f"no column gives the required field {lacking[0]!r}", fields=lacking)


@contextmanager
def _connected(settings: SqlSettings) -> Iterator[Connection]:
    engine = _engine(_url(settings))
    try:
        with _answering(settings):
            connection = engine.connect()
        with closing(connection):
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _answering(settings: SqlSettings) -> Iterator[None]:
    """Translate what the driver raises: its words may hold an address or a value, so its class goes on."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise DatabaseSilent(f"reading {settings.table} failed: {type(cause).__name__}") from error


def _url(settings: SqlSettings) -> URL:
    """Read the address from a private file or the environment; raise DatabaseUnfit or KeyFileExposed."""
    if settings.url_file is not None:
        text = read_key_file(Path(settings.url_file)).decode(errors="replace").strip()
    else:
        text = os.environ.get(settings.url_env or "", "").strip()
    if not text:
        raise DatabaseUnfit(f"the database's address is not in {settings.url_file or settings.url_env}")
    try:
        return make_url(text)
    except ArgumentError as error:
        raise DatabaseUnfit("the text is no database address") from error


def _engine(url: URL) -> Engine:
    """Open a database so that nothing in it can be changed."""
    try:
        match url.get_backend_name():
            case "sqlite":
                path = Path(url.database or "")
                if not path.is_absolute() or not path.is_file():
                    raise DatabaseUnfit("the SQLite file is not there; give its absolute path")
                return create_engine(f"sqlite:///file:{quote(str(path))}?mode=ro&uri=true")
            case "postgresql":
                options = "-c default_transaction_read_only=on -c timezone=UTC"
                return create_engine(
                    url.set(drivername="postgresql+psycopg"),
                    isolation_level="REPEATABLE READ",
                    connect_args={"options": options, "connect_timeout": _CONNECT_SECONDS},
                )
            case _:
                return create_engine(url)
    except (NoSuchModuleError, ImportError) as error:
        raise DatabaseUnfit(f"no driver for {url.get_backend_name()} is installed") from error


def _is_before(value: Cell, floor: Cell) -> bool:
    """Compare two values of the column; what cannot be compared counts as far apart."""
    if type(value) is not type(floor) and not (isinstance(value, _NUMBERS) and isinstance(floor, _NUMBERS)):
        return True
    return bool(value < floor)  # type: ignore[operator]  # write_cursor admits only types that have an order
