"""What a province publishes: contracts, dataset records, releases, and the rows it had to reject."""
