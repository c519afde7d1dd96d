"""The exchange's settings: ``headwaters.toml`` in the home, with ``HEADWATERS_*`` variables on top.

Each setting has a unit in its name or description; an unknown key in the file and an unknown
``HEADWATERS_*`` variable are both refused, so a misspelt setting is never silently ignored. Nothing else
reads the environment.
"""

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from audit.formats.names import valid_name
from audit.keys.suites import Suite
from contracts.errors import Invalid, NotFound
from nodes.addresses import BadAddress, checked_base, host_port
from policies.engine import EngineOptions

SETTINGS_FILE = "headwaters.toml"
PREFIX = "HEADWATERS_"
COMMAND_VARIABLES = frozenset({"HEADWATERS_HOME", "HEADWATERS_EXCHANGE_HOME"})  # read by the command line


class SettingsInvalid(Invalid):
    """The settings do not fit."""

    code = "settings-invalid"
    title_zh = "配置项有误"
    next_zh = "按 faults 改正 headwaters.toml 或 HEADWATERS_* 环境变量。"
    next_en = "Correct headwaters.toml or the HEADWATERS_* variables as the faults say."


class NoExchangeHome(NotFound):
    """This folder is not the home of an exchange."""

    code = "no-exchange-home"
    title_zh = "该目录不是交换中心主目录"
    next_zh = "先运行 headwaters exchange init,或用 --home 指定正确的目录。"
    next_en = "Run headwaters exchange init first, or name the right folder with --home."


class Settings(BaseSettings):
    """Everything that may differ between two exchanges."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    home: Annotated[Path, Field(description="the exchange's folder; not set in the file")]
    origin: Annotated[str, Field(description="the log's name: a URL without a scheme")]
    public_url: Annotated[str, Field(description="base URL that nodes use; https off loopback")]
    listen: Annotated[str, Field(description="host:port to listen on; port 0 takes a free one")] = (
        "127.0.0.1:8420"
    )
    database_url: Annotated[
        str, Field(description="sqlite:///PATH or postgresql://…; empty: exchange.db in the home")
    ] = ""
    trusted_proxies: Annotated[
        str,
        Field(description="reverse proxies whose X-Forwarded-For is believed; addresses, networks"),
    ] = ""
    policy_url: Annotated[str, Field(description="embedded: or the URL of an OPA server")] = "embedded:"
    policy_ca: Annotated[
        Path | None, Field(description="PEM authorities that the OPA server's certificate must come from")
    ] = None
    policy_certificate: Annotated[
        Path | None, Field(description="PEM chain shown to the OPA server; goes with policy_client_key")
    ] = None
    policy_client_key: Annotated[Path | None, Field(description="PEM key of policy_certificate")] = None
    policy_token_file: Annotated[
        Path | None, Field(description="file with the bearer token for the OPA server, read each time")
    ] = None
    policy_deadline_ms: Annotated[
        int, Field(ge=50, le=30_000, description="how long the OPA server may take to decide, milliseconds")
    ] = 1000
    quorum: Annotated[
        int, Field(ge=1, le=32, description="cosignatures that a published checkpoint needs")
    ] = 5
    witnesses: Annotated[int, Field(ge=1, le=31, description="witnesses the alliance will have at most")] = 7
    grant_ttl_seconds: Annotated[int, Field(ge=10, le=86400, description="life of a grant, seconds")] = 600
    tls_certificate: Annotated[Path | None, Field(description="PEM chain; needed off loopback")] = None
    tls_key: Annotated[Path | None, Field(description="PEM key; needed off loopback")] = None
    local_port: Annotated[
        int,
        Field(ge=0, le=65535, description="loopback port for people beside TLS; 0 takes a free one"),
    ] = 0
    commit_window_seconds: Annotated[
        float, Field(ge=0, le=1, description="how long the log waits for company before it commits, seconds")
    ] = 0.004
    cosign_interval_seconds: Annotated[
        float, Field(gt=0, le=60, description="least time between two rounds of cosigning, seconds")
    ] = 0.5
    freshness_seconds: Annotated[
        float, Field(gt=0, le=3600, description="an unchanged checkpoint is cosigned again after, seconds")
    ] = 60.0
    second_suites: Annotated[
        str, Field(description="suites that also sign what is published: mldsa44, sm2-sm3; comma-separated")
    ] = ""
    witness_grace_seconds: Annotated[
        int,
        Field(
            ge=60,
            le=7 * 86400,
            description="how long business goes on without a quorum of witnesses, seconds",
        ),
    ] = 4 * 3600
    retention_years: Annotated[
        int, Field(ge=3, le=100, description="how long evidence beside the log is kept at least, years")
    ] = 5
    witness_timeout_seconds: Annotated[
        float, Field(gt=0, le=60, description="how long one witness may take to answer, seconds")
    ] = 10.0
    relay_timeout_seconds: Annotated[
        float, Field(gt=0, le=300, description="how long a relayed request may take, seconds")
    ] = 50.0
    directory_ttl_seconds: Annotated[
        int, Field(ge=60, le=30 * 86400, description="life of an issued directory, seconds")
    ] = 86400
    count_grace_seconds: Annotated[
        int, Field(ge=1, le=30 * 86400, description="how long a node's count of a window may take, seconds")
    ] = 86400
    max_body_bytes: Annotated[int, Field(ge=1024, description="largest request body, bytes")] = 1024 * 1024
    max_answer_bytes: Annotated[
        int, Field(ge=1024, description="largest mailbox answer and relayed body, bytes")
    ] = 8 * 1024 * 1024

    @field_validator("public_url")
    @classmethod
    def _base(cls, url: str) -> str:
        base = checked_base(url)
        # Clients leave the scheme's own port out of what they sign.
        return base.removesuffix(":443" if base.startswith("https:") else ":80")

    @field_validator("origin")
    @classmethod
    def _name(cls, origin: str) -> str:
        if not valid_name(origin) or "://" in origin:
            raise SettingsInvalid("an origin has no scheme, space or +")
        return origin

    @field_validator("second_suites")
    @classmethod
    def _suites(cls, text: str) -> str:
        names = [name.strip() for name in text.split(",") if name.strip()]
        unknown = sorted(set(names) - set(Suite))
        if unknown or len(set(names)) != len(names):
            raise SettingsInvalid(f"second_suites names each of {', '.join(Suite)} at most once")
        return ",".join(names)

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies(cls, text: str) -> str:
        return ",".join(str(network) for network in _networks(text))

    @field_validator("listen")
    @classmethod
    def _listen(cls, listen: str) -> str:
        _split(listen)
        return listen

    @model_validator(mode="after")
    def _together(self) -> "Settings":
        if self.quorum > self.witnesses:
            raise SettingsInvalid("the quorum is larger than the number of witnesses")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise SettingsInvalid("tls_certificate and tls_key go together")
        if (self.policy_certificate is None) != (self.policy_client_key is None):
            raise SettingsInvalid("policy_certificate and policy_client_key go together")
        return self

    @property
    def engine_options(self) -> EngineOptions:
        """Give what the ``policy_`` settings say of reaching an OPA server."""
        return EngineOptions(
            ca=self.policy_ca,
            certificate=self.policy_certificate,
            client_key=self.policy_client_key,
            token_file=self.policy_token_file,
            deadline_seconds=self.policy_deadline_ms / 1000,
        )

    @property
    def proxies(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """Give the networks of ``trusted_proxies``."""
        return _networks(self.trusted_proxies)

    @property
    def listen_host(self) -> str:
        """Give the host part of ``listen``, without brackets."""
        return _split(self.listen)[0]

    @property
    def listen_port(self) -> int:
        """Give the port part of ``listen``."""
        return _split(self.listen)[1]

    @property
    def suites(self) -> tuple[Suite, ...]:
        """Give the suites of the second lines."""
        return tuple(Suite(name) for name in self.second_suites.split(",") if name)

    @property
    def database(self) -> str:
        """Give the database URL in force."""
        return self.database_url or f"sqlite:///{self.home / 'exchange.db'}"

    @property
    def log_key_path(self) -> Path:
        """Give the file of the key that signs checkpoints."""
        return self.home / "keys" / "log.key"

    def shard_key_path(self, number: int) -> Path:
        """Give the file of the key that signs the checkpoints of a shard."""
        return self.log_key_path if number == 1 else self.home / "keys" / f"log-{number}.key"

    @property
    def statement_key_path(self) -> Path:
        """Give the file of the key that signs grants, directories and events."""
        return self.home / "keys" / "statement.key"

    @property
    def policy_key_path(self) -> Path:
        """Give the file of the key that signs the bundle which an OPA server fetches."""
        return self.home / "keys" / "policy.key"

    @property
    def address_path(self) -> Path:
        """Give the file that says where the running process listens."""
        return self.home / "run" / "address"

    @property
    def own_address(self) -> str:
        """Give the base URL under which people on this machine reach the running process."""
        return f"http://127.0.0.1:{self.local_port}" if self.tls_certificate else f"http://{self.listen}"

    @property
    def bases(self) -> tuple[str, ...]:
        """Give the base URLs under which signed requests are accepted: the public one, and loopback."""
        port = self.local_port if self.tls_certificate else self.listen_port
        return (self.public_url, *(f"http://{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]")))

    # The signature is that of pydantic-settings.
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what was passed, then the environment; ``load_settings`` adds the file."""
        return (init_settings, env_settings)


