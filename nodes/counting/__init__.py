"""This node's own books: what it sent and received, held against the log's heads."""
