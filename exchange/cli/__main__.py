"""``python -m exchange.cli``: the same command where no script is installed."""

from exchange.cli import main

main()
