"""The exchange's people at work on its policy: small bundles, signed statements, and the flows they use."""

from dataclasses import dataclass
from typing import Any

from audit.commitment import new_salt
from audit.keys.signing import SigningKey, load_key
from contracts.messages import PolicyApproval, PolicyProposal
from exchange.identity import Person
from exchange.members.model import PersonRecord
from exchange.members.store import save_person
from exchange.policies import flow
from exchange.policies.flow import Files
from nodes.signed import sign_statement
from policies.bundle import Bundle, shipped_bundle
from tests.exchange.trading import Alliance

_RULES = """package headwaters.main

import rego.v1

# {mark}
default answer := {{
	"allow": false,
	"denials": [{{"code": "action-unknown", "args": {{}}}}],
	"grounds": [],
	"obligations": [],
	"valid_until_ms": 0,
}}

"""
_PERMITS = """answer := {
	"allow": true,
	"denials": [],
	"grounds": [{"code": "may-apply", "args": {}}],
	"obligations": [{"kind": "purpose-binding", "purpose": input.purpose, "onward_sharing": false}],
	"valid_until_ms": input.now_ms + 5000,
} if {
	input.action == "apply"
}

answer := {
	"allow": true,
	"denials": [],
	"grounds": [{"code": "agreement-in-force", "args": {"agreement": input.agreement.agreement}}],
	"obligations": [{"kind": "purpose-binding", "purpose": input.purpose, "onward_sharing": false}],
	"valid_until_ms": input.now_ms + 5000,
} if {
	input.action == "transfer"
}
"""


def closed(mark: str = "closed") -> Bundle:
    """Give a policy that refuses everything."""
    return _bundle(_RULES.format(mark=mark))


def wide(mark: str = "wide") -> Bundle:
    """Give a policy that permits everything."""
    return _bundle(_RULES.format(mark=mark) + _PERMITS)


def alike(mark: str = "alike") -> Bundle:
    """Give a policy that decides as the shipped one does, under another digest."""
    sources = dict(shipped_bundle().sources)
    path = min(sources)
    return Bundle({**sources, path: sources[path] + f"\n# {mark}\n".encode()})


def _bundle(text: str) -> Bundle:
    return Bundle({"headwaters/main.rego": text.encode()})


def files_of(bundle: Bundle, **tests: str) -> Files:
    """Write a bundle as it is handed in; ``tests`` are by file name without its ending."""
    sources = {path: raw.decode() for path, raw in bundle.sources.items()}
    return Files(sources, {f"{name}.rego": text for name, text in tests.items()})


@dataclass
class Office:
    """People who change the policy of one alliance's exchange."""

    alliance: Alliance

    def key(self, name: str) -> SigningKey:
        """Read a founder's key."""
        return load_key(self.alliance.parts.settings.home / "people" / f"{name}.key")

    def person(self, name: str) -> Person:
        """Give a person as an authenticated request of theirs says."""
        found = self.alliance.parts.roll.person(name)
        return Person(found.name, found.roles, found.salt)

    def put(self, record: PersonRecord) -> None:
        """Have a person on the roll."""
        parts = self.alliance.parts
        parts.log.commit_blocking(lambda unit: save_person(unit.session, record))
        parts.roll.load()

    def proposal(self, bundle: str, who: str = "administrator", /, **changes: Any) -> str:
        """Sign a proposal; ``changes`` replace fields, ``key`` signs in the place of the person's own."""
        key = changes.pop("key", None) or self.key(who)
        fields = {**self._head(who), "bundle": bundle, "why": "because", **changes}
        return sign_statement(PolicyProposal.model_validate(fields), key).text

    def approval(self, bundle: str, who: str = "operator", /, **changes: Any) -> str:
        """Sign an approval of what is proposed; ``changes`` as above."""
        key = changes.pop("key", None) or self.key(who)
        waiting = {one["policy"]: one["proposal"] for one in self.standing()["open"]}
        proposal = waiting.get(bundle, "sha256:" + "0" * 64)
        fields = {**self._head(who), "bundle": bundle, "proposal": proposal, **changes}
        return sign_statement(PolicyApproval.model_validate(fields), key).text

    def propose(self, bundle: Bundle, who: str = "administrator", **changes: Any) -> dict[str, Any]:
        """Propose a bundle with its files, or with ``files=None`` without."""
        files = changes.pop("files", files_of(bundle))
        envelope = changes.pop("envelope", None) or self.proposal(bundle.digest, who, **changes)
        return self.alliance.run(flow.propose(self.alliance.parts, self.person(who), envelope, files))

    def approve(self, bundle: Bundle, who: str = "operator", **changes: Any) -> dict[str, Any]:
        """Approve a bundle."""
        envelope = changes.pop("envelope", None) or self.approval(bundle.digest, who, **changes)
        return self.alliance.run(flow.approve(self.alliance.parts, self.person(who), bundle.digest, envelope))

    def change(self, bundle: Bundle, *, widens: bool = False) -> dict[str, Any]:
        """Have two people put a bundle in force."""
        self.propose(bundle, widens=widens)
        return self.approve(bundle, widens=widens)

    def reject(self, bundle: Bundle, who: str = "operator") -> dict[str, Any]:
        """Close a proposal without effect."""
        return self.alliance.run(flow.reject(self.alliance.parts, self.person(who), bundle.digest))

    def shadow(self, digest: str | None, who: str = "operator") -> dict[str, Any]:
        """Ask a bundle beside the one in force, or none."""
        return self.alliance.run(flow.set_shadow(self.alliance.parts, self.person(who), digest))

    def standing(self) -> dict[str, Any]:
        """Say how things stand."""
        return flow.standing(self.alliance.parts)

    def _head(self, who: str) -> dict[str, Any]:
        parts = self.alliance.parts
        return {
            "origin": parts.settings.origin,
            "previous": parts.policy.digest,
            "widens": False,
            "person": who,
            "salt": new_salt().hex(),
            "at": self.alliance.clock.now(),
        }
