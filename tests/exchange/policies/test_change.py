"""A change of policy: two people, two keys, two signatures over one digest, and the log before the swap."""

import json
from dataclasses import replace
from typing import Any

import pytest

from audit.commitment import commit, new_salt
from audit.keys.signing import SigningKey
from audit.log.entry import EntryKind
from contracts.errors import HeadwatersError, Refused
from contracts.messages import PolicyApproval, Role
from exchange.identity import WrongRole
from exchange.incidents import flow as incidents
from exchange.members import on_record
from exchange.members.model import PersonRecord
from exchange.members.on_record import PeopleTampered
from exchange.members.people import confirm_person, propose_person
from exchange.policies import model
from exchange.policies.model import (
    PolicyMovedOn,
    PolicyNotProposed,
    PolicyProposedAlready,
    PolicyUnknown,
    PolicyWidens,
    SecondPersonNeeded,
    StatementNotYours,
)
from nodes.signed import peek_statement
from policies.bundle import BundleTampered, shipped_bundle
from tests.exchange.policies.office import Office, alike, closed, files_of, wide
from tests.exchange.trading import DATASET, Trade

OTHER = "sha256:" + "7" * 64


def test_two_people_put_a_policy_in_force(office: Office) -> None:
    """A proposal alone changes nothing; with the second signature the next question meets the new policy."""
    before = office.alliance.parts.policy.digest
    proposed = office.propose(closed())
    waiting = office.alliance.parts.policy.digest
    approved = office.approve(closed())

    assert (before, waiting) == (shipped_bundle().digest, shipped_bundle().digest)
    assert [one["policy"] for one in proposed["open"]] == [closed().digest]
    assert (approved["policy"], approved["open"]) == (closed().digest, [])
    assert office.alliance.parts.policy.digest == closed().digest
    assert [one["state"] for one in approved["changes"]] == ["active", "active"]


def test_the_log_names_policy_people_and_what_they_signed(office: Office) -> None:
    """``policy.activate`` has the digest, both people concealed, and the digest of the approval."""
    office.propose(closed())
    envelope = office.approval(closed().digest)
    office.approve(closed(), envelope=envelope)

    entry = office.alliance.entries(EntryKind.POLICY_ACTIVATE)[-1]
    proposer, approver = (office.person(name) for name in ("administrator", "operator"))
    assert dict(entry.fields) == {
        "pol": closed().digest,
        "act": commit(proposer.salt, b"administrator"),
        "by": commit(approver.salt, b"operator"),
        "dig": peek_statement(envelope, PolicyApproval).digest,
    }
    (act,) = office.alliance.entries(EntryKind.ADMIN_ACT)
    assert (act.fields["what"], act.fields["role"]) == ("policy.propose", "administrator")


def test_the_alliance_hears_of_it(office: Office) -> None:
    """Each change is one event of the class ``policy.activated``."""
    office.change(closed())

    assert len(incidents.events(office.alliance.parts, 0).events) == 1
    (event,) = office.alliance.entries(EntryKind.SECURITY_EVENT)
    assert event.fields["cls"] == model.ACTIVATED


def test_nobody_approves_their_own_proposal(office: Office) -> None:
    """The proposer's own approval is refused, whatever roles they have."""
    office.put(PersonRecord("zhang", frozenset(Role), SigningKey.generate().public.text, new_salt()))
    office.propose(closed())

    with pytest.raises(SecondPersonNeeded):
        office.approve(closed(), "administrator")
    assert office.alliance.parts.policy.digest == shipped_bundle().digest


def test_two_names_of_one_key_are_one_person(office: Office) -> None:
    """A second name is no second person while the key is the same."""
    with pytest.raises(SecondPersonNeeded):
        model.check_keys("ed25519:a", "ed25519:a")
    with pytest.raises(SecondPersonNeeded):
        model.check_keys(None, "ed25519:a")
    model.check_keys("ed25519:a", "ed25519:b")


def test_a_proposer_whose_key_was_replaced_proposes_anew(office: Office) -> None:
    """A proposal counts under the proposer's present key only."""
    office.propose(closed())
    person = office.alliance.parts.roll.person("administrator")
    office.put(replace(person, key=SigningKey.generate().public.text))

    with pytest.raises(HeadwatersError) as refusal:
        office.approve(closed())
    assert refusal.value.code == "signature-invalid"
    assert office.alliance.parts.policy.digest == shipped_bundle().digest


def test_people_written_into_the_database_approve_nothing(office: Office) -> None:
    """The log vouches for the founders and for whom two people confirmed; a row makes nobody."""
    made = SigningKey.generate()
    office.put(PersonRecord("zhang", frozenset(Role), made.public.text, new_salt()))
    office.propose(closed())

    with pytest.raises(PeopleTampered):
        office.approve(closed(), "zhang", key=made)
    with pytest.raises(PeopleTampered):
        office.approve(closed())
    assert office.alliance.parts.policy.digest == shipped_bundle().digest


