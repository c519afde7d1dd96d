"""HJ 212: what online monitoring devices send over TCP, as bytes, as values and as records.

``frame`` cuts streams and checks sums, ``packet`` reads segments, ``sm4`` opens the encrypted content of
HJ 212-2025, ``assembly`` joins sub-packets, ``records`` makes records of the contract. Editions 2005, 2017
and 2025; everything is pure, and everything but ``sm4`` is importable from here.
"""

from contracts.hj212.assembly import Assembly, Unassembled, Whole
from contracts.hj212.commands import (
    CLOCK_REQUEST,
    DATA_ANSWER,
    DATA_COMMANDS,
    HEARTBEAT,
    HOUR_DATA,
    MINUTE_DATA,
    MOMENT_DATA,
    NOTICE_ANSWER,
    PERIODS,
    SYSTEM_ANSWER,
    Edition,
    ExecutionReturn,
    Flag,
    QcStatus,
    RequestReturn,
    answer_command,
    encrypts,
)
from contracts.hj212.faults import ChecksumWrong, ContentSealed, PacketInvalid, PacketTooLarge
from contracts.hj212.frame import (
    MAX_FRAME_BYTES,
    MAX_SEGMENT_BYTES,
    Skipped,
    Splitter,
    checksum,
    frame,
    unframe,
)
from contracts.hj212.packet import Item, Packet, parse_content, parse_frame, parse_segment, parse_time
from contracts.hj212.records import RECORD_KEYS, DeviceUnits, Record, records_of, reported_unit

__all__ = [
    "CLOCK_REQUEST",
    "DATA_ANSWER",
    "DATA_COMMANDS",
    "HEARTBEAT",
    "HOUR_DATA",
    "MAX_FRAME_BYTES",
    "MAX_SEGMENT_BYTES",
    "MINUTE_DATA",
    "MOMENT_DATA",
    "NOTICE_ANSWER",
    "PERIODS",
    "RECORD_KEYS",
    "SYSTEM_ANSWER",
    "Assembly",
    "ChecksumWrong",
    "ContentSealed",
    "DeviceUnits",
    "Edition",
    "ExecutionReturn",
    "Flag",
    "Item",
    "Packet",
    "PacketInvalid",
    "PacketTooLarge",
    "QcStatus",
    "Record",
    "RequestReturn",
    "Skipped",
    "Splitter",
    "Unassembled",
    "Whole",
    "answer_command",
    "checksum",
    "encrypts",
    "frame",
    "parse_content",
    "parse_frame",
    "parse_segment",
    "parse_time",
    "records_of",
    "reported_unit",
    "unframe",
]
