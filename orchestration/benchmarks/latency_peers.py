"""A tick's way through Redis in Python, Slipway's and redis-py's: processes of `slipway bench latency`.

    python -m orchestration.benchmarks.latency_peers {slipway,redis-py} {tell,decide} STREAM TICKS PACE_MS GATE

The address is SLIPWAY_REDIS_URL. `tell` publishes so many ticks for each line on stdin, one at a time: the next one
when a byte comes through the file GATE, which `decide` writes once it decided, acknowledged, and waits for more. After
every so many decisions `decide` writes how long each took, in ns, and how often the target changed.
latency_peer.c is the same in C.
"""

import array
import asyncio
import itertools
import os
import sys
import time
from dataclasses import dataclass
from typing import Any, Final

import uvloop

from data import bus
from data.bar import Tick, decode_tick, encode_tick
from data.market_data import TICK, tick_entry
from data.swift import LATER_S, GroupReader, Link
from data.swift.resp import Addition

FAMILY: Final = "bench"
MEMBER: Final = "1"


@dataclass(frozen=True, slots=True)
class Part:
    """What one process is asked to do."""

    stream: str
    ticks: int
    pace_s: float
    gate: int

    def open_gate(self) -> None:
        os.write(self.gate, b"\n")


class Decisions:
    """A target from two averages, and the time from the tick to it."""

    def __init__(self, ticks: int) -> None:
        self._ticks = ticks
        self._took_ns = array.array("q")
        self._fast = self._slow = 100.0
        self._target = False
        self._changes = 0

    def decide(self, payload: bytes) -> None:
        tick = decode_tick(payload)
        price = tick.last or 0.0
        self._fast += 0.2 * (price - self._fast)
        self._slow += 0.05 * (price - self._slow)
        if (self._fast > self._slow) != self._target:
            self._target = not self._target
            self._changes += 1
        self._took_ns.append(time.monotonic_ns() - tick.ts_us)
        if len(self._took_ns) == self._ticks:
            self._took_ns.append(self._changes)
            sys.stdout.buffer.write(self._took_ns.tobytes())
            sys.stdout.buffer.flush()
            self._took_ns, self._changes = array.array("q"), 0


def tick(number: int) -> Tick:
    """Its instant is the monotonic clock's, in nanoseconds."""
    price = 100.0 + (number * 7919 % 101 - 50) / 100.0
    return Tick("AAA", time.monotonic_ns(), last=price, last_size=1.0)


async def tell_slipway(of: Part) -> None:
    link, loop = Link(name="bench", answers_after_s=LATER_S), asyncio.get_running_loop()
    addition = Addition(of.stream, bus.MARKET_DATA_LENGTH, TICK, {"feed": "bench", "seq": 0})
    numbers, answers = itertools.count(), (link.note,)
    left = 0

    def publish() -> None:
        link.send(addition(encode_tick(tick(next(numbers)))), answers)

    def decided() -> None:
        nonlocal left
        os.read(of.gate, 1)
        left -= 1
        if left and of.pace_s:
            loop.call_later(of.pace_s, publish)
        elif left:
            publish()

    async with asyncio.TaskGroup() as tasks:
        kept = tasks.create_task(link.run())
        await link.up()
        loop.add_reader(of.gate, decided)
        while await asyncio.to_thread(sys.stdin.readline):
            left = of.ticks
            publish()
        kept.cancel()
    assert not link.refused, link.refused


async def decide_slipway(of: Part) -> None:
    decisions, link, loop = Decisions(of.ticks), Link(name="bench"), asyncio.get_running_loop()

    def on_entry(_stream: bytes, _id: bytes, fields: list[bytes]) -> None:
        if fields[0] == b"t":
            decisions.decide(fields[1])
            loop.call_soon(of.open_gate)

    GroupReader(link, [of.stream], FAMILY, MEMBER, on_entry)
    await link.run()


async def tell_redis_py(of: Part) -> None:
    redis, numbers, decided = bus.connect_async(), itertools.count(), asyncio.Event()
    asyncio.get_running_loop().add_reader(of.gate, lambda: decided.set() if os.read(of.gate, 1) else None)
    while await asyncio.to_thread(sys.stdin.readline):
        for _ in range(of.ticks):
            entry: Any = tick_entry(tick(next(numbers)), "bench")
            await redis.xadd(of.stream, entry, maxlen=bus.MARKET_DATA_LENGTH, approximate=True)
            await decided.wait()
            decided.clear()
            if of.pace_s:
                await asyncio.sleep(of.pace_s)
    await redis.aclose()


async def decide_redis_py(of: Part) -> None:
    decisions, redis, group = Decisions(of.ticks), bus.connect_async(), f"{FAMILY}.{MEMBER}"
    loop = asyncio.get_running_loop()
    while True:
        read: Any = await redis.xreadgroup(group, MEMBER, {of.stream: ">"}, count=256, block=1_000)
        for _, entries in bus.pairs(read):
            for entry_id, fields in entries:
                if b"t" in fields:
                    decisions.decide(fields[b"t"])
                await redis.xack(of.stream, group, entry_id)
                loop.call_soon(of.open_gate)


PARTS: Final = {
    ("slipway", "tell"): tell_slipway,
    ("slipway", "decide"): decide_slipway,
    ("redis-py", "tell"): tell_redis_py,
    ("redis-py", "decide"): decide_redis_py,
}

if __name__ == "__main__":
    _, who, part, stream, *numbers = sys.argv
    ticks, pace_ms, gate = map(int, numbers)
    uvloop.run(PARTS[who, part](Part(stream, ticks, pace_ms / 1_000, gate)))
