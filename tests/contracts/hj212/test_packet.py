"""HJ 212 packets: the standard's vector, round trips, streams, editions, and what is refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.hj212 import (
    ChecksumWrong,
    Edition,
    Flag,
    Packet,
    PacketInvalid,
    PacketTooLarge,
    Skipped,
    Splitter,
    checksum,
    frame,
    parse_frame,
    parse_segment,
    parse_time,
)
from contracts.hj212.commands import ExecutionReturn, RequestReturn, answer_command, encrypts
from tests.contracts.hj212.packets import HOUR, VECTOR, packets


def test_the_checksum_of_annex_a() -> None:
    """The standard's example segment has the checksum 1C80, not the 0759 of Modbus."""
    assert checksum(VECTOR) == 0x1C80
    assert frame(VECTOR) == b"##0101" + VECTOR + b"1C80\r\n"


def test_the_example_packet_is_read() -> None:
    """Each field of the standard's example comes out under its name."""
    packet = parse_frame(b"##0101" + VECTOR + b"1C80\r\n")

    assert packet == Packet(
        "20160801085857223",
        "32",
        "1062",
        "100000",
        "010000A8900016F000169DC0",
        5,
        ((("RtdInterval", "30"),),),
    )
    assert packet.wants_answer
    assert packet.frame() == b"##0101" + VECTOR + b"1C80\r\n"


def test_the_data_answer() -> None:
    """An upload is answered by 9014 with its own QN, PW and MN, ST 91, flag 4 and an empty CP."""
    answer = HOUR.answer()

    assert answer.segment() == (
        b"QN=20260301090000123;ST=91;CN=9014;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&"
    )
    assert not answer.wants_answer


def test_length_counts_bytes() -> None:
    """Chinese text is UTF-8, and the length and the checksum are over its bytes."""
    packet = replace(HOUR, items=((("Info", "停电"),),))

    raw = packet.frame()

    assert int(raw[2:6]) == len(packet.segment())
    assert parse_frame(raw) == packet


def test_sub_packets_carry_their_numbers() -> None:
    """Bit D of the flag comes with PNUM and PNO, and only with them."""
    part = replace(HOUR, flag=Edition.Y2017.bits | Flag.SPLIT | Flag.ANSWER, pnum=3, pno=2)

    assert parse_frame(part.frame()) == part
    for wrong in (replace(part, flag=5), replace(HOUR, flag=7), replace(part, pno=4), replace(part, pno=0)):
        with pytest.raises(PacketInvalid):
            wrong.frame()


@given(packet=packets)
def test_every_packet_survives_the_wire(packet: Packet) -> None:
    """What is written is read back, byte for byte and field for field."""
    assert parse_frame(packet.frame()) == packet


