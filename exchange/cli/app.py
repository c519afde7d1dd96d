"""The tree of commands, put together from the groups."""

from importlib.metadata import version
from typing import Annotated

import typer

from exchange.cli import (
    audit,
    completeness,
    demo,
    doctor,
    emergency,
    exchange,
    keeping,
    keys,
    node,
    objection,
    people,
    quality,
    quarantine,
    retention,
    sharing,
    source,
    station,
    trust,
)
from exchange.cli.contract import (  # noqa: F401  # to add commands
    approving,
    checking,
    comparing,
    deprecating,
    drafting,
    exporting,
    looking_up,
    shelf,
)
from exchange.cli.contract.app import app as contract_app
from exchange.cli.output import out
from exchange.cli.policy import bundling, changing, reviewing, trying  # noqa: F401  # to add commands
from exchange.cli.policy.app import app as policy_app

app = typer.Typer(
    name="headwaters",
    help="源汇:跨省共享环境数据,人人可验证 / provinces share environmental data, anyone can check",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
exchange.app.command()(retention.erase)
exchange.app.command("objections")(objection.overview)
exchange.app.add_typer(people.app, name="person", help="交换中心人员 / the exchange's people")
app.add_typer(exchange.app, name="exchange", help="交换中心运维 / the exchange's operator")
app.add_typer(node.app, name="node", help="省级节点 / a province's node")
app.add_typer(contract_app, name="contract", help="数据契约 / schema contracts")
app.add_typer(sharing.dataset_app, name="dataset", help="数据集登记 / declare a dataset")
app.add_typer(sharing.catalog_app, name="catalog", help="目录检索 / find data")
app.add_typer(sharing.agreement_app, name="agreement", help="共享协议 / agreements")
app.add_typer(quality.app, name="quality", help="数据质量 / quality findings")
app.add_typer(station.app, name="station", help="HJ 212 站点 / online monitoring stations")
app.add_typer(quarantine.app, name="quarantine", help="隔离区 / rejected rows")
app.add_typer(keeping.received_app, name="received", help="已接收的数据 / what was received, until when")
app.add_typer(source.app, name="source", help="数据来源 / what datasets are fed from")
app.add_typer(trust.app, name="trust", help="各省共签的信任根 / the trust root that the provinces sign")
app.add_typer(policy_app, name="policy", help="访问策略 / access policies")
app.add_typer(objection.app, name="objection", help="数据异议与更正 / objections to data (校核)")
app.add_typer(emergency.app, name="emergency", help="紧急状态 / declared emergencies")
app.add_typer(audit.app, name="audit", help="审计日志 / the audit trail")
app.add_typer(audit.events_app, name="events", help="安全事件 / security events")
node.app.command("rotate-key")(keys.rotate_node_key)
node.app.command("revoke-key")(keys.revoke_node_key)
exchange.app.command("rotate-key")(keys.rotate_exchange_key)
exchange.app.command("revoke-key")(keys.revoke_member_key)
app.command("demo")(demo.demo)
app.command("publish")(sharing.publish)
app.command("apply")(sharing.apply)
app.command("subscribe")(sharing.subscribe)
app.command("pull")(sharing.pull)
app.command("trace")(keeping.trace)
app.command("abort")(completeness.abort)
app.command("verify")(audit.verify)
app.command("doctor")(doctor.doctor)


@app.callback(invoke_without_command=True)
def root(
    show_version: Annotated[bool, typer.Option("--version", help="版本 / version")] = False,
) -> None:
    """Show the version when that is all that is asked."""
    if show_version:
        out.print(f"headwaters {version('headwaters-exchange')}")
        raise typer.Exit
