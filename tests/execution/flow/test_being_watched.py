"""A session that is watched: its metrics are scraped, its traces received, its alerts heard, over real HTTP."""

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import redis
from desk import Desk
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families
from test_stopping import eventually, held, orders

from data import bus, control
from data.postgres import connect
from execution.visibility.tracing import trace_id_of

pytestmark = pytest.mark.full

Span = tuple[int, int, int, int]
"""when it began and ended in nanoseconds, its name and its parent's"""


class Receiver(ThreadingHTTPServer):
    """Takes every POST and keeps its body."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.bodies: list[tuple[str, bytes]] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Post(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append((self.path, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """The test looks at the bodies."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scrape(port: int) -> dict[str, float]:
    """Every sample by its name and labels; empty while nobody serves yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_are_scraped_while_a_session_trades(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("SLIPWAY_EXECUTION_METRICS_PORT", str(port))
    with desk.running("--pace", "0.005"):

        def told() -> dict[str, float]:
            found = scrape(port)  # which is not of one instant
            counted = ("fills_total stream", "step_seconds_count fill", "orders_total FILLED")
            ten = all(found.get(f"slipway_{each}", 0.0) >= 10.0 for each in counted)
            return found if ten and found["slipway_risk_use_ratio gross exposure"] > 0.0 else {}

        found = eventually(told, "ten fills and a position in the metrics")
    for step in ("tick", "decide", "intent", "claim", "send", "ack", "fill"):
        assert found[f"slipway_step_seconds_count {step}"] >= 10.0, step
        assert 0.0 < found[f"slipway_step_seconds_sum {step}"] < 60.0, step
    assert found["slipway_orders_total FILLED"] >= 10.0
    assert found["slipway_orders_total INTENT"] >= found["slipway_orders_total FILLED"]
    assert found["slipway_mode running"] == 1.0
    assert found["slipway_feed replay"] == 1.0
    assert found["slipway_lease_epoch"] == 1.0
    assert found["slipway_reconcile_differences"] == 0.0
    assert found["slipway_reconciliations_total"] >= 1.0
    assert found["slipway_risk_use_ratio gross exposure"] < 1.0
    assert scrape(port) == {}, "nobody serves metrics of an engine that has ended"


def test_a_port_that_is_taken_is_named(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("SLIPWAY_EXECUTION_METRICS_PORT", str(port))
        with desk.engine("--exit-when-done") as engine:
            _, said = engine.communicate(timeout=30)
    assert engine.returncode == 1
    assert f"the metrics cannot be served on 127.0.0.1:{port}" in said.decode()
    assert "SLIPWAY_EXECUTION_METRICS_PORT" in said.decode()


def test_every_order_is_one_trace_from_the_tick_to_the_fill(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{receiver.port}")
    with desk.running("--exit-when-done") as engine:
        assert engine.wait(60) == 0
    traces = traces_in(receiver)
    sent = [row["coid"] for row in orders(desk)]
    assert len(sent) > 10
    assert set(traces) == {trace_id_of(coid) for coid in sent}
    for spans in traces.values():
        assert set(spans) == {"order", "tick", "decide", "intent", "claim", "send", "ack", "fill"}
        ((began, ended, root, no_parent),) = spans["order"]
        assert no_parent == 0
        for name, found in spans.items():
            for start, end, _, parent in found:
                # an ack may be entered after the fill
                assert began <= start <= end <= ended + 1_000_000_000, name
                assert name == "order" or parent == root
        steps = ["tick", "decide", "intent", "claim", "send"]
        starts = [spans[step][0][0] for step in steps]
        assert starts == sorted(starts)


def test_an_engine_that_is_started_again_continues_the_trace(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{receiver.port}")
    with desk.engine("--exit-when-done", failpoint="after_send:5") as first:
        first.communicate(timeout=60)
        assert first.returncode == -9
    (cut_short,) = [row["coid"] for row in orders(desk) if row["state"] == "SENDING"]
    with desk.running("--exit-when-done") as second:
        assert second.wait(60) == 0
    spans = traces_in(receiver)[trace_id_of(cut_short)]
    assert set(spans) >= {"order", "fill"}
    ((_, _, root, _),) = spans["order"]
    assert {parent for _, _, _, parent in spans["fill"]} == {root}


def traces_in(receiver: Receiver) -> dict[int, dict[str, list[Span]]]:
    """The spans that were received, by trace and name."""
    traces: dict[int, dict[str, list[Span]]] = defaultdict(lambda: defaultdict(list))
    for path, body in receiver.bodies:
        assert path == "/v1/traces"
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for of_scope in of_resource.scope_spans:
                for span in of_scope.spans:
                    trace, parent = (
                        int.from_bytes(each, "big") for each in (span.trace_id, span.parent_span_id)
                    )
                    own = int.from_bytes(span.span_id, "big")
                    stretch = (span.start_time_unix_nano, span.end_time_unix_nano, own, parent)
                    traces[trace][span.name].append(stretch)
    return traces


def test_a_takeover_reaches_the_person_on_call_and_the_screens(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_ALERT_URLS", f"json://127.0.0.1:{receiver.port}/s3cr3t-t0ken")
    with desk.engine("--pace", "0.2") as first:  # not over before the second has started
        eventually(lambda: orders(desk), "a first order")
        with desk.running("--pace", "0.02", "--take-over"):
            _, said = first.communicate(timeout=30)
            assert first.returncode == 3
            eventually(lambda: len(receiver.bodies) >= 2, "both engines' alerts")
    heard = [json.loads(body) for _, body in receiver.bodies]
    assert {path for path, _ in receiver.bodies} == {"/s3cr3t-t0ken"}
    assert all("lease taken" in each["title"] for each in heard)
    assert any("taken_from" in each["message"] for each in heard)
    assert any("was taken over by" in each["message"] for each in heard)
    assert "s3cr3t" not in said.decode()
    with connect() as connection:
        told = connection.execute("select payload from outbox where kind = 'alert'").fetchall()
    assert [row["payload"]["kind"] for row in told] == ["lease_taken"], "the fenced one may write nothing"


def test_a_kill_is_reported_when_it_is_carried_out(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_ALERT_URLS", f"json://127.0.0.1:{receiver.port}")
    with desk.running("--pace", "0.02"):
        eventually(lambda: held(desk), "a first position")
        control.give(desk.account, "kill", actor="test", reason="drill")
        eventually(lambda: receiver.bodies, "the alert")
    heard = json.loads(receiver.bodies[0][1])
    assert "kill (info)" in heard["title"]
    assert "is carried out" in heard["message"]


def test_the_heartbeat_dies_with_the_engine(desk: Desk, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        key = bus.heartbeat(desk.account)
        with desk.engine("--pace", "0.02") as engine:
            beat = json.loads(eventually(lambda: client.get(key), "a heartbeat"))
            assert beat["holder"].endswith(f":{engine.pid}")
            assert beat["epoch"] == 1
            assert beat["mode"] == "running"
            assert abs(time.time() - beat["at_us"] / 1e6) < 5.0
            engine.kill()
            engine.communicate()
        eventually(lambda: client.get(key) is None, "the end of the heartbeat")


def test_logs_are_lines_of_json_that_name_the_order(desk: Desk) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "execution", *desk.arguments("--exit-when-done")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert done.stdout == ""
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["account"] for line in lines} == {desk.account}
    for row in orders(desk):
        states = [
            line["state"] for line in lines if line.get("coid") == row["coid"] and line["event"] == "order"
        ]
        assert states[0] == "SENDING"
        assert states[-1] == "FILLED"
        fills = [line for line in lines if line.get("coid") == row["coid"] and line["event"] == "fill"]
        assert {line["symbol"] for line in fills} == {row["symbol"]}
