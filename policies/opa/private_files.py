"""Files that only their owner may read: the key that signs bundles, a client key, a token."""

import os
import stat
from pathlib import Path

from contracts.errors import Invalid, Refused

MAX_FILE_BYTES = 64 * 1024


class PolicyFileExposed(Refused):
    """Others may read a secret file of the policy engine."""

    code = "policy-file-exposed"
    title_zh = "策略引擎的密钥或令牌文件可被他人读取"
    next_zh = "执行 chmod 600,并考虑更换其中的密钥或令牌。"
    next_en = "Run chmod 600 on it, and consider replacing the key or token in it."


class PolicyFileUnreadable(Invalid):
    """A file that the policy engine needs cannot be read."""

    code = "policy-file-unreadable"
    title_zh = "无法读取策略引擎所需的文件"
    next_zh = "核对 policy_* 配置项或命令中的路径与文件内容。"
    next_en = "Check the path in the policy_* settings or in the command, and what the file holds."


def read_private(path: Path) -> bytes:
    """Read a secret file; raise PolicyFileExposed where others may read it, or PolicyFileUnreadable."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode) or stat.S_IMODE(mode) & 0o077:
                raise PolicyFileExposed(f"{path} has the mode {stat.S_IMODE(mode):04o}, not 0600")
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise PolicyFileUnreadable(f"{path}: {error.strerror}") from error
    if len(raw) > MAX_FILE_BYTES:
        raise PolicyFileUnreadable(f"{path} is larger than {MAX_FILE_BYTES} bytes")
    return raw


def write_private(path: Path, raw: bytes) -> None:
    """Write a new file that only its owner may read; raise PolicyFileUnreadable where one is there."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise PolicyFileUnreadable(f"{path}: {error.strerror}") from error
