"""What can be wrong with a packet; each error names the field and never a value."""

from contracts.errors import Invalid, TooLarge


class PacketInvalid(Invalid):
    """A packet does not follow HJ 212."""

    code = "hj212-invalid"
    title_zh = "报文不符合 HJ 212"
    next_zh = "核对现场机的协议版本与报文;不合规的报文不应答,现场机会重发。"
    next_en = "Check the device's protocol version and packet; it gets no answer and will send again."


class ChecksumWrong(PacketInvalid):
    """A packet's checksum does not fit its segment."""

    code = "hj212-checksum"
    title_zh = "报文 CRC 校验错误"


class ContentSealed(PacketInvalid):
    """A packet's content cannot be decrypted, or is in clear where it must not be."""

    code = "hj212-sealed"
    title_zh = "报文数据区未按 HJ 212-2025 加密或无法解密"
    next_zh = "核对该站点登记的 SM4 密钥与现场机中的密钥是否一致,以及现场机是否启用加密。"
    next_en = "Compare the SM4 key registered for the station with the device's, and see that it encrypts."


class PacketTooLarge(TooLarge):
    """A packet is longer than HJ 212 allows."""

    code = "hj212-too-large"
    title_zh = "报文超过 HJ 212 的长度上限"
    next_zh = "数据段至多 1024 字节;请分包发送。"
    next_en = "A segment holds 1024 bytes at most; send it as sub-packets."
