"""Walking a whole log, wherever it is kept, and naming the first entry that is not true."""
