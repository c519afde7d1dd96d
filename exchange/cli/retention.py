"""``headwaters exchange erase``: let evidence go that has been kept as long as it must be."""

from typing import Annotated

import typer

from contracts.messages import Role
from exchange.cli.acting import control
from exchange.cli.output import EXCHANGE_HOME, ExchangeHome, JsonFlag, Person, show


def erase(
    before: Annotated[str, typer.Option(help="保留的第一天(UTC+8)/ the first day that is kept")],
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """清除保存期满的证据,日志与证明不变 / erase evidence that is old enough; the log and its proofs stay."""
    client = control(home, person, Role.ADMINISTRATOR)
    answer = client.post("/operator/erasures", {"before": before})
    show(answer, as_json=as_json, title="已清除 erased")
