"""The rules of the catalogue: who may write what, in which order, and what has to agree.

Pure: values in, values out, or the narrowest error. Numbers count from 1 without gaps and each release names
the one before it, so a feed cannot lose or exchange a release unseen.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.errors import Conflict, Invalid, NotFound
from contracts.messages import ContractRef, DatasetRecord, Manifest


class ContractUnknown(NotFound):
    """No such contract version is registered."""

    code = "contract-unknown"
    title_zh = "契约版本尚未登记"
    next_zh = "先登记该契约版本,再登记数据集。"
    next_en = "Register the contract version first, then the dataset."


class ContractChanged(Conflict):
    """The contract version is on record with other content."""

    code = "contract-changed"
    title_zh = "该契约版本已登记,内容不同"
    next_zh = "已登记的版本不可更改;请提高版本号。"
    next_en = "A registered version never changes; give the contract a new version."


class ContractReserved(Conflict):
    """The name belongs to a contract of the shipped library."""

    code = "contract-reserved"
    title_zh = "该契约编号属于随附契约库"
    next_zh = "登记契约库中的原文,或为自己的契约另取编号。"
    next_en = "Register the shipped text as it is, or give your own contract another name."


class ContractMismatch(Invalid):
    """The registration and the contract in it disagree."""

    code = "contract-mismatch"
    title_zh = "登记信息与契约文本不一致"


class DatasetUnknown(NotFound):
    """There is no such dataset in the catalogue."""

    code = "dataset-unknown"
    title_zh = "目录中没有该数据集"


class DatasetTaken(Conflict):
    """Another participant owns this dataset name."""

    code = "dataset-taken"
    title_zh = "该数据集编号属于另一参与方"
    next_zh = "请换一个数据集编号。"
    next_en = "Choose another dataset name."


class WrongNumber(Conflict):
    """The number is not the next one."""

    code = "wrong-number"
    title_zh = "编号不连续"
    next_zh = "读取当前编号,使用下一个编号重新签名。"
    next_en = "Read the current number, then sign again with the next one."


class WrongPrevious(Conflict):
    """The release does not name the release before it."""

    code = "wrong-previous"
    title_zh = "前一批次的摘要不符"
    next_zh = "读取最近批次的摘要后重新签名;若本机由旧备份恢复,先核对。"
    next_en = "Read the newest release's digest and sign again; if this node was restored, compare first."


class WrongContract(Conflict):
    """The release follows another contract than the dataset's record."""

    code = "wrong-contract"
    title_zh = "批次所用契约与数据集登记不符"
    next_zh = "按登记的契约重新校验发布,或先更新数据集登记。"
    next_en = "Publish under the contract on record, or update the dataset's record first."


class CountsDisagree(Invalid):
    """Rows read are not rows published plus rows quarantined, or more were mended than ever quarantined."""

    code = "counts-disagree"
    title_zh = "行数对不上"


class FieldUnknown(Invalid):
    """The record names a field that its contract does not have."""

    code = "record-field-unknown"
    title_zh = "登记中的字段不在契约内"


@dataclass(frozen=True, slots=True)
class Standing:
    """A dataset as it stands: its record's number and contract, its newest release, what is in quarantine."""

    provider: str
    number: int
    contract: ContractRef
    releases: int
    manifest: str | None
    quarantined: int


@dataclass(frozen=True, slots=True)
class KnownContract:
    """A registered contract version: its digest, and the class (1 public … 4 core) of each of its fields."""

    digest: str
    fields: Mapping[str, int]


def check_record(record: DatasetRecord, standing: Standing | None, contract: KnownContract | None) -> None:
    """Admit the next record of a dataset; raise what stands against it."""
    if standing is not None and standing.provider != record.provider:
        raise DatasetTaken(f"{record.dataset} belongs to another participant")
    expected = 1 if standing is None else standing.number + 1
    if record.number != expected:
        raise WrongNumber(f"the next record of {record.dataset} has number {expected}", expected=expected)
    check_contract(record.contract, contract)
    known = set(contract.fields) if contract else set()
    strangers = sorted({name for entry in record.purpose_fields for name in entry.fields} - known)
    if strangers:
        raise FieldUnknown(f"{record.contract.id} has no field {strangers[0]}", fields=strangers[:20])


def check_contract(named: ContractRef, known: KnownContract | None) -> None:
    """Raise ContractUnknown or ContractChanged unless ``known`` is what ``named`` names."""
    if known is None:
        raise ContractUnknown(f"{named.id} {named.version} is not registered")
    if known.digest != named.digest:
        raise ContractChanged(f"{named.id} {named.version} is on record under another digest")


def check_release(manifest: Manifest, standing: Standing | None) -> None:
    """Admit the next release of a feed; raise what stands against it."""
    if standing is None:
        raise DatasetUnknown(f"{manifest.dataset} is not in the catalogue")
    if standing.provider != manifest.provider:
        raise DatasetTaken(f"{manifest.dataset} belongs to another participant")
    if manifest.number != standing.releases + 1:
        expected = standing.releases + 1
        raise WrongNumber(f"the next release of {manifest.dataset} has number {expected}", expected=expected)
    if manifest.previous != standing.manifest:
        raise WrongPrevious(f"release {manifest.number} does not name the manifest before it")
    if manifest.contract != standing.contract:
        raise WrongContract(f"{manifest.dataset} is on record under {standing.contract.id}")
    counts = manifest.counts
    if counts.read != counts.published + counts.quarantined:
        raise CountsDisagree(f"{counts.read} read, {counts.published} published, {counts.quarantined} held")
    if manifest.resubmitted > min(counts.read, standing.quarantined):
        raise CountsDisagree(f"{manifest.resubmitted} mended, {standing.quarantined} were in quarantine")
