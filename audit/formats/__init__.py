"""Formats that others read too: tree, tiles, notes, checkpoints, cosignatures, policies, envelopes."""
