"""The client that people's commands use: signed requests to the process that serves a home on this machine.

It reads the home's ``run/address`` and a person's key from ``people/`` and serves node and exchange homes
alike, because both are laid out the same. It opens neither database nor keys of the process.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson

from audit.httpsig import RequestSigner
from audit.keys.signing import KeyFileMissing, load_key
from contracts.clock import Clock, SystemClock
from contracts.errors import NotFound, Unavailable, Usage
from contracts.identifiers import PERSON_PREFIX, parse_name
from contracts.messages import BadMessage
from contracts.problem import error_from
from nodes.addresses import tls_context

TIMEOUT_SECONDS = 60.0


class NotServing(Unavailable):
    """The process of this home is not running."""

    code = "not-serving"
    title_zh = "该主目录的服务没有运行"
    next_zh = "先运行 headwaters node serve(或 headwaters exchange serve),再重试。"
    next_en = "Run headwaters node serve (or headwaters exchange serve) first, then try again."


class NoSuchPerson(NotFound):
    """There is no key of this person in the home."""

    code = "no-such-person"
    title_zh = "主目录中没有此人的密钥"
    next_zh = "用 --as 指定 people/ 下的一个名字。"
    next_en = "Name one of the people under people/ with --as."


class ControlClient:
    """Signs a person's requests to the running process of one home."""

    def __init__(self, home: Path, person: str | None = None, *, clock: Clock | None = None) -> None:
        """Remember home and person; ``person`` may be left out where only one key lies in ``people/``."""
        self._home = home
        self._person = person
        self._clock = clock or SystemClock()

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:  # the JSON value as it came
        """Read; raise NotServing, or the error that the process answered."""
        return self._exchange("GET", path, query=_present(query))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:  # the JSON value as it came
        """Act; raise NotServing, or the error that the process answered."""
        return self._exchange("POST", path, body=orjson.dumps(body or {}))

    def stream_ndjson(self, path: str, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Act and give each line of the answer as it comes; a ``problem`` line is raised as its error."""
        with (
            self._open(stream=True) as client,
            client.stream("POST", path, content=orjson.dumps(body)) as answer,
        ):
            if not answer.is_success:
                raise error_from(answer.status_code, answer.read())
            for text in answer.iter_lines():
                line = _object(text.encode())
                if (problem := line.get("problem")) is not None:
                    raise error_from(int(problem["status"]), orjson.dumps(problem))
                yield line

    def _exchange(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: bytes = b""
    ) -> Any:  # the JSON value as it came
        with self._open() as client:
            answer = client.request(method, path, params=query, content=body)
        if not answer.is_success:
            raise error_from(answer.status_code, answer.content)
        return orjson.loads(answer.content) if answer.content else None

    @contextmanager
    def _open(self, *, stream: bool = False) -> Iterator[httpx.Client]:
        name = self._person or self._only_person()
        try:
            key = load_key(self._home / "people" / f"{parse_name(name)}.key")
        except KeyFileMissing as error:
            raise NoSuchPerson(f"there is no key of {name}", people=self._people()) from error
        address = self._address()
        auth = RequestSigner(key, f"{PERSON_PREFIX}{name}", clock=self._clock)
        # A release may take minutes to validate; the stream says in between that it is alive.
        timeout = httpx.Timeout(TIMEOUT_SECONDS, read=None if stream else TIMEOUT_SECONDS)
        headers = {"content-type": "application/json"}
        try:
            # trust_env=False: a proxy setting must never carry loopback calls elsewhere.
            with httpx.Client(
                base_url=address,
                auth=auth,
                timeout=timeout,
                headers=headers,
                trust_env=False,
                verify=tls_context(),
            ) as client:
                yield client
        except httpx.TransportError as error:
            raise NotServing(f"{address} does not answer: {type(error).__name__}") from error

    def _address(self) -> str:
        try:
            return (self._home / "run" / "address").read_text().strip()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotServing(f"nothing serves {self._home}") from error

    def _people(self) -> list[str]:
        return sorted(file.stem for file in (self._home / "people").glob("*.key"))

    def _only_person(self) -> str:
        match self._people():
            case [name]:
                return name
            case []:
                raise NoSuchPerson(f"there is no person's key in {self._home}")
            case people:
                raise Usage("several people have a key here; say who acts with --as", people=people)


def _present(query: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (query or {}).items() if value is not None}


def _object(raw: bytes) -> dict[str, Any]:
    value = orjson.loads(raw)
    if not isinstance(value, dict):
        raise BadMessage("a line of the stream is not an object")
    return value
