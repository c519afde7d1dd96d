"""Evidence: a transparency log that provinces cosign, the keys that sign it, and its offline verifier."""
