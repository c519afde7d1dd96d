"""Problem documents: what a far side says becomes an error, whatever it says."""

import orjson
import pytest

from contracts.errors import Conflict
from contracts.problem import error_from


@pytest.mark.parametrize("name", ["detail", "self", "code", "facts", "args"])
def test_facts_of_any_name_are_kept(name: str) -> None:
    """A hostile problem document cannot break its reader by the names of its facts."""
    error = error_from(409, orjson.dumps({"code": "odd", "detail": "said", "facts": {name: "x"}}))

    assert isinstance(error, Conflict)
    assert (error.code, error.detail, error.facts) == ("odd", "said", {name: "x"})
