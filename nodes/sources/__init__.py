"""Files that a province holds: recognised by their columns, read row by row, judged, written as artifacts."""

from nodes.sources.check import check_file

__all__ = ["check_file"]
