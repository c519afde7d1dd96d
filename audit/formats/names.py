"""Names that can stand in a signature line (c2sp.org/signed-note): origins of logs, names of witnesses."""

MAX_NAME_BYTES = 255


def valid_name(name: str) -> bool:
    """Tell whether ``name`` can stand in a signature line: no space, no control character, no ``+``."""
    return 0 < len(name.encode(errors="replace")) <= MAX_NAME_BYTES and not any(
        letter == "+" or letter.isspace() or letter < " " for letter in name
    )
