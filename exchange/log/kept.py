"""What was kept elsewhere and must agree with a log: a checkpoint in a file, or a whole copy in a folder.

A checkpoint tells that a history was written anew; a copy (a node's mirror, an export) also tells from which
entry on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from audit.walk.copies import first_loss
from audit.walk.fsck import Damage, Trusted, walk
from audit.walk.log_source import DirectorySource, LogSource
from contracts.errors import Corrupt


class CopyDamaged(Corrupt):
    """The copy that the log is held against is damaged itself."""

    code = "copy-damaged"
    title_zh = "用于比对的副本本身已损坏"
    next_zh = "换用另一省的镜像(headwaters audit mirror),或单独一份检查点。"
    next_en = "Use another province's mirror (headwaters audit mirror), or a single checkpoint."


@dataclass(frozen=True, slots=True)
class Kept:
    """Checkpoints that the walk must meet, and perhaps the copies that they stand over, one a shard."""

    notes: Sequence[bytes] = ()
    copies: Sequence[DirectorySource] = ()

    @classmethod
    def read(cls, place: Path | None) -> Self:
        """Read a checkpoint's file, the folder of one shard's copy, or one that holds a folder a shard.

        Raises NotAnExport for a folder that holds no log.
        """
        if place is None:
            return cls()
        if not place.is_dir():
            return cls([place.read_bytes()])
        numbered = sorted(
            int(one.parent.name) for one in place.glob("*/checkpoint") if one.parent.name.isdecimal()
        )
        is_one = (place / "checkpoint").is_file() or not numbered
        copies = [DirectorySource(one) for one in ([place] if is_one else [place / str(n) for n in numbered])]
        return cls([note.note.encode() for copy in copies for note in copy.checkpoints()], copies)

    def first_loss(self, source: LogSource, trusted: Trusted) -> Damage | None:
        """Name the first entry of a copy that the log has lost; raise CopyDamaged for an unsound copy.

        The copy's own checkpoint is judged as the log's is: by the log's key, and by the witnesses' if there
        are any.
        """
        copy = next((one for one in self.copies if one.origin == source.origin), None)
        if copy is None:
            return None
        damage = walk(copy, Trusted(trusted.log_key, trusted.now, trusted.policy)).damage
        if damage is not None:
            raise CopyDamaged(f"at index {damage.index}: {damage.what}", index=damage.index)
        index = first_loss(copy, source)
        return None if index is None else Damage(index, "the copy kept elsewhere holds another entry here")
