"""How the kinds of entry are called to people, Chinese first."""

from collections.abc import Mapping
from types import MappingProxyType

from audit.log.entry import EntryKind
from contracts.messages import Text

KINDS: Mapping[EntryKind, Text] = MappingProxyType(
    {
        EntryKind.SHARD_OPEN: Text(zh="分片开启", en="shard opened"),
        EntryKind.SHARD_CLOSE: Text(zh="分片关闭", en="shard closed"),
        EntryKind.MEMBER_JOIN: Text(zh="参与方登记", en="participant joined"),
        EntryKind.MEMBER_APPROVE: Text(zh="参与方获批", en="participant approved"),
        EntryKind.MEMBER_SUSPEND: Text(zh="参与方暂停", en="participant suspended"),
        EntryKind.MEMBER_QUARANTINE: Text(zh="参与方隔离", en="participant quarantined"),
        EntryKind.MEMBER_RESUME: Text(zh="参与方恢复", en="participant resumed"),
        EntryKind.MEMBER_REVOKE: Text(zh="参与方撤销", en="participant revoked"),
        EntryKind.DIRECTORY: Text(zh="成员名录签发", en="directory issued"),
        EntryKind.CONTRACT_PUBLISH: Text(zh="数据契约登记", en="contract registered"),
        EntryKind.CONTRACT_DEPRECATE: Text(zh="数据契约停用通知", en="contract deprecated"),
        EntryKind.CONTRACT_ACKNOWLEDGE: Text(zh="停用通知确认", en="deprecation acknowledged"),
        EntryKind.DATASET_PUBLISH: Text(zh="数据集登记", en="dataset declared"),
        EntryKind.RELEASE_PUBLISH: Text(zh="批次发布", en="release published"),
        EntryKind.APPLICATION_OPEN: Text(zh="共享申请", en="application opened"),
        EntryKind.AGREEMENT: Text(zh="协议签订", en="agreement signed"),
        EntryKind.AGREEMENT_END: Text(zh="协议终止", en="agreement ended"),
        EntryKind.GRANT: Text(zh="授权", en="grant"),
        EntryKind.DENY: Text(zh="拒绝", en="denial"),
        EntryKind.DENY_ROLLUP: Text(zh="拒绝汇总", en="denials rolled up"),
        EntryKind.DONE: Text(zh="传输完成", en="transfer done"),
        EntryKind.EXPIRE: Text(zh="授权到期", en="grant expired"),
        EntryKind.ABORT: Text(zh="传输放弃", en="transfer aborted"),
        EntryKind.HEADS: Text(zh="订阅末态", en="subscription heads"),
        EntryKind.COUNT: Text(zh="节点计数", en="node's count"),
        EntryKind.KEY_ROTATE: Text(zh="密钥更换", en="key rotated"),
        EntryKind.KEY_REVOKE: Text(zh="密钥撤销", en="key revoked"),
        EntryKind.TRUST_ROOT: Text(zh="信任根签署", en="trust root signed"),
        EntryKind.EMERGENCY_DECLARE: Text(zh="紧急状态宣布", en="emergency declared"),
        EntryKind.EMERGENCY_END: Text(zh="紧急状态结束", en="emergency ended"),
        EntryKind.EMERGENCY_REVIEW: Text(zh="紧急状态事后审查", en="emergency reviewed"),
        EntryKind.OBJECTION_OPEN: Text(zh="数据异议提出", en="objection raised"),
        EntryKind.OBJECTION_STEP: Text(zh="数据异议处理", en="objection answered"),
        EntryKind.OBJECTION_CLOSE: Text(zh="数据异议办结", en="objection closed"),
        EntryKind.CORRECTION: Text(zh="数据更正", en="release corrected"),
        EntryKind.SECURITY_EVENT: Text(zh="安全事件", en="security event"),
        EntryKind.POLICY_ACTIVATE: Text(zh="策略启用", en="policy activated"),
        EntryKind.ADMIN_ACT: Text(zh="管理操作", en="administrative act"),
    }
)