def test_a_founder_whose_key_was_swapped_in_the_database_approves_nothing(office: Office) -> None:
    """Another key under a founder's name is another person, whom the log does not know."""
    office.propose(closed())
    made = SigningKey.generate()
    office.put(replace(office.alliance.parts.roll.person("operator"), key=made.public.text))

    with pytest.raises(PeopleTampered):
        office.approve(closed(), key=made)


def test_whom_two_people_confirmed_approves(office: Office) -> None:
    """A person beyond the founders is a second person like any other."""
    parts, made = office.alliance.parts, SigningKey.generate()
    roles = frozenset({Role.OPERATOR})
    run = office.alliance.run
    run(propose_person(parts, office.person("administrator"), "zhang", roles, made.public.text))
    run(confirm_person(parts, office.person("operator"), "zhang"))
    office.propose(closed())

    assert office.approve(closed(), "zhang", key=made)["policy"] == closed().digest


def test_a_home_without_a_record_of_its_founders_goes_on(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an older founding did not write down cannot be missed."""
    monkeypatch.setattr(on_record, "founding_digest", lambda _session: None)

    assert office.change(closed())["policy"] == closed().digest


@pytest.mark.parametrize("who", ["operator", "auditor"])
def test_only_an_administrator_proposes(office: Office, who: str) -> None:
    """A proposal by another role is refused."""
    with pytest.raises(WrongRole):
        office.propose(closed(), who)


def test_an_auditor_approves_nothing(office: Office) -> None:
    """Auditors read; the second person is an administrator or an operator."""
    office.propose(closed())

    with pytest.raises(WrongRole):
        office.approve(closed(), "auditor")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"origin": "another.example/log"}, StatementNotYours),
        ({"person": "auditor"}, StatementNotYours),
        ({"previous": OTHER}, PolicyMovedOn),
        ({"proposal": OTHER}, PolicyMovedOn),
        ({"bundle": OTHER}, PolicyMovedOn),
    ],
)
def test_an_approval_is_of_this_change_alone(
    office: Office, changes: dict[str, Any], error: type[HeadwatersError]
) -> None:
    """An approval that names another exchange, person, policy or proposal counts for nothing."""
    office.propose(closed())
    envelope = office.approval(closed().digest, **changes)

    with pytest.raises(error):
        office.approve(closed(), envelope=envelope)
    assert office.alliance.parts.policy.digest == shipped_bundle().digest


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"origin": "another.example/log"}, StatementNotYours),
        ({"person": "auditor"}, StatementNotYours),
        ({"previous": OTHER}, PolicyMovedOn),
    ],
)
def test_a_proposal_is_of_this_exchange_and_now(
    office: Office, changes: dict[str, Any], error: type[HeadwatersError]
) -> None:
    """A proposal that names another exchange, person or policy in force is refused."""
    with pytest.raises(error):
        office.propose(closed(), **changes)
    assert office.standing()["open"] == []


def test_a_strange_signature_is_none(office: Office) -> None:
    """A statement in a person's name under another key is refused, at both steps."""
    with pytest.raises(HeadwatersError) as first:
        office.propose(closed(), key=SigningKey.generate())
    office.propose(closed())
    with pytest.raises(HeadwatersError) as second:
        office.approve(closed(), key=SigningKey.generate())

    assert (first.value.code, second.value.code) == ("signature-invalid", "signature-invalid")


def test_files_of_another_digest_are_refused(office: Office) -> None:
    """What is proposed is what was signed: files with another digest never come in."""
    with pytest.raises(BundleTampered):
        office.propose(closed(), files=files_of(wide()))
    with pytest.raises(PolicyUnknown):
        office.shadow(closed().digest)


def test_the_policy_in_force_is_not_proposed(office: Office) -> None:
    """There is nothing to change to the policy that decides already."""
    with pytest.raises(PolicyProposedAlready):
        office.propose(shipped_bundle())


def test_a_bundle_waits_once_and_few_wait(office: Office) -> None:
    """The same bundle is proposed once at a time, and at most five wait."""
    for number in range(model.MAX_OPEN):
        office.propose(closed(f"number {number}"))

    with pytest.raises(PolicyProposedAlready):
        office.propose(closed("one more"))
    office.reject(closed("number 0"))
    with pytest.raises(PolicyProposedAlready):
        office.propose(closed("number 1"))
    assert len(office.propose(closed("one more"))["open"]) == model.MAX_OPEN


def test_a_proposal_counts_once(office: Office) -> None:
    """The very same signed proposal cannot be handed in again after it was rejected."""
    envelope = office.proposal(closed().digest)
    office.propose(closed(), envelope=envelope)
    office.reject(closed())

    with pytest.raises(PolicyMovedOn):
        office.propose(closed(), envelope=envelope)


def test_a_rejected_proposal_is_over(office: Office) -> None:
    """A rejection is on record, and nothing can be approved after it."""
    office.propose(closed())
    envelope = office.approval(closed().digest)
    rejected = office.reject(closed())

    with pytest.raises(PolicyNotProposed):
        office.approve(closed(), envelope=envelope)
    assert rejected["changes"][0]["state"] == "rejected"
    assert office.alliance.entries(EntryKind.ADMIN_ACT)[-1].fields["what"] == "policy.reject"
    assert office.alliance.entries(EntryKind.ADMIN_ACT)[-1].fields["role"] == "operator"


def test_a_change_closes_what_was_proposed_against_the_policy_before(office: Office) -> None:
    """Whatever waited was signed against a policy that is over, so it must be proposed anew."""
    office.propose(closed("one"))
    office.propose(closed("two"))
    late = office.approval(closed("two").digest)
    office.approve(closed("one"))

    with pytest.raises(PolicyNotProposed):
        office.approve(closed("two"), envelope=late)
    assert {one["state"] for one in office.standing()["changes"]} == {"active", "superseded"}


# --- widening ---------------------------------------------------------------------------------------


@pytest.fixture
def denied(trade: Trade) -> Trade:
    """Give an alliance in which a transfer was granted and an application was refused."""
    trade.alliance.request(trade.consumer, trade.subscription)
    with pytest.raises(Refused):
        trade.alliance.apply(trade.consumer, purpose="never-offered")
    return trade


@pytest.mark.parametrize(("proposer", "approver"), [(False, False), (True, False), (False, True)])
def test_a_widening_needs_both_to_mean_it(
    denied: Trade, office: Office, *, proposer: bool, approver: bool
) -> None:
    """A refusal of the past that would be a permit blocks, unless both statements say that it is meant."""
    office.propose(wide(), widens=proposer)

    with pytest.raises(PolicyWidens) as refusal:
        office.approve(wide(), widens=approver)
    assert "1 refusals would be permits" in refusal.value.detail
    assert office.alliance.parts.policy.digest == shipped_bundle().digest
    assert len(office.alliance.entries(EntryKind.POLICY_ACTIVATE)) == 1


def test_a_meant_widening_goes_through(denied: Trade, office: Office) -> None:
    """With both signatures saying so the wider policy decides, and its replay is kept beside the change."""
    standing = office.change(wide(), widens=True)
    view = denied.alliance.apply(denied.consumer, purpose="never-offered")

    assert view.application
    replayed = standing["changes"][0]["replayed"]
    assert (standing["changes"][0]["widens"], replayed["permitted"]) == (True, 1)
    assert json.dumps(replayed["samples"]).count(DATASET) >= 1


def test_a_narrower_policy_needs_no_such_word(denied: Trade, office: Office) -> None:
    """Permits that become refusals are counted and block nothing."""
    standing = office.change(closed())

    replayed = standing["changes"][0]["replayed"]
    assert (replayed["refused"], replayed["permitted"], replayed["widens"]) == (2, 0, False)
    with pytest.raises(Refused):
        denied.alliance.request(denied.consumer, denied.subscription, 2)


def test_the_same_rules_under_another_digest_change_nothing(denied: Trade, office: Office) -> None:
    """A replay over alike policies finds no difference."""
    standing = office.change(alike())

    replayed = standing["changes"][0]["replayed"]
    assert (replayed["asked"], replayed["same"], replayed["unreadable"]) == (3, 3, 0)


# --- going back -------------------------------------------------------------------------------------


def test_going_back_takes_two_people_and_no_files(office: Office) -> None:
    """One of the last ten is proposed by its digest alone, and approved like any other."""
    office.change(closed())
    office.propose(shipped_bundle(), files=None)
    waiting = office.alliance.parts.policy.digest
    back = office.approve(shipped_bundle())

    assert waiting == closed().digest
    assert (back["policy"], back["rollback"]) == (shipped_bundle().digest, [closed().digest])


def test_what_was_never_in_force_is_no_rollback(office: Office) -> None:
    """A bundle that was proposed and rejected comes back with its files or not at all."""
    office.propose(closed())
    office.reject(closed())

    with pytest.raises(PolicyUnknown):
        office.propose(closed(), files=None)


def test_the_last_ten_can_come_back(office: Office) -> None:
    """Of eleven former policies the oldest is not on the list of those that come back without files."""
    former = [f"sha256:{number:064x}" for number in range(11)]

    assert model.may_follow(former[9], former) is True
    assert model.may_follow(former[10], former) is False
