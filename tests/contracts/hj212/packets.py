"""Packets to test with: the standard's vector, one of hour data, and any that the wire can carry."""

from hypothesis import strategies as st

from contracts.hj212 import Edition, Packet, parse_time

VECTOR = (
    b"QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&"
)
HOUR = Packet(
    "20260301090000123",
    "32",
    "2061",
    "123456",
    "010000A8900016F000169DC0",
    5,
    (
        (("DataTime", "20260301080000"),),
        (("w01018-Min", "21.1"), ("w01018-Avg", "23.4"), ("w01018-Flag", "N")),
    ),
)

names = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,6}(-[A-Z][a-z]{1,5})?", fullmatch=True)
values = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=";,=&#"), max_size=8)
items = st.lists(st.lists(st.tuples(names, values), min_size=1, max_size=3).map(tuple), max_size=5).map(tuple)
moments = st.datetimes(min_value=parse_time("20000101000000").replace(tzinfo=None)).map(
    lambda at: at.strftime("%Y%m%d%H%M%S") + f"{at.microsecond // 1000:03d}"
)


@st.composite
def any_packet(draw: st.DrawFn) -> Packet:
    """Draw a packet of any edition, split or not."""
    edition = draw(st.sampled_from(Edition))
    mn = draw(st.from_regex(r"[0-9A-F]{24}", fullmatch=True))
    if edition is Edition.Y2005 and draw(st.booleans()):
        mn = draw(st.from_regex(r"[0-9A-Za-z]{14}", fullmatch=True))
    pnum = draw(st.none() | st.integers(1, 9999))
    return Packet(
        qn=draw(moments),
        st=draw(st.sampled_from(["22", "31", "32"])),
        cn=draw(st.sampled_from(["2011", "2051", "2061", "9015"])),
        pw=draw(st.from_regex(r"[0-9A-Za-z]{1,6}", fullmatch=True)),
        mn=mn,
        flag=edition.bits | draw(st.integers(0, 1)) | (0 if pnum is None else 2),
        items=draw(items),
        pnum=pnum,
        pno=None if pnum is None else draw(st.integers(1, pnum)),
    )


packets = any_packet()
