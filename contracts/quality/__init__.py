"""Quality findings: what a contract's quality rules point at in rows that all keep the contract."""
