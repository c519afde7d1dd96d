"""Nothing left out: subscription heads, counts of the parties, and the books balanced."""
