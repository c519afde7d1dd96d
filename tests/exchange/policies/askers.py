"""Who asks the exchange in these tests: nodes and people, signed, over its real routes."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx

from audit.httpsig import RequestSigner
from audit.keys.signing import SigningKey, load_key
from exchange.app import create_app
from tests.exchange.signers import Participant
from tests.exchange.trading import Alliance

BASE = "http://127.0.0.1:8420"


@dataclass(frozen=True)
class Asker:
    """A key that signs requests to one exchange."""

    alliance: Alliance
    key: SigningKey
    keyid: str

    def send(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """Send one signed request."""

        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(app=create_app(self.alliance.parts))
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
                auth = RequestSigner(self.key, self.keyid, self.alliance.clock)
                return await client.request(method, path, auth=auth, **kwargs)

        return asyncio.run(call())

    def post(self, path: str, body: Any) -> httpx.Response:
        """Ask with a JSON body."""
        return self.send("POST", path, json=body)

    def get(self, path: str, **params: Any) -> httpx.Response:
        """Read."""
        return self.send("GET", path, params=params)


def as_node(alliance: Alliance, node: Participant) -> Asker:
    """Ask as a participant's node."""
    return Asker(alliance, node.key, node.id)


def as_person(alliance: Alliance, name: str) -> Asker:
    """Ask as one of the exchange's people."""
    key = load_key(alliance.parts.settings.home / "people" / f"{name}.key")
    return Asker(alliance, key, f"person:{name}")


def question(subject: str, action: str, dataset: str = "city-air", **context: Any) -> dict[str, Any]:
    """Write an AuthZEN question; without context it carries none."""
    asked = {
        "subject": {"type": "participant", "id": subject},
        "action": {"name": action},
        "resource": {"type": "dataset", "id": dataset},
    }
    return {**asked, "context": context} if context else asked
