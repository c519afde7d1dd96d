"""Try a file against a contract before anything is published; the file is read once and nothing is kept.

Every broken rule of every row is reported. They wait in a temporary file until the counts are known, so that
a file with a million faults takes no more memory than one without.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypedDict, cast

import orjson

from contracts.schema import Contract
from contracts.validation import Rejected, RowValidator
from nodes.sources.batch import sift
from nodes.sources.source import open_under

SPOOL_BYTES = 4 * 1024 * 1024

Progress = Callable[[int], None]
"""Hears how many rows have been judged."""


class Words(TypedDict):
    """One sentence in Chinese and English."""

    zh: str
    en: str


class Fault(TypedDict):
    """One broken rule: ``pointer`` leads into the row, ``schema_pointer`` into the record schema."""

    row: int
    pointer: str
    schema_pointer: str
    rule: str
    value: str | None
    message: Words


class Check:
    """How a file fared under a contract: the counts, the rules that were broken, and each fault by itself."""

    def __init__(self, contract: Contract, spool: BinaryIO) -> None:
        self.contract = contract
        self.rows = 0
        self.rejected = 0
        self.faults_by_rule: Counter[tuple[str, str]] = Counter()
        self._spool = spool

    @property
    def accepted(self) -> int:
        """Count the rows that keep the contract."""
        return self.rows - self.rejected

    @property
    def fault_count(self) -> int:
        """Count the broken rules of all rows."""
        return self.faults_by_rule.total()

    def add(self, read: int, rejected: list[Rejected]) -> None:
        """Take the verdicts on some rows."""
        self.rows += read
        self.rejected += len(rejected)
        for bad in rejected:
            for fault in bad.violations:
                self.faults_by_rule[fault.schema_pointer, fault.rule] += 1
                self._spool.write(
                    orjson.dumps(
                        Fault(
                            row=bad.row_number,
                            pointer=fault.pointer,
                            schema_pointer=fault.schema_pointer,
                            rule=fault.rule,
                            value=fault.value,
                            message=Words(zh=fault.message.zh, en=fault.message.en),
                        ),
                        option=orjson.OPT_APPEND_NEWLINE,
                    )
                )

    def faults(self) -> Iterator[Fault]:
        """Give every fault in row order."""
        for line in self.fault_lines():
            yield cast("Fault", orjson.loads(line))

    def fault_lines(self) -> Iterator[bytes]:
        """Give every fault in row order, as one line of JSON each."""
        self._spool.seek(0)
        yield from self._spool


@contextmanager
def check_file(contract: Contract, path: Path, progress: Progress = lambda _: None) -> Iterator[Check]:
    """Judge every row of a file; the check can be asked while the context is open.

    Raises SourceFault when the file cannot be read, UnknownColumns when it has no column of the contract.
    """
    source = open_under(path, contract)
    validator = RowValidator(contract)
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as spool:
        check = Check(contract, cast("BinaryIO", spool))
        for batch in source.batches():
            _, rejected = sift(batch, validator)
            check.add(len(batch) + len(batch.broken), [verdict for verdict, _ in rejected])
            progress(check.rows)
        yield check
