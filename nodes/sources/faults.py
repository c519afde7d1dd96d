"""What can be wrong with a file as a whole; a wrong row is no fault but a rejected row."""

from contracts.errors import Conflict, Invalid, TooLarge


class SourceFault(Invalid):
    """The file cannot be read."""

    code = "source-fault"
    title_zh = "文件无法读取"
    next_zh = "检查文件后重试。"
    next_en = "Check the file and try again."


class EmptyFile(SourceFault):
    """The file is empty."""

    code = "empty-file"
    title_zh = "文件是空的"
    next_zh = "确认导出成功后重新提交。"
    next_en = "Check that the export succeeded, then submit the file again."


class NoHeader(SourceFault):
    """The first line is no header."""

    code = "no-header"
    title_zh = "第一行不是表头"
    next_zh = "在第一行写上列名,各列名不同且不为空。"
    next_en = "Write the column names in the first line: each one different, none empty."


class EncodingUnknown(SourceFault):
    """The text is neither UTF-8 nor GB18030."""

    code = "encoding-unknown"
    title_zh = "文本编码既非 UTF-8 也非 GB18030"
    next_zh = "另存为“CSV UTF-8”后重新提交。"
    next_en = "Save it as “CSV UTF-8” and submit it again."


class NulBytes(SourceFault):
    """The text holds NUL bytes."""

    code = "nul-bytes"
    title_zh = "文本中含有 NUL 字节"
    next_zh = "文件可能损坏或为 UTF-16;另存为“CSV UTF-8”后重新提交。"
    next_en = "The file is damaged or UTF-16; save it as “CSV UTF-8” and submit it again."


class TruncatedFile(SourceFault):
    """The file ends too early or is damaged."""

    code = "truncated-file"
    title_zh = "文件不完整或已损坏"
    next_zh = "重新传输该文件,并核对摘要。"
    next_en = "Copy the file again and compare its digest."


class NoRoom(SourceFault):
    """There is no room for the temporary file that reading takes."""

    code = "no-room"
    title_zh = "临时文件没有空间"
    next_zh = "清理临时目录(TMPDIR)所在磁盘后重试。"
    next_en = "Make room on the disk of the temporary folder (TMPDIR), then try again."


class FileTooLarge(TooLarge):
    """The file is larger than the limit."""

    code = "file-too-large"
    title_zh = "文件超过大小限制"
    next_zh = "按时间拆成几个文件,分批发布。"
    next_en = "Split the file by time and publish the parts."


class BrokenText(SourceFault):
    """The quotes or lines of the text cannot be followed."""

    code = "broken-text"
    title_zh = "文本的引号或分行无法解析"
    next_zh = "改正所指行的引号后重新提交。"
    next_en = "Mend the quotes at the named line and submit the file again."


class UnknownColumns(SourceFault):
    """The columns are those of no known source and no contract."""

    code = "unknown-columns"
    title_zh = "列名不属于任何已知来源或契约"
    next_zh = "列名须与契约字段名一致;headwaters contract library 列出契约。"
    next_en = "Name the columns as a contract does; headwaters contract library lists the contracts."


class UnreadableForm(SourceFault):
    """The file is in a form that is not read here."""

    code = "unreadable-form"
    title_zh = "不支持的文件形式"
    next_zh = "导出为 CSV、NDJSON 或 Parquet。"
    next_en = "Export it as CSV, NDJSON or Parquet."


class FileChanged(Conflict):
    """The file changed while it was read."""

    code = "file-changed"
    title_zh = "读取期间文件被改动"
    next_zh = "等文件写完后重试。"
    next_en = "Wait until the file is complete, then try again."
