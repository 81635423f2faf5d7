"""The commands of ``cuckoo stake`` around nodes: list them, register one, and what its owner may change."""

import asyncio
from typing import TYPE_CHECKING, Any

import click

from cuckoo.cli.chain import confirm, open_client, open_registration, show, transact
from cuckoo.cli.options import (
    Place,
    chain_options,
    examples,
    json_option,
    key_options,
    place_options,
    yes_option,
)
from cuckoo.cli.output import as_builtins, note, print_json, print_table, shortened
from cuckoo.cli.wallet import find_address, find_key
from cuckoo.domain.amounts import format_cai, parse_cai, parse_percent
from cuckoo.domain.errors import ConfigError, InvalidField
from cuckoo.domain.identifiers import NodeId, Role
from cuckoo.domain.node import Introduction, Node, minimum_own_stake, parse_introduction

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuckoo.protocol.portal import NodeRow
    from cuckoo.services.staking.registration import Consent, Registered, Registration

NODE = click.IntRange(1, 2**32 - 1)
FACTS = ("weight", "own", "votes", "commission", "yield", "slashes", "name", "id")
CLAIMS = ("tasks", "success", "speed", "audits")
ROLES = click.Choice(["miner", "coordinator"])


def introduction_options(command: "Callable[..., Any]") -> "Callable[..., Any]":
    """Add the fields of an introduction."""
    for option in (
        click.option("--link", "links", multiple=True, metavar="URL", help="A page about it; repeat it for more."),
        click.option("--location", default="", help="Where it stands."),
        click.option("--url", default="", help="Where it is reached; a coordinator needs one, miners find it there."),
        click.option("--text", default="", help="A sentence or two about it."),
        click.option("--name", required=True, help="What people call it."),
    ):
        command = option(command)
    return command


operator_option = click.option(
    "--operator",
    required=True,
    metavar="KEY",
    help="The key that will run the node (as --key): it consents by signature. Not the owner's: it lies on a server.",
)


@click.command(
    epilog=examples(
        "cuckoo stake register --role miner --operator rig --name Wren --key alice",
        "cuckoo stake register --role coordinator --operator server --name Nest --url https://nest.example --key bob",
    )
)
@click.option("--role", required=True, type=ROLES, help="What the node does.")
@operator_option
@introduction_options
@click.option("--amount", default="", help="Own stake in CAI, out of idle stake.  [default: the role's minimum]")
@click.option("--commission", default="10", show_default=True, help="Percent of the voters' rewards for the owner.")
@click.option("--max-commission", default="20", show_default=True, help="What the commission can never exceed.")
@key_options
@yes_option
@json_option
@chain_options
@place_options
def register(
    place: Place,
    role: str,
    operator: str,
    amount: str,
    commission: str,
    max_commission: str,
    *,
    yes: bool,
    as_json: bool,
    **words: Any,
) -> None:
    """Register a node with own stake: 20,000 CAI for a miner, 2,000,000 CAI for a coordinator.

    The introduction (name, text, URL, location, links) is published on the chain for everybody to read.
    """
    from cuckoo.services.staking.registration import NewNode

    kind = Role[role.upper()]
    if kind is Role.COORDINATOR and not words["url"]:
        raise ConfigError("register a coordinator: miners find it by its URL: name it with --url")
    new = NewNode(
        role=kind,
        introduction=Introduction(**words),
        amount=parse_cai(amount) if amount else minimum_own_stake(kind),
        commission_bps=parse_percent(commission, "--commission"),
        max_commission_bps=parse_percent(max_commission, "--max-commission"),
    )
    signer = _operator_of(place, operator)
    _advise(place, signer.address)
    confirm(
        f"Register a {role} with {format_cai(new.amount)} CAI? Its operator {signer.address} is bound to it for ever.",
        yes=yes,
    )

    async def run() -> "Registered":
        async with open_registration(place) as registration:
            return await registration.register(new, signer)

    registered = asyncio.run(run())
    show([registered.answer], as_json=as_json, node=registered.node_id, operator=registered.operator)
    if not as_json:
        note(f"  start it: cuckoo {role} --key {operator}")


