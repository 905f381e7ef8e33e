"""The table of what runs on one machine: how each service starts, when it is ready, what it waits for."""

import signal
import sys
import urllib.error
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from data.errors import UsageError
from data.migrations import upgrade
from data.settings import ROOT
from infra.local import reach
from infra.local.dagster import create_database, write_home
from infra.local.external import ExternalServer
from infra.local.kept import Kind
from infra.local.postgres import Cluster
from infra.local.schema import newest
from infra.local.site import Site
from infra.local.valkey import Valkey


def nothing() -> None:
    """Where a service needs no step of its own."""


def at_once() -> bool:
    """Ready as soon as the process runs."""
    return True


@dataclass(frozen=True)
class Service:
    """One process that the supervisor keeps running."""

    name: str
    command: Callable[[Sequence[str]], list[str]]  # from the arguments given to `start`
    after: tuple[str, ...] = ()
    by_default: bool = True  # started by a plain `slipway up`
    listens: bool = True  # Site.port knows where
    prepare: Callable[[], None] = nothing  # before each start
    is_ready: Callable[[], bool] = at_once
    once_ready: Callable[[], None] = nothing  # after each start, before those that wait for it
    clean_up: Callable[[], None] = (
        nothing  # after each death: what the end of its process group leaves behind
    )
    publishes: str = ""  # the name of its entry in services.json
    address: Callable[[], str] = str
    environment: Callable[[], dict[str, str]] = dict
    stop_signal: signal.Signals = signal.SIGTERM
    ends_by_itself: bool = False  # a trading session is over some time; nothing else is
    kind: Kind = Kind.PROCESS
    starts_max: int = 3  # quick deaths until `start` reports failure; the supervisor itself goes on trying
    ready_within_s: float = 60.0


def services(site: Site) -> dict[str, Service | ExternalServer]:
    """What this site uses, in order of start; a server whose address the person set is only looked at."""
    others = externals(site)
    table = [
        others.get("postgres") or postgres(site),
        others.get("valkey") or valkey(site),
        others.get("exchange") or exchange(site),
        api(site),
        dagster_webserver(site),
        dagster_daemon(site),
        engine(site),
        lab(site),
    ]
    return {service.name: service for service in table}


def externals(site: Site) -> dict[str, ExternalServer]:
    """The servers that the person named, by the name of the service they stand in for."""
    found = []
    if secret := site.data.database_url:
        url, variable = secret.get_secret_value(), "SLIPWAY_DATABASE_URL"
        look = partial(reach.database_answers, url, variable)
        found.append(ExternalServer("postgres", reach.where(url), variable, look, partial(migrate, site)))
    if secret := site.data.redis_url:
        url, variable = secret.get_secret_value(), "SLIPWAY_REDIS_URL"
        look = partial(reach.redis_answers, url, variable)
        found.append(ExternalServer("valkey", reach.where(url), variable, look))
    if url := site.data.exchange_url or "":
        variable = "SLIPWAY_EXCHANGE_URL"
        look = partial(reach.exchange_answers, url, variable)
        found.append(ExternalServer("exchange", reach.where(url), variable, look))
    return {server.name: server for server in found}


def with_needs(names: Iterable[str], table: Mapping[str, Service | ExternalServer]) -> list[str]:
    """These and all they wait for, in order of start; the default ones when none are named."""
    wanted: set[str] = set()
    pending = list(names) or [name for name, service in table.items() if service.by_default]
    while pending:
        service = known(pending.pop(), table)
        if service.name not in wanted:
            wanted.add(service.name)
            pending += service.after
    return [name for name in table if name in wanted]


def known(name: str, table: Mapping[str, Service | ExternalServer]) -> Service | ExternalServer:
    """The service of that name, or a sentence that lists those there are."""
    if name not in table:
        raise UsageError(f"there is no local service {name!r}", f"There are: {', '.join(table)}.")
    return table[name]


def migrate(site: Site) -> None:
    """Bring the ledger's schema up to date, and make room for Dagster."""
    if embedded := site.postgres:
        embedded.create_databases()
    elif not site.infra.dagster_database_url:
        create_database(site.database_url(), site.dagster_database_url())
    if not _is_newest(site.database_url()):
        upgrade(site.database_url())


def _is_newest(database_url: str) -> bool:
    """Whether there is nothing to migrate; as long as nobody can tell there is."""
    import psycopg

    try:
        with psycopg.connect(database_url, connect_timeout=reach.TIMEOUT_S) as connection:
            return connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(newest(),)]
    except psycopg.Error:
        return False


