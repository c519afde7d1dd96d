"""Generated Python, run as a module of its own."""

import sys
import types

from pydantic import BaseModel

from contracts.codegen.pydantic_models import class_name, pydantic_source
from contracts.schema import Contract


def model_of(contract: Contract) -> type[BaseModel]:
    """Run the generated source and give the class of the records."""
    source = pydantic_source(contract)
    module = types.ModuleType(f"generated_{contract.digest[7:23]}")
    sys.modules[module.__name__] = module
    exec(compile(source, module.__name__, "exec"), module.__dict__)  # noqa: S102 - it is what is tested
    made: type[BaseModel] = module.__dict__[class_name(contract.id)]
    return made