@click.command(epilog=examples("cuckoo stake consent --role miner --operator rig --owner 0x71C7...976F"))
@click.option("--role", required=True, type=ROLES, help="What the node does.")
@operator_option
@click.option("--owner", required=True, metavar="WHO", help="Who registers the node: an address, or a key's name.")
@chain_options
@place_options
def consent(place: Place, role: str, operator: str, owner: str) -> None:
    """Let the operator key consent to run a node of OWNER, and print that as JSON.

    For an owner elsewhere: with a wallet in a browser, or on another machine. It holds for an hour.
    """
    signer, address = _operator_of(place, operator), find_address(place, owner)

    async def run() -> "Consent":
        from cuckoo.services.staking.registration import consent_of

        async with open_client(place) as client:
            return await consent_of(client, signer, address, Role[role.upper()])

    given = asyncio.run(run())
    print_json({"operator": given.operator, "deadline": given.deadline, "signature": given.signature.hex()})


def _operator_of(place: Place, reference: str) -> Any:
    from cuckoo.protocol.signing import Signer

    raw_allowed = place.read_network().is_devnet
    return Signer(find_key(place, reference, purpose="the operator", raw_allowed=raw_allowed))


def _advise(place: Place, operator: str) -> None:
    if place.key and find_address(place) == operator:
        note("note: operator and owner are the same key; who takes the server takes the stake. Better two keys.")


