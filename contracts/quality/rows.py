"""Rows that can be looked at one column after the other, so that many rows need little memory."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import polars as pl

PIECE_ROWS = 65_536


class Rows(Protocol):
    """Accepted rows in their order, with the contract's columns and types; numbered from 1."""

    @property
    def count(self) -> int:
        """Count the rows."""
        ...

    @property
    def columns(self) -> Sequence[str]:
        """Name the columns that are there."""
        ...

    def read(self, names: Sequence[str]) -> pl.DataFrame:
        """Read some columns of all rows."""
        ...

    def pieces(self, name: str) -> Iterator[pl.Series]:
        """Read one column piece by piece, for text that is to become numbers; no piece where no row is."""
        ...
