"""The log itself: its entries, its one writer, its shards, its rows, and how it is read and exported."""
