"""Tell from its first block whether a JSON text is one GeoJSON FeatureCollection or lines of records."""

import json
import re

_BLANK = re.compile(r"[ \t\r\n]*", re.ASCII)
_FEATURES = re.compile(
    r':[ \t\r\n]*\[[ \t\r\n]*(?:\]|\{[^}]{0,10000}"type"[ \t\r\n]*:[ \t\r\n]*"Feature")', re.ASCII
)
_DECODER = json.JSONDecoder()


def is_collection(head: bytes) -> bool:
    """Say whether a JSON text that begins so is one FeatureCollection, and not lines of records."""
    text = head.decode("utf-8", "replace")
    at = _skip(text, 0) + 1
    while True:
        try:
            name, at = _DECODER.raw_decode(text, _skip(text, at))
            at = _skip(text, at)
            if name == "features":
                return _FEATURES.match(text, at) is not None
            value, at = _DECODER.raw_decode(text, _skip(text, at + 1))
        except (ValueError, RecursionError):
            return False
        if name == "type":
            return bool(value == "FeatureCollection")
        at = _skip(text, at)
        if text[at : at + 1] != ",":  # the first object ends here: these are lines of records
            return False
        at += 1


def _skip(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at
