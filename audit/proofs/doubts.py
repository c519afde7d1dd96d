"""What a verdict does not prove, in words: some of it never can be, some is missing from the case at hand."""

from collections.abc import Sequence

from audit.formats.quorum import Witnessed
from audit.keys.signers import Judge
from audit.keys.trust import TrustRoot
from audit.keys.trust_file import TrustFile
from contracts.messages import Text

BEYOND_THE_LOG = Text(
    zh="提供方与使用方绕开交换中心另行传递的数据,日志无从得知。",
    en="What provider and consumer passed to each other outside the exchange is not in the log.",
)
TRUTH_OF_DATA = Text(
    zh="数据如实反映测量结果:证明只说明收到的正是提供方签发的内容。",
    en="That the data is true: the proof shows that what arrived is what the provider signed.",
)
LATER_USE = Text(
    zh="使用方在接收之后如何使用数据。",
    en="What the consumer did with the data afterwards.",
)
DATA_NOT_SHOWN = Text(
    zh="手头的文件就是所传输的数据:本次未提供文件(用 --file 指定)。",
    en="That a file at hand is the data that moved: none was given (name it with --file).",
)
CLOSED_LATE = Text(
    zh="传输在授权有效期内完成:该传输事后补登。",
    en="That the transfer ended while its grant was open: it was closed late.",
)
ROOT_NOT_SIGNED = Text(
    zh="各省认可这些密钥:信任根未经各省签署,密钥只凭文件编制方一面之词。",
    en="That the provinces agree on these keys: no province has signed the trust root.",
)
KEYS_NOT_SIGNED = Text(
    zh="各省认可本证明所用的每把密钥:其中有信任根签署之后才加入的(见 unsigned_keys)。",
    en="That the provinces agree on every key used here: some joined after they signed (unsigned_keys).",
)
ROOT_EXPIRED = Text(
    zh="所用密钥至今仍受信任:信任根已过有效期,请获取较新的一份。",
    en="That the keys are still trusted today: the trust root has expired; get a newer one.",
)
WITNESSES_REPLACED = Text(
    zh="以现行密钥副署:凑足法定数的见证密钥中有后来更换的,请取较新检查点下的证明。",
    en="A quorum by keys in use today: some witness keys were replaced since; get a newer proof.",
)
SUITE_NOT_CHECKED = Text(
    zh="国密(SM2)签名行有效:本机未安装其支持库,该行未核验(pip install 'headwaters-exchange[sm]')。",
    en="That the log's SM2 line holds: the library is missing here (pip install 'headwaters-exchange[sm]').",
)


def root_doubts(trust: TrustFile, judge: Judge, seen: Sequence[Witnessed]) -> tuple[Text, ...]:
    """Say what the trust root leaves open about everything that was judged, under ``seen``, newest first."""
    root = judge.root
    doubts = {
        ROOT_NOT_SIGNED: not trust.signers,
        KEYS_NOT_SIGNED: bool(trust.signers and trust.unsigned(judge.relied_on)),
        ROOT_EXPIRED: root.expires_at is not None and judge.now >= root.expires_at,
        WITNESSES_REPLACED: _lean_on_past_keys(seen[0], root),
        SUITE_NOT_CHECKED: any(one.unchecked for one in seen),
    }
    return tuple(text for text, holds in doubts.items() if holds)


def transfer_doubts(
    trust: TrustFile, judge: Judge, seen: Sequence[Witnessed], *, late: bool, data_shown: bool
) -> tuple[Text, ...]:
    """Say what a transfer's proof leaves open, under ``seen``: the closing entry's checkpoint first."""
    doubts = {CLOSED_LATE: late, DATA_NOT_SHOWN: not data_shown}
    own = (text for text, holds in doubts.items() if holds)
    return (BEYOND_THE_LOG, TRUTH_OF_DATA, LATER_USE, *own, *root_doubts(trust, judge, seen))


def _lean_on_past_keys(witnessed: Witnessed, root: TrustRoot) -> bool:
    """Tell whether the quorum would be missing without keys that have ended since."""
    current = {one.vkey for voter in root.voters() for one in voter.witness_keys if one.until is None}
    return sum(str(key) in current for key in witnessed.witnesses) < root.quorum
