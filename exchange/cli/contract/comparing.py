"""``headwaters contract diff``: may one version of a contract follow another, and what do its users lose."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from contracts.promises import Compatibility
from exchange.cli.contract.app import ContractName, app
from exchange.cli.output import JsonFlag, out, print_json, say, show, show_rows

if TYPE_CHECKING:
    from contracts.compatibility.comparison import Comparison
    from contracts.schema import Contract

COMPATIBLE, INCOMPATIBLE, UNDETERMINED = 0, 1, 2
_EXIT = {"compatible": COMPATIBLE, "incompatible": INCOMPATIBLE, "undetermined": UNDETERMINED}
_VERDICTS = {
    "compatible": (
        "green",
        "兼容:新版本可以接替旧版本",
        "compatible: the new version may follow the old one",
    ),
    "incompatible": ("red", "不兼容:下面的记录即为反例", "incompatible: the record below refutes it"),
    "undetermined": ("yellow", "无法判定:须由指定人员认可", "undetermined: a named person has to approve it"),
}
_EFFECTS = {"takes-away": "减损 takes", "gives": "增益 gives", "words": "措辞 words"}
_SIDES = {"old": "旧版本 old", "new": "新版本 new"}


@app.command()
def diff(
    old: ContractName,
    new: ContractName,
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            metavar="MODE",
            help="none | backward | forward | full,及其 -transitive 形式;缺省取旧版本所承诺的 "
            "/ none, backward, forward, full or a transitive form; the old version's own where none is given",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """比较两个版本 / compare two versions; exit 0 compatible, 1 incompatible, 2 undetermined."""
    from contracts.compatibility.comparison import compare  # noqa: PLC0415 - only this command compares
    from contracts.library import named  # noqa: PLC0415

    asked = _mode(mode)
    before, after = named(old), named(new)
    comparison = compare(before, after, asked)
    if as_json:
        print_json(_document(before, after, comparison))
    else:
        _tell(before, after, comparison)
    raise typer.Exit(_EXIT[comparison.verdict.value])


def _mode(text: str | None) -> Compatibility | None:
    if text is None:
        return None
    try:
        return Compatibility(text.strip().lower().replace("_", "-"))
    except ValueError as error:
        listed = ", ".join(Compatibility)
        raise typer.BadParameter(f"须为其一 / one of: {listed}", param_hint="--mode") from error


def _document(old: "Contract", new: "Contract", comparison: "Comparison") -> dict[str, Any]:
    """Write the comparison for a script; ``witness`` is the record itself, or null."""
    witness = comparison.witness
    return {
        "verdict": comparison.verdict.value,
        "mode": comparison.mode.value,
        "witness": witness.record if witness else None,
        "bump": comparison.bump.value,
        "accepted_by": witness.accepted_by if witness else None,
        "refused_by": witness.refused_by if witness else None,
        "violations": [_violation(violation) for violation in witness.violations] if witness else [],
        "old": {"id": old.id, "version": old.version, "digest": old.digest},
        "new": {"id": new.id, "version": new.version, "digest": new.digest},
        "version": _version(old, new, comparison),
        "changes": [
            {
                "place": change.place,
                "effect": change.effect.value,
                "before": change.before,
                "after": change.after,
                "zh": change.text.zh,
                "en": change.text.en,
            }
            for change in comparison.changes
        ],
    }


def _violation(violation: Any) -> dict[str, Any]:  # Any: the type is imported where it is needed
    return {
        "pointer": violation.pointer,
        "schema_pointer": violation.schema_pointer,
        "rule": violation.rule,
        "value": violation.value,
        "zh": violation.message.zh,
        "en": violation.message.en,
    }


def _version(old: "Contract", new: "Contract", comparison: "Comparison") -> dict[str, Any]:
    """Say whether the new version's number tells the truth, and the lowest one that would."""
    from contracts.compatibility.bump import bump_between, lowest_version, tells_truth  # noqa: PLC0415

    same = old.digest == new.digest
    return {
        "claimed": bump_between(old.version, new.version).value,
        "true": same or tells_truth(old.version, new.version, comparison.bump),
        "lowest": old.version if same else lowest_version(old.version, comparison.bump),
    }


def _tell(old: "Contract", new: "Contract", comparison: "Comparison") -> None:
    colour, zh, en = _VERDICTS[comparison.verdict.value]
    out.print(f"[bold {colour}]{zh}[/bold {colour}]  [dim]{en} (mode {comparison.mode})[/dim]")
    rows = [
        {
            "effect": _EFFECTS[change.effect.value],
            "text": change.text.model_dump(),
            "before": change.before,
            "after": change.after,
            "place": change.place,
        }
        for change in sorted(comparison.changes, key=lambda change: list(_EFFECTS).index(change.effect.value))
    ]
    columns = {"effect": "影响 effect", "text": "变更 change", "before": "原 before", "after": "新 after"}
    if rows:
        show_rows(rows, columns, as_json=False, title="变更 changes")
    _tell_witness(comparison)
    version = _version(old, new, comparison)
    say(
        f"应升版本:{comparison.bump}({old.version} → 至少 {version['lowest']})",
        f"version step {comparison.bump}, at least {version['lowest']}",
    )
    if not version["true"]:
        out.print(
            f"[bold red]版本号 {new.version} 与变更不符[/bold red]"
            f"  [dim]the number {new.version} claims less than what changed[/dim]"
        )


def _tell_witness(comparison: "Comparison") -> None:
    witness = comparison.witness
    if witness is None:
        return
    show(
        witness.record,
        as_json=False,
        title=f"反例 witness:{_SIDES[witness.accepted_by]} ✓,{_SIDES[witness.refused_by]} ✗",
    )
    rows = [
        {"pointer": violation.pointer or "/", "rule": violation.rule, "why": violation.message.model_dump()}
        for violation in witness.violations
    ]
    show_rows(
        rows,
        {"pointer": "位置 pointer", "rule": "规则 rule", "why": "原因 why"},
        as_json=False,
        title="被拒原因 why it is refused",
    )