@click.command("nodes", epilog=examples("cuckoo stake nodes --sort yield", "cuckoo stake nodes --search seoul --json"))
@click.option("--role", type=ROLES, help="Only these.  [default: all]")
@click.option(
    "--sort", type=click.Choice([*FACTS, *CLAIMS]), default="weight", show_default=True, help="The largest first."
)
@click.option("--search", default="", metavar="WORDS", help="Only those whose words or addresses have all these.")
@click.option("--eligible", is_flag=True, help="Only those that carry weight.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="At most so many.")
@json_option
@chain_options
@place_options
def list_nodes(
    place: Place, role: str | None, sort: str, search: str, limit: int, *, eligible: bool, as_json: bool
) -> None:
    """List registered nodes. Names and texts are the nodes' own words, what miners did is what coordinators claim."""
    from cuckoo.cli.past import open_past

    async def read() -> "tuple[int, list[tuple[Node, NodeRow]]]":
        async with open_past(place, asking=True) as past:
            page = await past.shelf.page(
                role=role or "all",
                sort=sort,
                descending=True,
                search=search,
                eligible=eligible,
                offset=0,
                limit=limit,
            )
            return page.total, [(past.shelf.node(row.node_id), row) for row in page.nodes]

    total, found = asyncio.run(read())
    if as_json:
        print_json([_node_json(node, row) for node, row in found])
        return
    if not found:
        note("no node fits" if search or eligible or role else "no nodes are registered yet: cuckoo stake register")
        return
    rows = [
        (
            str(row.node_id),
            row.role,
            row.name,
            shortened(row.weight_cai),
            shortened(row.own_cai),
            shortened(row.votes_cai),
            f"{row.commission_percent} %",
            "-" if row.yield_percent is None else f"{float(row.yield_percent):.2f} %",
            "-" if row.claims is None else f"{row.claims.tasks_done:,}",
            "in jail" if row.jailed_until else "yes" if row.eligible else "no",
        )
        for _, row in found
    ]
    columns = ("node", "role", "name", "weight", "own stake", "votes", "commission", "yield", "tasks*", "eligible")
    print_table(columns, rows, right=("node", *columns[3:9]))
    note("  * as coordinators claim; the rest is on the chain" + (f"; {limit} of {total}" if total > limit else ""))


def _introduction(node: Node) -> Introduction:
    try:
        return parse_introduction(node.introduction)
    except InvalidField:
        return Introduction(name="")


def _node_json(node: Node, row: "NodeRow") -> dict[str, Any]:
    words = _introduction(node)
    return {
        "node": node.node_id,
        "role": node.role.name.lower(),
        "name": words.name,
        "text": words.text,
        "url": words.url,
        "location": words.location,
        "links": list(words.links),
        "owner": node.owner,
        "operator": node.operator,
        "weight": format_cai(node.weight_wei, grouped=False),
        "own": format_cai(node.own_active_wei, grouped=False),
        "votes": format_cai(node.votes_active_wei, grouped=False),
        "commission_percent": node.commission_bps / 100,
        "max_commission_percent": node.max_commission_bps / 100,
        "eligible": node.eligible,
        "jailed_until": node.jailed_until,
        "yield_percent": row.yield_percent,
        "fees_percent": row.fees_percent,
        "slashes": row.slashes,
        "claims": None if row.claims is None else as_builtins(row.claims),
    }


@click.command(epilog=examples("cuckoo stake introduce 3 --name Wren --text 'A laptop in Seoul' --key alice"))
@click.argument("node", type=NODE)
@introduction_options
@key_options
@json_option
@chain_options
@place_options
def introduce(place: Place, node: int, *, as_json: bool, **words: Any) -> None:
    """Publish a new introduction of NODE; it replaces the old one as a whole."""
    introduction = Introduction(**words)
    _owner_does(place, lambda registration: registration.introduce(NodeId(node), introduction), as_json=as_json)


@click.command("rotate-operator", epilog=examples("cuckoo stake rotate-operator 3 --operator rig2 --key alice"))
@click.argument("node", type=NODE)
@operator_option
@key_options
@yes_option
@json_option
@chain_options
@place_options
def rotate_operator(place: Place, node: int, operator: str, *, yes: bool, as_json: bool) -> None:
    """Give NODE a new operator key. The old one can never come back, nor run another node."""
    signer = _operator_of(place, operator)
    _advise(place, signer.address)
    confirm(f"Let {signer.address} run node {node}? The present operator key is retired for ever.", yes=yes)
    _owner_does(place, lambda registration: registration.rotate_operator(NodeId(node), signer), as_json=as_json)


@click.command(epilog=examples("cuckoo stake commission 3 7.5 --key alice"))
@click.argument("node", type=NODE)
@click.argument("percent")
@key_options
@json_option
@chain_options
@place_options
def commission(place: Place, node: int, percent: str, *, as_json: bool) -> None:
    """Set the commission of NODE to PERCENT: lower at once, higher after the notice that voters get."""
    bps = parse_percent(percent, "PERCENT")
    _owner_does(place, lambda registration: registration.set_commission(NodeId(node), bps), as_json=as_json)


@click.command(epilog=examples("cuckoo stake payee 3 bob --key alice"))
@click.argument("node", type=NODE)
@click.argument("who")
@key_options
@json_option
@chain_options
@place_options
def payee(place: Place, node: int, who: str, *, as_json: bool) -> None:
    """Send the income of NODE to WHO, an address or the name of a key."""
    address = find_address(place, who)
    _owner_does(place, lambda registration: registration.set_payee(NodeId(node), address), as_json=as_json)


@click.command(epilog=examples("cuckoo stake transfer 3 bob --key alice"))
@click.argument("node", type=NODE)
@click.argument("who")
@key_options
@yes_option
@json_option
@chain_options
@place_options
def transfer(place: Place, node: int, who: str, *, yes: bool, as_json: bool) -> None:
    """Offer NODE, with its own stake, to WHO (an address or the name of a key), who takes it with `accept`."""
    address = find_address(place, who)
    confirm(f"Offer node {node} with all its own stake to {address}?", yes=yes)
    _owner_does(place, lambda registration: registration.transfer_owner(NodeId(node), address), as_json=as_json)


@click.command(epilog=examples("cuckoo stake accept 3 --key bob"))
@click.argument("node", type=NODE)
@key_options
@json_option
@chain_options
@place_options
def accept(place: Place, node: int, *, as_json: bool) -> None:
    """Take over NODE, which its owner offered."""
    _owner_does(place, lambda registration: registration.accept_owner(NodeId(node)), as_json=as_json)


@click.command(epilog=examples("cuckoo stake unjail 3 --key alice"))
@click.argument("node", type=NODE)
@key_options
@json_option
@chain_options
@place_options
def unjail(place: Place, node: int, *, as_json: bool) -> None:
    """Bring NODE back after its time in jail. Its owner or operator may."""
    _owner_does(place, lambda registration: registration.unjail(NodeId(node)), as_json=as_json)


@click.command(epilog=examples("cuckoo stake poke 3 --key alice"))
@click.argument("node", type=NODE)
@key_options
@json_option
@chain_options
@place_options
def poke(place: Place, node: int, *, as_json: bool) -> None:
    """Have NODE settled and weighed anew. Anybody may."""
    _owner_does(place, lambda registration: registration.poke(NodeId(node)), as_json=as_json)


def _owner_does(place: Place, act: "Callable[[Registration], Any]", *, as_json: bool) -> None:
    show(transact(open_registration, place, act), as_json=as_json)


COMMANDS = (
    list_nodes,
    register,
    consent,
    introduce,
    commission,
    rotate_operator,
    payee,
    transfer,
    accept,
    unjail,
    poke,
)
