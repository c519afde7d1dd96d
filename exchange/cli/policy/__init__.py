"""``headwaters policy``: access policies, tested, compared, changed by two people, and explained."""
