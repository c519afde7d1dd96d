"""The consumer's side of a transfer: apply, subscribe, pull, and keep the proof beside the file."""