@given(packet=packets, at=st.integers(0, 2000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_never_read_as_another_frame(packet: Packet, at: int, bit: int) -> None:
    """A single wrong bit anywhere in a packet is found."""
    raw = bytearray(packet.frame())
    raw[at % len(raw)] ^= 1 << bit

    with pytest.raises((PacketInvalid, PacketTooLarge)):
        parse_frame(bytes(raw))


@given(raw=st.binary(max_size=300))
def test_any_bytes_are_refused_or_read(raw: bytes) -> None:
    """No input makes the parser raise anything but its own errors."""
    for read in (parse_frame, parse_segment):
        try:
            read(raw)
        except (PacketInvalid, PacketTooLarge) as error:
            found = str(error)
        else:
            found = "read"
        assert found


def spoil(old: str, new: str) -> bytes:
    """Change the segment and keep length and checksum right."""
    return frame(HOUR.segment().replace(old.encode(), new.encode()))


REFUSED: list[bytes] = [
    b"",
    b"##",
    b"##0000FFFF\r\n",
    b"#" + HOUR.frame()[1:].replace(b"#", b"@", 1),
    HOUR.frame()[:-2] + b"\n\n",
    HOUR.frame()[:-2],
    HOUR.frame().replace(b"##0", b"##1", 1),
    HOUR.frame().replace(b"##0", b"##+", 1),
    spoil("QN=20260301", "QN=20260230"),
    spoil("QN=20260301090000123", "QN=20260301090000"),
    spoil("QN=2", "QN=x"),
    spoil("ST=32", "ST=3"),
    spoil("CN=2061", "CN=206A"),
    spoil("MN=010000A8", "MN=010000a8"),
    spoil("MN=010000A8", "MN=010000"),
    spoil("Flag=5", "Flag=13"),
    spoil("Flag=5", "Flag=256"),
    spoil("Flag=5", "Flag=5;PNUM=2"),
    spoil("Flag=5", "Flag=7;PNUM=2;PNO=3"),
    spoil("Flag=5", "Flag=05"),
    spoil("Flag=5", "Flag=999"),
    spoil("PW=123456;", ""),
    spoil("ST=32;CN=2061", "CN=2061;ST=32"),
    spoil("CP=&&", "CP=&"),
    spoil("DataTime=", "DataTime"),
    spoil("DataTime=", "="),
    spoil("DataTime=20260301080000", "DataTime=2026=0301"),
    spoil("DataTime=20260301080000", "DataTime=2026\r\n"),
    spoil("DataTime=20260301080000;", ";"),
    spoil("23.4", "2&&4"),
    frame(HOUR.segment().replace(b"23.4", b"\xff\xfe")),
    frame(HOUR.segment().decode().replace("23.4", "停电").encode("gbk")),
]


@pytest.mark.parametrize("raw", REFUSED)
def test_what_is_not_the_standard_is_refused(raw: bytes) -> None:
    """Each deviation is an error of its own kind, never a guess."""
    with pytest.raises(PacketInvalid):
        parse_frame(raw)


def test_a_wrong_checksum_has_its_own_error() -> None:
    """The receiver can tell line noise from a wrong dialect; lower-case digits are not the standard's."""
    raw = HOUR.frame()
    other = b"0000" if raw[-6:-2] != b"0000" else b"0001"

    with pytest.raises(ChecksumWrong):
        parse_frame(raw[:-6] + other + b"\r\n")
    with pytest.raises(ChecksumWrong):
        parse_frame(frame(VECTOR).replace(b"1C80", b"1c80"))


def test_too_long_is_too_large() -> None:
    """A segment above 1024 bytes is refused when it is written and when it is read."""
    long = replace(HOUR, items=((("Info", "x" * 946),),))
    with pytest.raises(PacketTooLarge):
        long.segment()
    with pytest.raises(PacketTooLarge):
        frame(b"x" * 1025)
    with pytest.raises(PacketTooLarge):
        parse_frame(b"##9999" + b"x" * 9999 + b"0000\r\n")
    with pytest.raises(PacketTooLarge):
        parse_segment(b"x" * 1025)

    assert parse_frame(replace(HOUR, items=((("Info", "x" * 930),),)).frame()).cn == "2061"


def test_a_value_that_would_break_the_text_is_not_written() -> None:
    """A separator inside a value cannot smuggle in a second value."""
    for value in ("1,w01018-Flag=N", "1;x=2", "1&&", "##0001"):
        with pytest.raises(PacketInvalid):
            replace(HOUR, items=((("w01018-Avg", value),),)).frame()


@given(
    stream=st.lists(packets | st.binary(max_size=20).filter(lambda raw: b"#" not in raw), max_size=6),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=20),
)
def test_streams_split_anywhere_give_the_same_packets(stream: list[Packet | bytes], cuts: list[int]) -> None:
    """However TCP cuts or merges the bytes, every packet comes out once, and every other byte is counted."""
    raw = b"".join(part.frame() if isinstance(part, Packet) else part for part in stream)
    splitter = Splitter()
    found: list[Packet] = []
    skipped = at = turn = 0

    while at < len(raw):
        size = cuts[turn % len(cuts)]
        for piece in splitter.feed(raw[at : at + size]):
            if isinstance(piece, Skipped):
                skipped += piece.size_bytes
            else:
                found.append(parse_frame(piece))
        at, turn = at + size, turn + 1

    assert found == [part for part in stream if isinstance(part, Packet)]
    assert skipped == sum(len(part) for part in stream if isinstance(part, bytes))
    assert splitter.pending_bytes == 0


@given(garbage=st.binary(max_size=200))
def test_a_stream_finds_its_way_back(garbage: bytes) -> None:
    """After any garbage, two packets later at the latest the stream is read again."""
    splitter = Splitter()
    quiet = HOUR.frame() * 12

    pieces = [piece for piece in splitter.feed(garbage + quiet) if isinstance(piece, bytes)]

    assert pieces.count(HOUR.frame()) >= 5


def test_a_wrong_length_costs_only_its_own_packet() -> None:
    """A frame whose length field lies is skipped, and the next one is found."""
    lying = HOUR.frame()[:-20]
    splitter = Splitter()

    pieces = list(splitter.feed(b"##0150" + lying[6:] + HOUR.frame()))

    assert pieces == [Skipped(len(lying)), HOUR.frame()]
    assert isinstance(pieces[0], Skipped)
    assert pieces[0].sample == (b"##0150" + lying[6:])[:64]


def test_the_splitter_holds_one_frame_at_most() -> None:
    """Endless bytes without a packet do not grow the buffer."""
    splitter = Splitter()
    for _ in range(100):
        list(splitter.feed(b"#" * 1000))
        assert splitter.pending_bytes < 1036
    for _ in range(100):
        list(splitter.feed(b"##1024" + b"x" * 1000))
        assert splitter.pending_bytes <= 1036


def test_the_flag_names_the_edition() -> None:
    """Version bits 000000, 000001 and 000010 are the editions of 2005, 2017 and 2025 (section 6.3.3)."""
    flags = {Edition.Y2005: 1, Edition.Y2017: 5, Edition.Y2025: 9}

    read = {edition: parse_frame(replace(HOUR, flag=flag).frame()).edition for edition, flag in flags.items()}

    assert read == {edition: edition for edition in Edition}
    assert [replace(HOUR, flag=flag).answer().flag for flag in flags.values()] == [0, 4, 8]


def test_an_mn_of_2005_has_fourteen_characters() -> None:
    """The short MN is read in the edition of 2005 and in no other."""
    old = replace(HOUR, mn="88888880000001", flag=1)

    assert parse_frame(old.frame()) == old
    with pytest.raises(PacketInvalid):
        replace(old, flag=5).frame()


ANSWERS = {"2011": "9014", "2061": "9014", "2111": "9014", "2999": "9014", "1013": "9013", "9015": "9013"}


def test_each_command_has_its_answer() -> None:
    """Data are answered by 9014, notices and the heartbeat by 9013, and an answer by nothing."""
    assert {cn: answer_command(cn) for cn in ANSWERS} == ANSWERS
    assert {answer_command(cn) for cn in ("9011", "9012", "9013", "9014")} == {None}


def test_the_return_codes_are_those_of_tables_6_and_7() -> None:
    """QnRtn 3 is a wrong password and 9 a wrong checksum; ExeRtn 100 says that there are no data."""
    assert (RequestReturn.PW, RequestReturn.CRC, ExecutionReturn.NO_DATA) == (3, 9, 100)


def test_what_2025_encrypts() -> None:
    """Data commands, the key command 1014 and 3020 are encrypted; a heartbeat and a clock request are not."""
    assert [
        cn for cn in ("2000", "2011", "2999", "1014", "3020", "9015", "1013", "3000") if encrypts(cn)
    ] == [
        "2000",
        "2011",
        "2999",
        "1014",
        "3020",
    ]


def bit_by_bit(segment: bytes) -> int:
    """Compute Annex A as its text says it, one shift after another."""
    register = 0xFFFF
    for byte in segment:
        register = (register >> 8) ^ byte
        for _ in range(8):
            register = (register >> 1) ^ 0xA001 if register & 1 else register >> 1
    return register


@given(segment=st.binary(max_size=1024))
def test_the_folded_checksum_is_that_of_annex_a(segment: bytes) -> None:
    """Folding a segment in halves gives what shifting it bit by bit gives, for every length."""
    assert checksum(segment) == bit_by_bit(segment)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 255, 256, 257, 1023, 1024])
def test_the_folded_checksum_at_its_edges(size: int) -> None:
    """Powers of two and their neighbours are folded right."""
    segment = bytes(number * 7 % 256 for number in range(size))

    assert checksum(segment) == bit_by_bit(segment)


def test_times_are_beijing_time() -> None:
    """A device writes local time; read, it is an aware moment, and a wrong one is refused."""
    assert parse_time("20260301080000").isoformat() == "2026-03-01T08:00:00+08:00"
    assert parse_time("20160801085857223").isoformat() == "2016-08-01T08:58:57.223000+08:00"
    for wrong in ("", "2026", "20261301000000", "2026030108000x", "２０２６０３０１０８００００"):
        with pytest.raises(PacketInvalid):
            parse_time(wrong)


@given(packet=packets, cn=st.sampled_from(["9013", "9014"]))
def test_the_short_way_to_an_answer_is_the_long_one(packet: Packet, cn: str) -> None:
    """The frame that a gateway writes is that of the answer's packet, in every edition."""
    assert packet.answer_frame(cn) == packet.answer(cn).frame()
