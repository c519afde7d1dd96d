"""What a report or a proof says, as plain values for the terminal and for scripts."""

from dataclasses import fields
from datetime import datetime
from typing import Any

from audit.keys.trust_file import TrustFile
from audit.proofs.report_facts import Facts, Transfer
from audit.proofs.report_verdict import ReportVerdict
from audit.proofs.verify import Verdict
from contracts.clock import beijing, rfc3339
from contracts.messages import Text


def summary(facts: Facts) -> dict[str, Any]:
    """Tell a report in short: who received, what else happened, and how much is shown."""
    return {
        "dataset": facts.report.dataset,
        "title": facts.title.model_dump() if facts.title else None,
        "day": facts.report.day,
        "consumers": len({one.grant.consumer for one in facts.received}),
        "entries": len(facts.placed),
        "agreements": [one.agreement.agreement for one in facts.agreements],
        "subscriptions": len(facts.chains),
        "whole": all(chain.closed for chain in facts.chains),
        "received": [_transfer(facts, one) for one in facts.received],
        "others": [_transfer(facts, one) for one in facts.others],
        "denials": [
            {
                "time": beijing(one.denied.at),
                "at": rfc3339(one.denied.at),
                "consumer": _name(facts, one.denied.said("cons")),
                "state": "denied",
                "index": one.denied.index,
            }
            for one in facts.denials
        ],
    }


def judged(verdict: ReportVerdict, trust: TrustFile) -> dict[str, Any]:
    """Tell what a report proves, who vouches for it, and what it does not prove."""
    known = {one.participant: one.name.model_dump() for one in trust.root.participants}
    return {
        **summary(verdict.facts),
        "logs": [
            {
                "origin": seen.origin,
                "size": seen.size,
                "witnesses": list(seen.witnesses),
                "cosigned_at": _moment(seen.cosigned_at),
            }
            for seen in verdict.logs
        ],
        "root_number": verdict.root_number,
        "root_signers": [known[name] for name in verdict.root_signers],
        "unsigned_keys": list(verdict.unsigned_keys),
        "not_proven": [text.model_dump() for text in verdict.not_proven],
    }


def shown_transfer(verdict: Verdict) -> dict[str, Any]:
    """Tell what the proof inside an excerpt says of its transfer."""
    plain = {field.name: getattr(verdict, field.name) for field in fields(verdict)}
    moments = {name: _moment(value) for name, value in plain.items() if isinstance(value, datetime)}
    parties = {
        "provider": verdict.provider.name.model_dump(),
        "consumer": verdict.consumer.name.model_dump(),
    }
    return {**plain, **moments, **parties, "not_proven": [text.model_dump() for text in verdict.not_proven]}


def _transfer(facts: Facts, one: Transfer) -> dict[str, Any]:
    closing = one.closing
    receipt = one.receipts[0][0] if one.receipts else None
    at = closing.at if closing else one.granted.at
    return {
        "time": beijing(at),
        "at": rfc3339(at),
        "grant": one.grant.grant,
        "state": one.state,
        "consumer": _name(facts, one.grant.consumer),
        "provider": _name(facts, one.grant.provider),
        "consumer_id": one.grant.consumer,
        "provider_id": one.grant.provider,
        "release": one.grant.release,
        "purpose": one.grant.purpose,
        "rows": receipt.view_rows if receipt else None,
        "size_bytes": receipt.view_size_bytes if receipt else None,
        "sha256": receipt.view_sha256 if receipt else None,
        "redacted": list(receipt.redacted) if receipt else [],
        "granted_index": one.granted.index,
        "index": closing.index if closing else one.granted.index,
    }


def _name(facts: Facts, participant: str) -> dict[str, str]:
    name: Text = facts.names[participant]
    return name.model_dump()


def _moment(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
