"""A report as a file: an HTML page with the JSON inside, or the JSON alone; both are verified alike."""

from pathlib import Path

from audit.durable import sync_file
from audit.proofs.report import SignedReport
from contracts.errors import Usage
from exchange.reports.excerpts import FileThere
from exchange.reports.page import read_page, render


def write_report(signed: SignedReport, to: Path) -> None:
    """Write a report to a new file that its owner alone may read; raise FileThere, and Usage for a name.

    The name's ending says which of the two it is.
    """
    match to.suffix:
        case ".html":
            content = render(signed)
        case ".json":
            content = signed.encode()
        case _:
            raise Usage("a report is a file that ends with .html or .json")
    try:
        to.touch(mode=0o600, exist_ok=False)
    except FileExistsError as error:
        raise FileThere(f"{to.name} exists already") from error
    to.write_bytes(content)
    sync_file(to)


def read_report(raw: bytes) -> SignedReport:
    """Read a report's page or its JSON; raise ReportInvalid, BadMessage or NotCanonical."""
    return read_page(raw) if raw.startswith(b"<") else SignedReport.read(raw)
