"""Judge whole columns at once: the rules of a contract as Polars expressions, with the row engine's verdict.

A record schema is compiled against the columns that a batch has. What Polars computes exactly as JSON Schema
2020-12 says becomes an expression; a keyword that it does not (a format, a nested value, a mixed enum) is
asked of the row engine, once for each distinct cell. The answer is which rows may be broken: each of them
goes to the row engine for its verdict and its reasons, and a row that is not named is valid.
"""

from contracts.columns.judge import ColumnJudge

__all__ = ["ColumnJudge"]
