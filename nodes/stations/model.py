"""A station as the gateway knows it, and the judgement on each frame. Pure: no clock, no socket, no database.

HJ 212 has no signatures: whoever can reach the port and knows MN and PW can send under them, so listen inside
the station network only. The password is compared in constant time, also for a station that is unknown.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from contracts.errors import Conflict, Invalid, NotFound, TooMany
from contracts.hj212 import (
    DeviceUnits,
    Edition,
    Packet,
    PacketInvalid,
    PacketTooLarge,
    encrypts,
    parse_frame,
)
from contracts.hj212.faults import ChecksumWrong, ContentSealed
from contracts.hj212.sm4 import unseal
from contracts.messages import Text

_NOBODY = "\0"  # no password: the standard admits letters and digits only
_MN = re.compile(r"[0-9A-F]{24}|[0-9A-Za-z]{14}", re.ASCII)
_PASSWORD = re.compile(r"[0-9A-Za-z]{1,6}", re.ASCII)
_SENT_PASSWORD = re.compile(rb"PW=[^;]*")
_SENT_MN = re.compile(rb"MN=([0-9A-F]{24}|[0-9A-Za-z]{14});")


class StationUnknown(Invalid):
    """A packet names a station or a password that is not known here."""

    code = "hj212-station-unknown"
    title_zh = "报文的 MN 或 PW 未登记"
    next_zh = "先用 headwaters station add 登记该站点的 MN 与密码。"
    next_en = "Register the station's MN and password first, with headwaters station add."


class EditionRefused(Invalid):
    """A packet follows another edition of HJ 212 than its station is registered with."""

    code = "hj212-edition"
    title_zh = "报文的协议版本与站点登记不符"
    next_zh = "核对现场机的协议版本;升级后用 headwaters station change 改登记。"
    next_en = "Check the device's edition; after an upgrade change it with headwaters station change."


class NoSuchStation(NotFound):
    """There is no station with this MN."""

    code = "no-such-station"
    title_zh = "没有该 MN 的站点"
    next_zh = "用 headwaters station list 查看已登记的站点。"
    next_en = "headwaters station list shows the stations."


class StationExists(Conflict):
    """The station is registered already."""

    code = "station-exists"
    title_zh = "该 MN 已登记"
    next_zh = "用 headwaters station change 修改,或先核对 MN。"
    next_en = "Change it with headwaters station change, or check the MN."


class BadStation(Invalid):
    """A station cannot be registered like this."""

    code = "bad-station"
    title_zh = "站点登记内容有误"
    next_zh = "MN 为 24 位十六进制大写(2005 版 14 位),密码为 1 至 6 位字母或数字。"
    next_en = "An MN has 24 upper-case hex digits (in 2005, 14 characters), a PW 1 to 6 letters or digits."


class StationGuessed(TooMany):
    """Too many wrong passwords came for a station from one address; it is not heard from there now."""

    code = "hj212-guessing"
    title_zh = "同一地址对该站点多次使用错误密码,暂不接收"
    next_zh = "核对现场机密码;十分钟后自动恢复,station refused 可见来源地址。"
    next_en = "Check the device's password; it is heard again after ten minutes."


class TooManyStations(TooMany):
    """There are more connections from stations than the gateway takes."""

    code = "hj212-connections"
    title_zh = "站点连接数超过上限"


class StationState(StrEnum):
    """Whether the gateway hears a station."""

    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Secret:
    """What a station proves itself with: its password, and its SM4 key where it encrypts."""

    password: str
    sm4_key: bytes | None = None

    def __repr__(self) -> str:
        """Say nothing: a secret must not reach a log."""
        return "Secret(…)"


@dataclass(frozen=True, slots=True)
class Station:
    """One registered station; ``source`` names where its records go."""

    mn: str
    name: str
    source: str
    edition: Edition
    secret: Secret
    units: DeviceUnits = field(default_factory=DeviceUnits)
    state: StationState = StationState.ACTIVE
    synthetic: bool = False

    def check(self) -> None:
        """Raise BadStation, UnitUnknown or UnitsDoNotConvert."""
        if not _MN.fullmatch(self.mn) or (self.edition is not Edition.Y2005 and len(self.mn) != 24):
            raise BadStation("MN is not 24 upper-case hex digits, or 14 characters in the 2005 edition")
        if not _PASSWORD.fullmatch(self.secret.password):
            raise BadStation("the password is not 1 to 6 letters or digits")
        if self.secret.sm4_key is not None and self.edition is not Edition.Y2025:
            raise BadStation("only the 2025 edition encrypts")
        self.units.check()


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard of a station since the last note: when last, and how many of its frames were refused."""

    at: datetime
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """A frame that is in order: its packet, decrypted, and its station."""

    packet: Packet
    station: Station


@dataclass(frozen=True, slots=True)
class Refused:
    """A frame, or a run of bytes, that is not; ``raw`` has its password blotted out."""

    reason: str
    detail: str
    raw: bytes
    size_bytes: int
    mn: str | None = None


NOISE = "hj212-noise"
UNASSEMBLED = "hj212-parts"
_TITLES = {
    NOISE: Text(zh="报文之外的字节", en="Bytes that are no frame"),
    UNASSEMBLED: Text(zh="分包未收齐", en="Sub-packets of a set that did not become whole"),
    **{
        error.code: Text(zh=error.title_zh, en=error.title_en())
        for error in (
            PacketInvalid,
            PacketTooLarge,
            ChecksumWrong,
            ContentSealed,
            StationUnknown,
            StationGuessed,
            EditionRefused,
        )
    },
}


def refusal_title(reason: str) -> Text:
    """Give the words for the reason of a refusal."""
    return _TITLES.get(reason, Text(zh=reason, en=reason))


def judge_frame(frame: bytes, stations: Mapping[str, Station]) -> Taken | Refused:
    """Take a frame that is a packet of an active station under its password, edition and key."""
    try:
        packet = parse_frame(frame)
        station = _known(packet, stations)
        return Taken(_opened(packet, station), station)
    except (PacketInvalid, PacketTooLarge, StationUnknown, EditionRefused) as error:
        return refuse(frame, error.code, error.detail)


def refuse(raw: bytes, reason: str, detail: str, size_bytes: int | None = None) -> Refused:
    """Make a refusal of bytes as they came."""
    mn = _SENT_MN.search(raw)
    return Refused(
        reason=reason,
        detail=detail,
        raw=_SENT_PASSWORD.sub(b"PW=******", raw),
        size_bytes=len(raw) if size_bytes is None else size_bytes,
        mn=None if mn is None else mn[1].decode(),
    )


def _known(packet: Packet, stations: Mapping[str, Station]) -> Station:
    station = stations.get(packet.mn)
    expected = _NOBODY if station is None else station.secret.password
    same = hmac.compare_digest(expected.encode(), packet.pw.encode())
    if not same or station is None or station.state is not StationState.ACTIVE:
        raise StationUnknown("the station's MN and PW are not registered")
    if packet.edition is not station.edition:
        # Also against a downgrade: who cannot encrypt must not pass as a station of an older edition.
        raise EditionRefused(
            f"the flag says {packet.edition}, the station is registered with {station.edition}"
        )
    return station


def _opened(packet: Packet, station: Station) -> Packet:
    key = station.secret.sm4_key
    if packet.sealed is not None:
        if key is None:
            raise ContentSealed("the content is encrypted and no key is registered")
        return unseal(packet, key)
    if key is not None and packet.items and encrypts(packet.cn):
        raise ContentSealed("the content is in clear, and a key is registered")
    return packet
