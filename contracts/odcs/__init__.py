"""A contract as an Open Data Contract Standard file (ODCS 3.1.0, 3.2.0), and back again without loss.

What ODCS has a word for is written in that word, so that other tools can read and test it; what it has none
for (conditional rules, code editions, series, sharing class, compatibility) stands in ``customProperties``,
with the record schema whole. Reading gives the same contract, or refuses; a file from elsewhere is untrusted.
"""

from contracts.odcs.document import EDITIONS, export_contract, to_document
from contracts.odcs.faults import OdcsRefused
from contracts.odcs.reading import Imported, import_contract, read_odcs
from contracts.odcs.shape import Edition
from contracts.odcs.text import MAX_ODCS_BYTES

__all__ = [
    "EDITIONS",
    "MAX_ODCS_BYTES",
    "Edition",
    "Imported",
    "OdcsRefused",
    "export_contract",
    "import_contract",
    "read_odcs",
    "to_document",
]
