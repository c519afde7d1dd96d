"""One delivery from its grant to its receipts: logged first, then answered."""
