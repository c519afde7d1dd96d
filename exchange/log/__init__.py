"""The log's public face: its start-up check, its cosignatures, its tiles and proofs."""
