"""From a tick that one process publishes to the decision that another one makes, through a stream with a group.

Everybody shares one core, the server included, and one unix socket; rounds alternate, so that a noisy moment hits all
alike.
"""

import array
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median
from typing import IO, Any, Final

import redis
from redis.asyncio.connection import parse_url

from data import bus
from data.errors import SlipwayError
from infra.local.embedded import embedded_valkey
from orchestration.benchmarks.latency_peers import FAMILY, MEMBER
from orchestration.debian import install

TICKS: Final = 500  # of one round
OURS, REDIS_PY, IN_C = "slipway", "redis-py", "C on hiredis"
WATCHED_S: Final = 0.5  # where others are at work
Took = list[int]
C_SOURCE: Final = Path(__file__).with_name("latency_peer.c")
NO_C: Final = (
    "C on hiredis is left out: it needs a C compiler and hiredis' headers; "
    "on Debian: apt-get install gcc libc6-dev libhiredis-dev"
)


@dataclass(frozen=True, slots=True)
class Latency:
    """One contestant's ticks, in microseconds."""

    name: str
    ticks: int
    p50_us: float
    p99_us: float
    p999_us: float
    our_p50_over_theirs: float
    """the median of the rounds: the ratio of neighbours in time is what a noisy machine leaves whole"""
    our_p99_over_theirs: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was measured, ours first, and what could not be."""

    latencies: tuple[Latency, ...]
    left_out: str = ""


def compare_latency(rounds: int, pace_ms: int = 0) -> Comparison:
    """Every contestant once per round; each tick so long after the decision on the one before."""
    with ExitStack() as stack:
        stack.enter_context(_one_core())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-bench-")))
        url = bus.nearest(stack.enter_context(embedded_valkey(folder / "valkey")))
        program = _compiled(folder)
        names = (OURS, REDIS_PY, *((IN_C,) if program else ()))
        contestants = [
            stack.enter_context(_contestant(name, f"md.{number}", url, program, pace_ms))
            for number, name in enumerate(names)
        ]
        for contestant in contestants:
            contestant.round()  # everybody's first is for waking up
        all_took = [[contestant.round() for contestant in contestants] for _ in range(rounds)]
        if len({contestant.changes for contestant in contestants}) != 1:
            raise SlipwayError("the contestants decided differently", "Measure again, and report this.")
    latencies = [
        _summary(name, [each[place] for each in all_took], [each[0] for each in all_took])
        for place, name in enumerate(names)
    ]
    return Comparison(tuple(latencies), "" if program else NO_C)


@contextmanager
def _one_core() -> Iterator[None]:
    """Whoever is started inside stays on one core with us, the one that others leave alone most."""
    before = os.sched_getaffinity(0)
    earlier = _idle_time()
    time.sleep(WATCHED_S)
    later = _idle_time()
    os.sched_setaffinity(0, {max(before, key=lambda core: later[core] - earlier[core])})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _idle_time() -> dict[int, int]:
    """Of each core, in the kernel's ticks: the fifth column of its line in /proc/stat."""
    rows = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
    return {int(row[0][3:]): int(row[4]) for row in rows if row[0][:3] == "cpu" and row[0] != "cpu"}


def _compiled(folder: Path) -> Path | None:
    """The C peer; None where it cannot be had."""
    program = folder / "latency_peer"
    if not _compiles(program):
        install(["gcc", "libc6-dev", "libhiredis-dev"], "the C peer")
        if not _compiles(program):
            return None
    return program


def _compiles(program: Path) -> bool:
    compiler = shutil.which("cc")
    if compiler is None:
        return False
    told = subprocess.run(
        [compiler, "-O2", "-o", program, C_SOURCE, "-lhiredis"], capture_output=True, text=True, check=False
    )
    if told.returncode and "hiredis" not in told.stderr:
        raise SlipwayError(f"the C peer does not compile: {told.stderr.strip()}", "Report this.")
    return told.returncode == 0


class _Contestant:
    """Two processes, one that tells and one that decides."""

    def __init__(self, name: str, teller: subprocess.Popen[bytes], decider: subprocess.Popen[bytes]) -> None:
        self._name = name
        self._orders, self._results = _pipe(teller.stdin), _pipe(decider.stdout)
        self.changes = 0

    def round(self) -> Took:
        """How long each tick took, in ns, sorted."""
        self._orders.write(b"\n")
        self._orders.flush()
        told = array.array("q")
        try:
            told.fromfile(self._results, TICKS + 1)
        except EOFError:
            raise SlipwayError(f"{self._name} ended in the middle of a round", "It says why above.") from None
        self.changes += told.pop()
        return sorted(told)


@contextmanager
def _contestant(
    name: str, stream: str, url: str, program: Path | None, pace_ms: int
) -> Iterator[_Contestant]:
    where = parse_url(url)
    if name == IN_C:
        start, place = [str(program)], [str(where["path"])]
    else:
        start, place = [sys.executable, "-m", "orchestration.benchmarks.latency_peers", name], []
    environment = os.environ | {"SLIPWAY_REDIS_URL": url, "LATENCY_PEER_PASSWORD": str(where["password"])}
    group = f"{FAMILY}.{MEMBER}"
    with ExitStack() as stack, redis.Redis.from_url(url) as server:
        server.xgroup_create(stream, group, mkstream=True)
        gate, opener = os.pipe()
        stack.callback(os.close, gate)
        stack.callback(os.close, opener)

        def running(part: str, through: int) -> subprocess.Popen[bytes]:
            command = [*start, part, stream, str(TICKS), str(pace_ms), str(through), *place]
            return stack.enter_context(_running(command, environment, through))

        decider, teller = running("decide", opener), running("tell", gate)
        _until_it_reads(server, stream, group, decider)
        yield _Contestant(name, teller, decider)


@contextmanager
def _running(
    command: Sequence[str], environment: dict[str, str], inherited: int
) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, pass_fds=[inherited]
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _until_it_reads(server: redis.Redis, stream: str, group: str, decider: subprocess.Popen[bytes]) -> None:
    """A tick before the first read would be measured as late."""
    while decider.poll() is None:
        consumers: Any = server.xinfo_consumers(stream, group)
        if consumers:
            return
    raise SlipwayError("a contestant did not start", "It says why above.")


def _pipe(pipe: IO[bytes] | None) -> Any:
    assert pipe is not None
    return pipe


def _summary(name: str, rounds: Sequence[Took], ours: Sequence[Took]) -> Latency:
    together = sorted(chain.from_iterable(rounds))
    ratios = [
        median(_share(our, share) / _share(their, share) for our, their in zip(ours, rounds, strict=True))
        for share in (0.5, 0.99)
    ]
    p50, p99, p999 = (_share(together, share) / 1_000 for share in (0.5, 0.99, 0.999))
    return Latency(name, len(together), p50, p99, p999, *ratios)


def _share(took: Took, share: float) -> int:
    return took[int(len(took) * share)]
