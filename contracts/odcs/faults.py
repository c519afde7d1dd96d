"""Why an ODCS file is refused."""

from contracts.errors import Invalid


class OdcsRefused(Invalid):
    """The ODCS file is refused."""

    code = "odcs-refused"
    title_zh = "ODCS 文件被拒绝"
    next_zh = "按 reasons 逐条修改文件;确认放弃的部分可用 --leave-out 略去。"
    next_en = "Change what each reason names; --leave-out drops the parts you agree to lose."
