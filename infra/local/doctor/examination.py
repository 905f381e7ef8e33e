"""All checks, in the order in which a person mends things; those that wait on the network run side by side."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from data.errors import SlipwayError
from infra.local.bounded import side_by_side
from infra.local.control import Control, NotRunning
from infra.local.doctor.findings import Finding, of_error, problem
from infra.local.doctor.folders import examine_folders
from infra.local.doctor.keys import examine_keys
from infra.local.doctor.lake import examine_lake
from infra.local.doctor.machine import examine_machine
from infra.local.doctor.servers import examine_database, examine_exchange, examine_redis, of_services
from infra.local.overview import overview
from infra.local.site import Site

WITHIN_S: Final = 4.5  # the whole command shall take less than six
Check = Callable[[Site], Iterator[Finding]]
AT_ONCE: Final[dict[str, Check]] = {
    "machine": lambda _: examine_machine(),
    "state folder": examine_folders,
    "keys": examine_keys,
}
MAY_WAIT: Final[dict[str, Check]] = {
    "services": lambda site: _examine_services(site),
    "database": examine_database,
    "redis": examine_redis,
    "exchange": examine_exchange,
    "lake": examine_lake,
}


def examine(site: Site) -> list[Finding]:
    """Every finding, good ones too."""
    found = [finding for name, check in AT_ONCE.items() for finding in _of(name, check, site)]
    questions = {name: partial(_all_of, check, site) for name, check in MAY_WAIT.items()}
    answers = dict(side_by_side(questions, WITHIN_S))
    for name in MAY_WAIT:
        match answers[name]:
            case TimeoutError():
                fix = "See what is slow there: the network, its name server, or the server itself."
                found.append(problem(name, f"did not answer within {WITHIN_S:g} s", fix))
            case Exception() as error:
                found.append(of_error(name, error))
            case findings:
                found += findings
    return found


def _all_of(check: Check, site: Site) -> list[Finding]:
    return list(check(site))


def _of(name: str, check: Check, site: Site) -> Iterator[Finding]:
    """What a check finds until it fails, and that it failed."""
    try:
        yield from check(site)
    except Exception as error:  # one broken check must not hide the others
        yield of_error(name, error)


def _examine_services(site: Site) -> Iterator[Finding]:
    try:
        rows, is_supervised = Control(site).status(), True
    except NotRunning:
        rows, is_supervised = overview(site), False
    except SlipwayError as error:  # it runs and is silent
        yield of_error("services", error)
        return
    yield from of_services(rows, is_supervised=is_supervised)
