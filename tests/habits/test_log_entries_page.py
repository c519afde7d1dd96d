"""The page of log entries, held against ``audit.log.entry``."""

from pathlib import Path

from audit.log.entry_fields import FIELDS, EntryKind

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "log-entries.md"


def test_every_entry_kind_has_its_row_with_every_field() -> None:
    """docs/reference/log-entries.md has one row a kind, which names exactly the fields the kind has."""
    rows = {
        cells[1].strip().strip("`"): cells[2]
        for cells in (line.split("|") for line in PAGE.read_text().splitlines())
        if len(cells) == 5 and cells[1].strip().startswith("`")
    }
    written = {kind: [word.strip("`?* ") for word in fields.split(",")] for kind, fields in rows.items()}

    assert set(EntryKind) <= set(written)
    assert {kind: sorted(written[kind]) for kind in EntryKind} == {
        kind: sorted(fields) for kind, fields in FIELDS.items()
    }


def test_every_field_name_is_explained() -> None:
    """docs/reference/log-entries.md says what each field name means."""
    text = PAGE.read_text()
    names = {name for fields in FIELDS.values() for name in fields}

    assert sorted(name for name in names if f"\n| `{name}` |" not in text) == []
