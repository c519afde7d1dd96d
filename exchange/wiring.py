"""How the rooms hang together: their routers, their background tasks, and what they bring to each other.

This is the one module that knows every room.
"""

from collections.abc import Mapping

from fastapi import APIRouter

from exchange import health, page
from exchange.agreements import flow as agreements_flow
from exchange.agreements import routes as agreements
from exchange.authzen import routes as authzen
from exchange.background import Task, every
from exchange.catalog import routes as catalog
from exchange.completeness import routes as completeness
from exchange.completeness.counting import miss_counts
from exchange.completeness.cutting import cut_when_day_is_over
from exchange.completeness.heads import heads_bytes
from exchange.corrections import flow as corrections_flow
from exchange.corrections import routes as corrections
from exchange.corrections.telling import Telling
from exchange.emergencies import flow as emergencies_flow
from exchange.emergencies import routes as emergencies
from exchange.incidents import routes as incidents
from exchange.incidents.denials import roll_up_denials
from exchange.incidents.flow import record_alarm
from exchange.log import routes as log
from exchange.log.cosigning import Cosigning
from exchange.log.startup import Opening
from exchange.log.succession import keep_shards
from exchange.log.twin import anchor_twin
from exchange.mailbox import routes as mailbox
from exchange.members import flow as members_flow
from exchange.members import key_routes as keys
from exchange.members import people_routes as people
from exchange.members import routes as members
from exchange.parts import Hooks, Parts
from exchange.policies import review_routes
from exchange.policies import routes as policies
from exchange.retention import routes as retention
from exchange.subscriptions import routes as subscriptions
from exchange.tally import tally
from exchange.transfers import routes as transfers
from exchange.transfers.expiry import expire_grants
from exchange.transfers.store import open_grant_between
from exchange.trust import routes as trust
from exchange.versions import routes as versions

ROUTERS: tuple[APIRouter, ...] = (
    members.router,
    keys.router,
    people.router,
    policies.router,
    mailbox.router,
    log.router,
    versions.router,
    catalog.router,
    agreements.router,
    subscriptions.router,
    transfers.router,
    trust.router,
    completeness.router,
    incidents.router,
    emergencies.router,
    corrections.router,
    authzen.router,
    review_routes.router,
    retention.router,
    health.router,
    page.router,
)


def background(parts: Parts) -> Mapping[str, Task]:
    """Name the tasks that run beside the requests."""
    return {
        "opening": every(1.0, "opening", Opening(parts).run),
        "cosigning": every(1.0, "cosigning", Cosigning(parts).run),
        "twin": every(60.0, "twin", lambda: anchor_twin(parts)),
        "shards": every(1.0, "shards", lambda: keep_shards(parts)),
        "directory": every(60.0, "directory", lambda: members_flow.reissue_directory(parts)),
        "agreements": every(2.0, "agreements", lambda: agreements_flow.resume_waiting(parts)),
        "expiry": every(5.0, "expiry", lambda: expire_grants(parts)),
        "heads": every(1.0, "heads", lambda: cut_when_day_is_over(parts)),
        "counts": every(60.0, "counts", lambda: miss_counts(parts)),
        "policy": every(1.0, "policy", parts.policy.look_for_server),
        "emergencies": every(5.0, "emergencies", lambda: emergencies_flow.keep_time(parts)),
        "objections": every(30.0, "objections", lambda: corrections_flow.keep_time(parts)),
        "corrections": every(1.0, "corrections", Telling(parts).run),
        "denials": every(10.0, "denials", lambda: roll_up_denials(parts)),
    }


HOOKS = Hooks(record_alarm=record_alarm, relay_gate=open_grant_between, tally=tally, heads=heads_bytes)
