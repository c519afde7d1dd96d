"""Standing agreements to receive releases, numbered without gaps and chained."""
