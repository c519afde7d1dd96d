"""Erasure over HTTP: one act of the administrator's."""

from dataclasses import asdict
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from contracts.messages import Wire
from exchange.edge import Wired, answer_json, parsed
from exchange.identity import Administrator
from exchange.reports.days import parse_day
from exchange.retention import flow

router = APIRouter(tags=["retention"])


class ErasureRequest(Wire):
    """The first day (UTC+8) whose evidence is kept."""

    before: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]

    @property
    def day(self) -> date:
        """The day; raises Usage for one that does not exist."""
        return parse_day(self.before)


@router.post("/operator/erasures", status_code=201)
async def erase(
    parts: Wired, person: Administrator, message: Annotated[ErasureRequest, Depends(parsed(ErasureRequest))]
) -> Response:
    """Erase evidence that is older than it must be kept."""
    index, erased = await flow.erase(parts, person, message.day)
    return answer_json({"before": message.before, "index": index, **asdict(erased)}, 201)
