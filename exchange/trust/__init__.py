"""Trust roots: the exchange collects the provinces' signatures and logs what enough of them have signed."""
