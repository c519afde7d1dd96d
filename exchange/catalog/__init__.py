"""The catalogue: contracts, dataset records and releases, each as its provider signed it."""
