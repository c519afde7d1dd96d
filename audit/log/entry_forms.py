"""One regular expression for each kind of entry, made from ``audit.log.entry_fields``: a quick first reading.

A leaf that its kind's expression matches is exactly what the fields' own checks accept: canonical JSON with
the kind's members in order, each within its form. What does not match may still be well formed, which the
checks alone decide, so both readings come to one verdict (held by a property test).
"""

import re

from audit.log.entry_fields import FIELDS, MAX_ENTRY_BYTES, TIME, EntryKind, Field, check_key
from contracts.errors import Invalid

ENTRY_VERSION = 1


def kind_of(leaf: bytes) -> EntryKind | None:
    """Name the kind of a leaf that is well formed at first sight; None leaves it to the checks."""
    # The kind stands near the end, and where these bytes stand elsewhere the form does not match.
    start = leaf.rfind(_MARK) + len(_MARK)
    found = _FORMS.get(leaf[start : leaf.find(b'"', start)])
    if found is None or len(leaf) > MAX_ENTRY_BYTES:
        return None
    kind, form = found
    match = form.fullmatch(leaf)
    return kind if match is not None and _are_keys(match.groups()) else None


def _are_keys(texts: tuple[bytes | None, ...]) -> bool:
    try:
        for text in texts:
            if text is not None:
                check_key(text[1:-1].decode())  # without the quotes
    except Invalid:
        return False
    return True


def _form(kind: EntryKind) -> re.Pattern[bytes]:
    """Write the canonical JSON of a kind: its members in the order of their names, which ``t`` is among."""
    members = {
        **FIELDS[kind],
        "t": Field(lambda _: None, f'"{re.escape(kind.value)}"'),
        "ts": TIME,
        "v": Field(lambda _: None, str(ENTRY_VERSION)),
    }
    before = "".join(
        _optional(members[name], _member(name, members[name]) + ",") for name in sorted(members) if name < "t"
    )
    after = "".join(
        _optional(members[name], "," + _member(name, members[name])) for name in sorted(members) if name > "t"
    )
    return re.compile(f"{{{before}{_member('t', members['t'])}{after}}}".encode(), re.ASCII)


def _member(name: str, field: Field) -> str:
    value = f"({field.form})" if field.is_key else field.form
    return f'"{name}":' + (f"(?:null|{value})" if field.nullable else value)


def _optional(field: Field, member: str) -> str:
    return f"(?:{member})?" if field.optional else member


_MARK = b'"t":"'
_FORMS = {kind.value.encode(): (kind, _form(kind)) for kind in EntryKind}
