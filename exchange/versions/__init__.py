"""How contracts change: what a new version is held to, who uses the old one, what notice they have."""
