"""A province: sources, publishing, serving, witnessing, reading. Speaks to the exchange over HTTP only."""
