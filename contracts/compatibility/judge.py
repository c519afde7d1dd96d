"""The row engine as the judge of what the search finds: no value counts before the engine has admitted it."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson

from contracts.compatibility.outcome import Schema
from contracts.compatibility.parts import spelling
from contracts.schema import ContractRefused, compile_schema


def admits(schemas: Iterable[Schema], value: Any) -> bool | None:  # Any: any JSON value
    """Tell whether every schema admits a value; None where the engine takes one of them not."""
    judge = _compiled(b"[" + b",".join(map(spelling, schemas)) + b"]")
    if judge is None:
        return None
    try:
        return judge.is_valid(value)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _compiled(spelled: bytes) -> jsonschema_rs.Draft202012Validator | None:
    schemas = orjson.loads(spelled)
    try:
        return compile_schema({"allOf": schemas} if schemas else {})
    except ContractRefused:
        return None
