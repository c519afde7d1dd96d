"""Keys and suites, who is believed, and from where to where in the log each key counts."""
