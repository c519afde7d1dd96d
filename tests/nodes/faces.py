"""A small app over a real node: its callers and its witness, without what other parts serve."""

from typing import Annotated

import httpx
from fastapi import Depends, FastAPI

from contracts.messages import Role
from nodes.bodies import BodyLimit
from nodes.callers import AnyPerson, FromExchange, FromParticipant, person_with
from nodes.node import Node
from nodes.people import Person
from nodes.problems import install_problem_handlers
from nodes.witnessing import witness_routes

LISTENER = "http://127.0.0.1:8000"


def small_app(node: Node) -> FastAPI:
    """Make the app."""
    app = FastAPI()
    app.state.node = node
    app.state.bases = frozenset({LISTENER, node.mailbox_base})
    install_problem_handlers(app)
    app.add_middleware(BodyLimit, limit_bytes=64, larger={"/witness": 4096, "/deliveries": 4096})
    app.include_router(witness_routes.router)

    @app.post("/offers")
    def offers(call: FromExchange) -> dict[str, int]:
        return {"bytes": len(call.body)}

    @app.post("/deliveries")
    def deliveries(call: FromParticipant) -> dict[str, str]:
        return {"participant": call.participant, "key": call.key.text}

    @app.get("/deliveries/large/data")
    def large() -> dict[str, str]:
        return {"data": "x" * 9_000_000}

    @app.get("/local/anybody")
    def anybody(person: AnyPerson) -> dict[str, str]:
        return {"name": person.name}

    @app.post("/local/audit")
    def audit(person: Annotated[Person, Depends(person_with(Role.AUDITOR))]) -> dict[str, str]:
        return {"name": person.name}

    @app.get("/numbers/{number}")
    def numbers(number: int) -> dict[str, int]:
        return {"quotient": 1 // number}

    return app


def transport(app: FastAPI, peer: str = "127.0.0.1") -> httpx.ASGITransport:
    """Reach the app as ``peer``."""
    return httpx.ASGITransport(app, client=(peer, 1), raise_app_exceptions=False)