def load_settings(home: Path, **overrides: Any) -> Settings:
    """Read a home's settings; ``overrides`` win. Raises NoExchangeHome or SettingsInvalid."""
    path = home / SETTINGS_FILE
    if not path.is_file():
        raise NoExchangeHome(f"there is no {SETTINGS_FILE} in {home}")
    _refuse_unknown(os.environ)
    loader = _from_file(path)
    try:
        # Any: the values are validated here, whatever they are.
        return loader(home=home.resolve(), **overrides)
    except ValidationError as error:
        faults = [
            "/".join(map(str, fault["loc"])) + ": " + fault["msg"]
            for fault in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsInvalid(faults[0], faults=faults) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(f"{SETTINGS_FILE}: {error}") from error


def format_settings(settings: Mapping[str, str | int]) -> str:
    """Write the settings that were chosen as TOML."""
    lines = [f"{key} = {_toml(value)}" for key, value in settings.items()]
    return "# 源汇交换中心配置 / settings of this exchange\n" + "\n".join(lines) + "\n"


def _from_file(path: Path) -> type[Settings]:
    class FileSettings(Settings):
        model_config = SettingsConfigDict(toml_file=path)

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))

    return FileSettings


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields if name != "home"} | COMMAND_VARIABLES
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise SettingsInvalid("there is no such setting in the environment", faults=unknown)


def _split(listen: str) -> tuple[str, int]:
    try:
        return host_port(listen)
    except BadAddress as error:
        raise SettingsInvalid("listen is host:port") from error


def _networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise SettingsInvalid("trusted_proxies names IP addresses and networks, with commas") from error


def _toml(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
