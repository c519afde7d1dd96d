"""The semantic version that a change deserves, and whether the number it was given tells the truth.

A change that takes something from those who use the contract is major, one that only gives is minor, one of
words alone is patch (Semantic Versioning 2.0.0 s6 to s8). Unlike s4 of that standard, 0.x is no exception:
a registered contract has users.
"""

from enum import StrEnum

from contracts.errors import Conflict
from contracts.identifiers import parse_version


class Bump(StrEnum):
    """How far a version number has to move; in rising order."""

    NONE = "none"
    PATCH = "patch"
    MINOR = "minor"
    MAJOR = "major"


_ORDER = list(Bump)


class VersionLies(Conflict):
    """The version number says less than what changed."""

    code = "version-lies"
    title_zh = "版本号与实际变更不符"
    next_zh = "按所示的最小版本号改写 version 后重新登记;headwaters contract diff 列出各项变更。"
    next_en = "Give the contract at least the version shown; headwaters contract diff lists the changes."


def largest(bumps: list[Bump]) -> Bump:
    """Give the largest of some, and none of none."""
    return max(bumps, key=_ORDER.index, default=Bump.NONE)


def bump_between(old: str, new: str) -> Bump:
    """Say what a version number claims against an earlier one; NONE unless it is higher."""
    before, after = parse_version(old), parse_version(new)
    if after <= before:
        return Bump.NONE
    moved = next(place for place in range(3) if after[place] != before[place])
    return (Bump.MAJOR, Bump.MINOR, Bump.PATCH)[moved]


def lowest_version(old: str, deserved: Bump) -> str:
    """Give the lowest version that tells the truth about a change."""
    major, minor, patch = parse_version(old)
    match deserved:
        case Bump.MAJOR:
            return f"{major + 1}.0.0"
        case Bump.MINOR:
            return f"{major}.{minor + 1}.0"
        case Bump.PATCH | Bump.NONE:
            return f"{major}.{minor}.{patch + 1}"


def tells_truth(old: str, new: str, deserved: Bump) -> bool:
    """Tell whether a version number is higher, and claims no less than what changed."""
    claimed = bump_between(old, new)
    return claimed is not Bump.NONE and _ORDER.index(claimed) >= _ORDER.index(deserved)


def check_version(old: str, new: str, deserved: Bump) -> None:
    """Raise VersionLies where a version number does not tell the truth."""
    if not tells_truth(old, new, deserved):
        claimed = bump_between(old, new)
        lowest = lowest_version(old, deserved)
        raise VersionLies(
            f"{new} after {old} claims {claimed}, and the change is {deserved}: at least {lowest}",
            claimed=claimed.value,
            deserved=deserved.value,
            lowest=lowest,
        )
