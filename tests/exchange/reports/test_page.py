"""The page shows what the report inside it proves, byte for byte, and nothing in it runs or is fetched."""

import re
from datetime import date
from html import escape
from pathlib import Path

import pytest

from audit.proofs.report import ReportInvalid, SignedReport
from contracts.errors import Usage
from contracts.messages import Text
from exchange.reports.excerpts import FileThere
from exchange.reports.files import read_report, write_report
from exchange.reports.gathering import make_report
from exchange.reports.page import read_page, render
from tests.exchange.reports.witnessed import Witnessed
from tests.exchange.trading import DATASET, Trade

NASTY = Text(zh="</script><script>alert(1)</script>&\\u003c", en="<img src=//x.example/y>")


@pytest.fixture
def signed(trade: Trade) -> SignedReport:
    """Give the report of a day with one transfer; its dataset bears a name that means harm."""
    world = Witnessed(trade)
    alliance = world.alliance
    alliance.declare(trade.provider, "evil-air", title=NASTY)
    alliance.publish(trade.provider, 1, "evil-air")
    world.transfer(subscription=alliance.agreed(trade.consumer, "evil-air").subscription)
    world.transfer()
    world.cosign()
    day = date(2026, 3, 2)
    return make_report(alliance.parts.settings.home, "evil-air", day, now=alliance.clock.now())


def test_the_report_comes_out_of_the_page_as_it_went_in(signed: SignedReport) -> None:
    """Page and JSON carry one and the same report."""
    page = render(signed)

    assert read_page(page).encode() == signed.encode()
    assert read_report(page) == read_report(signed.encode())


def test_what_others_wrote_cannot_become_markup(signed: SignedReport) -> None:
    """A title with tags stays text, in the page and in the JSON inside it."""
    page = render(signed).decode()

    assert page.count("<script") == 1
    assert "<img" not in page
    assert "alert(1)" in page


def test_the_page_needs_nothing_from_anywhere(signed: SignedReport) -> None:
    """There is no address to fetch from, and the policy would forbid it."""
    page = render(signed).decode()
    shown = page.split('id="report">')[0].replace(escape(NASTY.en), "")

    assert "default-src 'none'" in shown
    assert not re.search(r"(src|href)=|@import|url\(", shown)


def test_no_byte_of_the_page_can_change(signed: SignedReport) -> None:
    """Words that the report does not prove make the page invalid; its JSON is another test's matter."""
    page = render(signed)
    for place in range(0, page.index(b'id="report">'), 31):
        bent = bytearray(page)
        bent[place] ^= 1
        with pytest.raises(ReportInvalid):
            read_page(bytes(bent))
    for other in (page + b"\n", page[:-1], page.replace(b"city", b"City", 1), b"<p>no report</p>", b""):
        if other != page:
            with pytest.raises(ReportInvalid):
                read_page(other)


def test_a_report_is_written_once_and_for_its_owner(signed: SignedReport, tmp_path: Path) -> None:
    """A file that exists is never overwritten, and a name without a known ending is refused."""
    write_report(signed, tmp_path / "r.html")
    write_report(signed, tmp_path / "r.json")

    assert (tmp_path / "r.html").stat().st_mode & 0o777 == 0o600
    assert read_report((tmp_path / "r.json").read_bytes()) == signed
    with pytest.raises(FileThere):
        write_report(signed, tmp_path / "r.html")
    with pytest.raises(Usage):
        write_report(signed, tmp_path / "r.pdf")


def test_only_the_dataset_that_was_asked_for_is_shown(signed: SignedReport) -> None:
    """Nothing of another dataset, not even that it moved on the same day, is in the report."""
    assert DATASET.encode() not in signed.encode().replace(b"evil-air", b"")
