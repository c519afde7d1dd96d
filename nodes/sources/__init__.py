"""Files that a province holds: recognised by their columns, read row by row, judged, written as artifacts."""
