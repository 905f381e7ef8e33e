"""Bytes in, replies out: however a stream is cut, and whatever stands in it."""

import asyncio
import socket
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.swift.resp import Addition, command
from data.swift.wire import Wire

REPLIES = st.recursive(
    st.one_of(
        st.binary(max_size=40).map(lambda text: b"$%d\r\n%b\r\n" % (len(text), text)),
        st.integers(-(2**63), 2**63 - 1).map(lambda number: b":%d\r\n" % number),
        st.sampled_from([b"$-1\r\n", b"*-1\r\n", b"*0\r\n", b"+OK\r\n", b"-NOGROUP no such group\r\n"]),
    ),
    lambda inner: st.lists(inner, max_size=4).map(lambda parts: b"*%d\r\n" % len(parts) + b"".join(parts)),
    max_leaves=12,
)


def plain(reply: Any) -> Any:
    """Errors are equal when they say the same."""
    if isinstance(reply, list):
        return [plain(part) for part in reply]
    return ("error", str(reply)) if isinstance(reply, Exception) else reply


def whole(reply: bytes) -> Any:
    reader = hiredis.Reader()
    reader.feed(reply)
    return plain(reader.gets())


def heard(pieces: Iterable[bytes], asked: int) -> tuple[list[Any], str]:
    """What `asked` callbacks were told, each with its place, and why the wire ended if it did."""

    ours, theirs = socket.socketpair()

    async def run() -> tuple[list[Any], str]:
        told: list[Any] = []
        _, wire = await asyncio.get_running_loop().create_connection(Wire, sock=ours)
        wire.send(
            command("PING") * asked,
            [lambda reply, place=place: told.append((place, plain(reply))) for place in range(asked)],
        )
        for piece in pieces:
            wire.data_received(piece)
        wire.close()
        return told, await wire.ended

    with ours, theirs:
        return asyncio.run(run())


@pytest.mark.full
@given(st.lists(REPLIES, min_size=1, max_size=8), st.data())
def test_any_cut_of_the_stream_tells_the_same_replies_in_their_order(
    replies: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(replies)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    pieces = [stream[start:end] for start, end in pairwise([0, *cuts, len(stream)])]
    told, _ = heard(pieces, len(replies))
    assert told == [(place, whole(reply)) for place, reply in enumerate(replies)]


@pytest.mark.full
@given(st.lists(REPLIES, min_size=1, max_size=4), st.data())
def test_a_server_that_goes_away_in_the_middle_of_a_reply_loses_that_reply_and_those_behind_it(
    replies: list[bytes], data: st.DataObject
) -> None:
    arrived = data.draw(st.integers(0, len(replies) - 1))
    cut = data.draw(st.integers(0, len(replies[arrived]) - 1))
    told, why = heard([b"".join(replies[:arrived]) + replies[arrived][:cut]], len(replies))
    assert [reply for _, reply in told[:arrived]] == [whole(reply) for reply in replies[:arrived]]
    assert told[arrived:] == [(place, ("error", why)) for place in range(arrived, len(replies))]


@pytest.mark.full
@given(st.binary(min_size=1, max_size=60).filter(lambda junk: junk[:1] not in b"+-:$*_,#(%~>!=|\x00"))
def test_what_is_not_redis_ends_the_wire_with_a_reason(junk: bytes) -> None:
    told, why = heard([junk + b"\r\n"], 1)
    assert why.startswith("redis sent what is not its protocol")
    assert told == [(0, ("error", why))]


def test_an_answer_to_nobody_ends_the_wire() -> None:
    told, why = heard([b"+OK\r\n+OK\r\n"], 1)
    assert (told, why) == ([(0, b"OK")], "redis answered what nobody asked")


@given(st.binary(max_size=300), st.text(max_size=20), st.integers(1, 10**6))
def test_a_prepared_addition_is_the_command_it_stands_for(value: bytes, stream: str, length: int) -> None:
    addition = Addition(stream, length, "t", {"feed": "x", "seq": 7})
    expected = command("XADD", stream, "MAXLEN", "~", length, "*", "t", value, "feed", "x", "seq", 7)
    assert addition(value) == expected
    assert addition(value) == expected  # with the head it kept
    assert Addition(stream, length, "t", {})(value) == command(
        "XADD", stream, "MAXLEN", "~", length, "*", "t", value
    )
