"""What the catalogue says of quality: counts that fit the contract, and the event that a rule asks for.

The exchange sees no row, so it cannot count again; whoever receives the whole release does. It holds the
provider to its contract: only rules of the contract find something, with their own kind and severity.
"""

from contracts.errors import Invalid
from contracts.messages import Manifest, Severity, Text
from contracts.promises import Severity as RuleSeverity
from contracts.schema import Contract
from exchange.parts import Alarm

EVENT_CLASS = "quality.finding"

_SEVERITIES = {
    RuleSeverity.INFO: Severity.LOW,
    RuleSeverity.WARNING: Severity.MEDIUM,
    RuleSeverity.ERROR: Severity.HIGH,
}


class FindingsDisagree(Invalid):
    """The manifest's findings are not of its contract's rules."""

    code = "findings-disagree"
    title_zh = "批次清单中的质量问题与契约规则不符"
    next_zh = "用与契约一致的软件版本重新检查并发布。"
    next_en = "Examine the release by the contract's own rules and publish again."


def check_findings(manifest: Manifest, contract: Contract) -> None:
    """Raise FindingsDisagree unless each count is of one rule of the contract, in its order."""
    rules = {rule.id: (rule.kind, rule.severity.value) for rule in contract.quality}
    if manifest.findings and manifest.quality is None:
        raise FindingsDisagree("findings without a note of the report that they are from")
    strangers = [one for one in manifest.findings if rules.get(one.rule) != (one.kind, one.severity)]
    if strangers:
        raise FindingsDisagree(
            f"{contract.id} has no rule {strangers[0].rule[:63]} of this kind and severity"
        )
    order = list(rules)
    places = [order.index(one.rule) for one in manifest.findings]
    if places != sorted(set(places)):
        raise FindingsDisagree("a rule stands twice, or the rules are not in the order of the contract")
    note = manifest.quality
    if note is not None and ((note.expected is None) != (note.present is None)):
        raise FindingsDisagree("expected and present records are said together or not at all")
    if note is not None and (note.present or 0) > (note.expected or 0):
        raise FindingsDisagree("more records are present than expected")


def judge_event(manifest: Manifest, contract: Contract) -> Alarm | None:
    """Make the event of a release in which rules that ask for one found something; it holds no value."""
    asking = {rule.id: rule for rule in contract.quality if rule.event}
    found = [one for one in manifest.findings if one.rule in asking]
    if not found:
        return None
    worst = max(found, key=lambda one: (_rank(asking[one.rule].severity), one.records))
    return Alarm(
        event_class=EVENT_CLASS,
        severity=_SEVERITIES[asking[worst.rule].severity],
        subject=manifest.provider,
        title=Text(
            zh="一个批次的质量规则发现问题", en="A release has quality findings that its contract reports"
        ),
        facts={
            "dataset": manifest.dataset,
            "release": manifest.number,
            "rule": worst.rule,
            "kind": worst.kind,
            "records": worst.records,
            "rules": len(found),
        },
    )


def _rank(severity: RuleSeverity) -> int:
    return list(_SEVERITIES).index(severity)