def postgres(site: Site) -> Service:
    return Service(
        "postgres",
        lambda _: _embedded_postgres(site).command(),
        prepare=lambda: _embedded_postgres(site).prepare(),
        is_ready=lambda: _embedded_postgres(site).is_ready(),
        once_ready=lambda: migrate(site),
        publishes="database_url",
        address=lambda: site.database_url(),
        clean_up=lambda: _embedded_postgres(site).end_leftovers(),
        stop_signal=signal.SIGINT,  # "fast" shutdown: disconnects everybody, loses nothing
        kind=Kind.EMBEDDED,
    )


def valkey(site: Site) -> Service:
    return Service(
        "valkey",
        lambda _: _embedded_valkey(site).command(),
        prepare=lambda: _embedded_valkey(site).prepare(),
        is_ready=lambda: _embedded_valkey(site).is_ready(),
        publishes="redis_url",
        address=lambda: site.redis_url(),
        kind=Kind.EMBEDDED,
        # SIGTERM is SHUTDOWN to it, and nothing is saved because its configuration names no snapshot
    )


def exchange(site: Site) -> Service:
    books = site.state_dir / "exchange"
    return Service(
        "exchange",
        lambda _: python(
            "execution.exchange", "--port", str(site.port("exchange")), "--state-dir", str(books)
        ),
        is_ready=lambda: answers(site.http("exchange") + "/health"),
        publishes="exchange_url",
        address=lambda: site.exchange_url(),
    )


def api(site: Site) -> Service:
    return Service(
        "api",
        lambda _: python("api", "--port", str(site.port("api"))),
        after=("postgres", "valkey"),
        environment=site.environment,
        # Any answer will do: /health tells of the whole system, and this asks for the process only.
        is_ready=lambda: answers(site.http("api") + "/health", even_unwell=True),
        publishes="api_url",
        address=lambda: site.http("api"),
    )


def dagster_webserver(site: Site) -> Service:
    def command(_: Sequence[str]) -> list[str]:
        port = str(site.port("dagster-webserver"))
        return python("dagster_webserver", "-h", "127.0.0.1", "-p", port, "-w", str(ROOT / "workspace.yaml"))

    return Service(
        "dagster-webserver",
        command,
        after=("postgres",),
        environment=site.environment,
        prepare=lambda: write_home(site.dagster_home, site.dagster_database_url()),
        is_ready=lambda: answers(site.http("dagster-webserver") + "/server_info"),
        publishes="dagster_url",
        address=lambda: site.http("dagster-webserver"),
        ready_within_s=120.0,  # 5–30 s on an idle machine
    )


def dagster_daemon(site: Site) -> Service:
    return Service(
        "dagster-daemon",
        lambda _: python("dagster._daemon", "run", "-w", str(ROOT / "workspace.yaml")),
        # Both create Dagster's tables when they find none: one after the other.
        after=("postgres", "dagster-webserver"),
        environment=site.environment,
        listens=False,
        prepare=lambda: write_home(site.dagster_home, site.dagster_database_url()),
    )


def engine(site: Site) -> Service:
    return Service(
        "engine",
        lambda arguments: python("execution", *arguments),
        after=("postgres", "valkey", "exchange"),
        environment=site.environment,
        by_default=False,
        listens=False,
        ends_by_itself=True,
    )


def lab(site: Site) -> Service:
    as_root = ["--allow-root"]  # without effect for anybody else
    return Service(
        "lab",
        lambda _: python(
            "jupyterlab",
            *("--no-browser", "--ip=127.0.0.1", f"--port={site.port('lab')}", "--ServerApp.port_retries=0"),
            *(f"--ServerApp.root_dir={ROOT}", "--LabApp.default_url=/lab/tree/notebooks", *as_root),
            "--LabApp.news_url=None",  # asks the network, and the person, at every first start
        ),
        after=("postgres", "valkey"),
        by_default=False,
        is_ready=lambda: answers(site.http("lab") + "/api"),
        publishes="lab_url",
        address=lambda: f"{site.http('lab')}/lab?token={site.lab_token}",
        environment=lambda: site.environment() | {"JUPYTER_TOKEN": site.lab_token},
    )


def python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def answers(url: str, *, even_unwell: bool = False) -> bool:
    try:
        with reach.NO_PROXY.open(url, timeout=reach.TIMEOUT_S):
            return True
    except urllib.error.HTTPError as error:
        error.close()  # it is the open answer
        return even_unwell
    except OSError:
        return False


def _embedded_postgres(site: Site) -> Cluster:
    server = site.postgres
    assert server is not None, "only a site without SLIPWAY_DATABASE_URL has this service"
    return server


def _embedded_valkey(site: Site) -> Valkey:
    server = site.valkey
    assert server is not None, "only a site without SLIPWAY_REDIS_URL has this service"
    return server
