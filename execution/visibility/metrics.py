"""Prometheus metrics: counted as things happen, served from a thread of their own on the loopback."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Enum,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)

from data.control import Mode
from data.errors import Unavailable
from data.orders import OrderState
from execution.flow.happenings import (
    BrokerSilent,
    Decided,
    Filled,
    Happening,
    ModeSeen,
    Moved,
    Reconciled,
    Refused,
    Step,
    StreamOpened,
    Took,
    Unexplained,
)
from execution.visibility.census import Census

# A tick takes tens of microseconds, a lost reply five seconds.
SECONDS: Final = (
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
)  # fmt: skip
FEED_STATES: Final = ("none", "stopped", "stale", "connecting", "closed", "live", "replay")  # the worst first


class Metrics:
    """The numbers of one engine.  All names begin with slipway_."""

    def __init__(self, account: str, epoch: int) -> None:
        self.registry = own = CollectorRegistry()
        ProcessCollector(registry=own)
        PlatformCollector(registry=own)
        Info("slipway_engine", "Whose numbers these are", registry=own).info({"account": account})
        Gauge("slipway_lease_epoch", "The epoch under which we write", registry=own).set(epoch)

        steps = Histogram(
            "slipway_step_seconds",
            "How long a step took: tick (publishing to hearing), decide, intent, claim, send, ack, fill",
            ["step"],
            buckets=SECONDS,
            registry=own,
        )
        orders = Counter("slipway_orders", "Orders that came into a state", ["state"], registry=own)
        self._refusals = Counter("slipway_refusals", "Orders that a limit refused", ["limit"], registry=own)
        self._fills = Counter("slipway_fills", "Executions entered", ["heard_by"], registry=own)
        self._bars = Counter("slipway_bars", "Bars decided on", registry=own)
        self._last_bar = Gauge(
            "slipway_last_bar_timestamp_seconds", "When a bar was heard last", registry=own
        )
        self._streams = Counter("slipway_stream_connections", "Of the broker's stream", registry=own)
        self._reconciled = Counter("slipway_reconciliations", "With the broker's books", registry=own)
        self._differ = Gauge(
            "slipway_reconcile_differences", "Positions that differ from the broker's", registry=own
        )
        self._silences = Counter("slipway_broker_silences", "Questions without an answer", registry=own)
        self._unexplained = Counter("slipway_unexplained", "What the broker said without sense", registry=own)
        self.alerts = Counter("slipway_alerts", "Alerts raised", ["kind", "severity"], registry=own)
        self._mode = Enum(
            "slipway_mode", "What people told the account", states=list(get_args(Mode)), registry=own
        )

        self._open = Gauge("slipway_open_orders", "Orders that hold risk", registry=own)
        self._unknown = Gauge(
            "slipway_unknown_orders", "Sent, and not known whether they arrived", registry=own
        )
        self._oldest = Gauge("slipway_unknown_order_age_seconds", "Of the oldest unknown order", registry=own)
        self._queues = Gauge("slipway_queue_depth", "How much waits", ["queue"], registry=own)
        self._halted = Gauge("slipway_halted_symbols", "Symbols on which nothing may be opened", registry=own)
        self._use = Gauge("slipway_risk_use_ratio", "Of a limit, 1 is all of it", ["limit"], registry=own)
        self._feed = Enum("slipway_feed", "State of the feed", states=list(FEED_STATES), registry=own)
        # Looked up once; and what never happened is zero, not missing.
        self._steps = {step: steps.labels(step) for step in get_args(Step)}
        self._orders = {state: orders.labels(state.value) for state in OrderState}

    def __call__(self, happening: Happening, at_ns: int) -> None:
        match happening:
            case Decided(tick_s=tick_s, took_s=took_s, symbols=symbols):
                if tick_s is not None:
                    self._steps["tick"].observe(tick_s)
                self._steps["decide"].observe(took_s)
                self._bars.inc(len(symbols))
                self._last_bar.set(at_ns / 1e9)
            case Took(step=step, seconds=seconds, detail=detail):
                self._steps[step].observe(seconds)
                if step == "intent" and detail == "durable":
                    self._orders[OrderState.INTENT].inc()
            case Moved(state=state):
                self._orders[state].inc()
            case Refused(limit=limit):
                self._refusals.labels(limit).inc()
            case Filled(heard_by=heard_by):
                self._fills.labels(heard_by).inc()
            case StreamOpened():
                self._streams.inc()
            case BrokerSilent():
                self._silences.inc()
            case Reconciled(differences):
                self._reconciled.inc()
                self._differ.set(len(differences))
            case Unexplained():
                self._unexplained.inc()
            case ModeSeen(mode=mode):
                self._mode.state(mode)
            case _:
                return

    def counted(self, census: Census, feed: str, queues: dict[str, int]) -> None:
        """What was found when somebody looked, once a second."""
        self._open.set(census.open)
        self._unknown.set(census.unknown)
        self._oldest.set(census.oldest_unknown_s)
        self._halted.set(census.halted)
        for limit, share in census.use.items():
            self._use.labels(limit).set(share)
        for queue, depth in {"intents": census.intents, **queues}.items():
            self._queues.labels(queue).set(depth)
        self._feed.state(feed)


def worst_of(states: Sequence[str]) -> str:
    """The state of several feeds together."""
    return min(states, key=FEED_STATES.index, default="none")


@contextmanager
def served(registry: CollectorRegistry, port: int) -> Iterator[None]:
    """`GET /metrics` on the loopback while the block runs; no port, no server."""
    if port == 0:
        yield
        return
    try:
        server, thread = start_http_server(port, "127.0.0.1", registry)
    except OSError as error:
        raise Unavailable(
            f"the metrics cannot be served on 127.0.0.1:{port}: {error.strerror}",
            "Choose another SLIPWAY_EXECUTION_METRICS_PORT, or 0 for none.",
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
