"""Applications to use a dataset, and the agreements that both sides sign."""
