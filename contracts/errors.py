"""Every error that Headwaters raises on purpose, as one tree.

HeadwatersError
├── Invalid            the caller's input is wrong; the same call fails again        exit 1
│   └── Usage          the command was typed wrongly                                  exit 64
├── Unauthenticated    the signature, key, nonce or time does not hold                exit 1
├── Refused            understood, and not allowed                                    exit 1
├── NotFound           there is no such thing, or not for this caller                 exit 1
├── Conflict           the state changed, or contradicts what is already on record    exit 1
├── TooLarge           more bytes, rows or depth than the limit                       exit 1
├── TooMany            more requests than the limit; wait                             exit 1
├── Undecidable        too few witnesses, no trust root: neither yes nor no           exit 2
├── Unavailable        a part is down, behind or unsure of itself; try later          exit 75
└── Corrupt            stored evidence contradicts itself                             exit 1

A package raises its own subclasses. The first docstring line of a class is its English title; ``title_zh`` is
the Chinese one; ``next_zh`` and ``next_en`` say what the reader does next. No secret and no row value goes
into ``detail``.
"""

from typing import ClassVar


class HeadwatersError(Exception):
    """Something went wrong inside Headwaters."""

    code: ClassVar[str] = "internal"
    title_zh: ClassVar[str] = "源汇内部错误"
    next_zh: ClassVar[str] = "请把请求编号交给运维人员。"
    next_en: ClassVar[str] = "Give the request id to the operator."
    exit_code: ClassVar[int] = 70

    def __init__(self, detail: str = "", **facts: str | int | list[str]) -> None:
        """Keep ``detail`` (one English sentence) and machine-readable ``facts``."""
        super().__init__(detail or self.title_en())
        self.detail = detail or self.title_en()
        self.facts = facts

    @classmethod
    def title_en(cls) -> str:
        """Give the English title: the first line of the class's docstring."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0].rstrip(".")


class Invalid(HeadwatersError):
    """The input is not valid."""

    code = "invalid"
    title_zh = "输入无效"
    next_zh = "按提示改正后重试。"
    next_en = "Correct what the detail names and try again."
    exit_code = 1


class Usage(Invalid):
    """The command was used wrongly."""

    code = "usage"
    title_zh = "命令用法错误"
    next_zh = "加 --help 查看用法。"
    next_en = "Add --help to see the usage."
    exit_code = 64


class Unauthenticated(HeadwatersError):
    """The request is not authenticated."""

    code = "unauthenticated"
    title_zh = "请求未通过身份验证"
    next_zh = "核对签名密钥与本机时钟后重新签名。"
    next_en = "Check the signing key and this machine's clock, then sign again."
    exit_code = 1


class Refused(HeadwatersError):
    """The request is understood and refused."""

    code = "refused"
    title_zh = "请求被拒绝"
    next_zh = "理由见 reasons;如有异议请联系提供方。"
    next_en = "The reasons say why; ask the provider if you disagree."
    exit_code = 1


class NotFound(HeadwatersError):
    """There is no such thing here."""

    code = "not-found"
    title_zh = "找不到所请求的对象"
    next_zh = "核对编号;用 headwaters catalog search 查找数据集。"
    next_en = "Check the id; headwaters catalog search finds datasets."
    exit_code = 1


class Conflict(HeadwatersError):
    """The request contradicts what is on record."""

    code = "conflict"
    title_zh = "请求与现有记录冲突"
    next_zh = "重新读取当前状态后再试。"
    next_en = "Read the current state and try again."
    exit_code = 1


class TooLarge(HeadwatersError):
    """The request is larger than the limit."""

    code = "too-large"
    title_zh = "请求超过大小限制"
    next_zh = "拆分后分批提交。"
    next_en = "Split it and send the parts."
    exit_code = 1


class TooMany(HeadwatersError):
    """There were too many requests."""

    code = "too-many"
    title_zh = "请求过于频繁"
    next_zh = "稍后再试。"
    next_en = "Wait, then try again."
    exit_code = 1


class Undecidable(HeadwatersError):
    """Neither yes nor no can be proved."""

    code = "undecidable"
    title_zh = "无法判定"
    next_zh = "用 --trust 指定信任根,或等待足够的见证方副署。"
    next_en = "Name a trust root with --trust, or wait until enough witnesses have cosigned."
    exit_code = 2


class Unavailable(HeadwatersError):
    """A part is unavailable."""

    code = "unavailable"
    title_zh = "部件不可用"
    next_zh = "稍后再试;headwaters doctor 会说明缺什么。"
    next_en = "Try again later; headwaters doctor says what is missing."
    exit_code = 75


class Corrupt(HeadwatersError):
    """Stored evidence contradicts itself."""

    code = "corrupt"
    title_zh = "存储的证据自相矛盾"
    next_zh = "停止使用该副本,保留现场,运行 headwaters audit fsck。"
    next_en = "Stop using this copy, keep it as it is, and run headwaters audit fsck."
    exit_code = 1
