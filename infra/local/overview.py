"""What runs, as far as one can see from outside: asked of the supervisor, or looked up where there is none."""

from collections.abc import Collection
from typing import Any

from infra.local.bounded import side_by_side
from infra.local.control import Control, NotRunning
from infra.local.kept import Kind, State, row
from infra.local.orphans import orphans
from infra.local.services import Service, externals, services
from infra.local.site import Site

LOOK_WITHIN_S = 5.0
UNSUPERVISED = "runs on though its supervisor was killed"


def overview(site: Site) -> list[dict[str, Any]]:
    """Every service that runs or is used, one row each; without a supervisor only what is external or orphaned."""
    try:
        return Control(site).status()
    except NotRunning:
        return [*externals_now(site), *_orphaned(site)]


def externals_now(site: Site, names: Collection[str] = ()) -> list[dict[str, Any]]:
    """The servers of the person's own, or those named of them, looked at now and side by side."""
    servers = {name: each for name, each in externals(site).items() if not names or name in names}
    seen = dict(side_by_side({name: server.seen for name, server in servers.items()}, LOOK_WITHIN_S))
    rows = []
    for name, server in servers.items():
        answer = seen[name]
        if isinstance(answer, Exception):  # a name server that is silent, mostly
            note = f"{server.where} did not answer: {answer or type(answer).__name__}"
            answer = server.row(
                State.UNREACHABLE, note=note, fix=f"Correct {server.variable}, or the network."
            )
        rows.append(answer)
    return rows


def _orphaned(site: Site) -> list[dict[str, Any]]:
    table = services(site)
    rows = []
    for name, process in orphans(site).items():
        service = table.get(name)
        kind = service.kind if isinstance(service, Service) else Kind.PROCESS
        note, fix = UNSUPERVISED, "Run `./slipway up`: it ends and replaces it."
        rows.append(row(name, kind, State.ORPHANED, pid=process.pid, failed=True, note=note, fix=fix))
    return rows
