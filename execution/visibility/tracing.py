"""A trace for each order, from the tick to the fill, sent by OTLP over HTTP where an endpoint is configured.

The names of a trace and its spans are made from the order's coid: an engine that is started again continues the trace,
and a span that is told twice is one.  OpenTelemetry is loaded only where there is somebody to send to.
"""

import hashlib
import os
from datetime import datetime
from typing import Final

from data.errors import UsageError
from data.orders import TERMINAL
from execution.flow.happenings import Decided, Happening, Moved, OrderName, Took, named

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
REMEMBERED_MAX: Final = 100_000  # orders that are not over; what is more begins its trace at the decision
LAST_WORDS_MS: Final = 3_000


def wanted() -> bool:
    """Did somebody say where traces go?"""
    return any(os.environ.get(name) for name in ENDPOINTS)


class Traces:
    """Watches orders and sends their spans, from a thread of its own."""

    def __init__(self, account: str) -> None:
        try:
            from opentelemetry import context, trace
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.sdk.trace.id_generator import IdGenerator
            from opentelemetry.sdk.trace.sampling import ALWAYS_ON
        except ImportError as error:
            raise UsageError(
                f"traces are wanted ({ENDPOINTS[0]}), and {error.name} is not installed",
                "Install the extra `slipway[tracing]`, or unset the variable.",
            ) from error

        class GivenNames(IdGenerator):
            """Hands out what was set just before."""

            trace_id = span_id = 0

            def generate_trace_id(self) -> int:
                return self.trace_id

            def generate_span_id(self) -> int:
                return self.span_id

        self._names = GivenNames()
        self._api, self._nowhere = trace, context.Context()
        resource = Resource.create(
            {
                "service.name": os.environ.get("OTEL_SERVICE_NAME", "slipway-execution"),
                "slipway.account": account,
            }
        )
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, id_generator=self._names, shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("execution")
        self._began_ns: dict[str, int] = {}

    def __call__(self, happening: Happening, now_ns: int) -> None:
        match happening:
            case Decided(tick_s=tick_s, took_s=took_s, intents=intents):
                decided_ns = now_ns - _ns(took_s)
                told_ns = decided_ns - _ns(tick_s or 0.0)
                for intent in intents:
                    order = named(intent)
                    if len(self._began_ns) < REMEMBERED_MAX:
                        self._began_ns[order.coid] = told_ns
                    self._span(order, "tick", told_ns, decided_ns)
                    self._span(order, "decide", decided_ns, now_ns)
            case Took(order, step, seconds, detail, part):
                self._span(order, step, now_ns - _ns(seconds), now_ns, detail, part)
            case Moved(order=order, state=state, reason=reason, decided_at=decided_at) if state in TERMINAL:
                self._whole(order, decided_at, now_ns, str(state), reason)
            case _:
                return

    def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        self._provider.force_flush(LAST_WORDS_MS)
        self._provider.shutdown()

    def _span(
        self, order: OrderName, step: str, began_ns: int, ended_ns: int, detail: str = "", part: str = ""
    ) -> None:
        api = self._api
        told = {"order.coid": order.coid, "order.symbol": order.symbol, "detail": detail, "part": part}
        whole = api.SpanContext(
            trace_id_of(order.coid),
            span_id_of(order.coid),
            is_remote=False,
            trace_flags=api.TraceFlags(api.TraceFlags.SAMPLED),
        )
        self._names.span_id = span_id_of(order.coid, step, part)
        span = self._tracer.start_span(
            step,
            context=api.set_span_in_context(api.NonRecordingSpan(whole)),
            start_time=began_ns,
            attributes={name: value for name, value in told.items() if value},
        )
        span.end(ended_ns)

    def _whole(self, order: OrderName, decided_at: datetime, ended_ns: int, state: str, reason: str) -> None:
        """The span that holds the others: known once the order is over, perhaps by another engine than began it."""
        began_ns = self._began_ns.pop(order.coid, None) or int(decided_at.timestamp() * 1e9)
        self._names.trace_id, self._names.span_id = trace_id_of(order.coid), span_id_of(order.coid)
        span = self._tracer.start_span(
            "order",
            context=self._nowhere,
            start_time=began_ns,
            attributes={
                "order.coid": order.coid,
                "order.symbol": order.symbol,
                "order.strategy": order.strategy,
                "order.state": state,
                "order.reason": reason,
            },
        )
        span.end(ended_ns)


def trace_id_of(coid: str) -> int:
    """No clock and no random, as for the coid itself."""
    return _number(coid, size=16)


def span_id_of(coid: str, *which: str) -> int:
    return _number("|".join((coid, *which)), size=8)


def _number(text: str, size: int) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=size).digest(), "big") or 1


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
