"""The commands of ``headwaters contract``, one module for each kind of work with a contract."""
