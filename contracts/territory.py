"""Territories: an administrative code (GB/T 2260, GB/T 10114) as the stem that all codes below it share.

A code pads what it does not say with zeros: 510000 is Sichuan, 510100 Chengdu in it, 510107 a district there.
"""

_ENDS = (2, 4, 6, 9, 12)  # province, city, county, town, village


def territory_of(code: str) -> str:
    """Give the stem of a code: 510000 → 51, 511000 → 5110; the shortest level that says all of it."""
    for end in _ENDS:
        if not code[end:].strip("0"):
            return code[:end]
    return code


def lies_in(code: str, territory: str) -> bool:
    """Say whether a code is that of a territory, or of one below it."""
    return territory_of(code).startswith(territory_of(territory))
