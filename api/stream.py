"""The WebSocket: a token first, then a snapshot, then numbered changes.

    viewer → {"type": "hello", "token": …, "account": …}     first, within seconds; never in the URL
    server → snapshot, then deltas (numbered without gaps), ticks (not numbered), a pulse every second
    viewer → {"type": "resync"}                              saw a gap: a new snapshot please
    viewer → {"type": "renew", "token": …}                   before the old one expires, which ends the stream
    viewer → {"type": "ping"}                                answered with pong

Before the stream ends for a reason of ours, {"error": {what, fix, code}} is sent and a code of viewer.py closes it.
"""

import asyncio
import contextlib
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import psycopg
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from psycopg_pool import PoolTimeout
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from api import ledger as read
from api import snapshot, viewer
from api.deps import Services, demand, identify
from api.errors import ErrorAnswer, NotAuthenticated, Problem, ledger_unavailable, problem_of
from api.hub import Hub
from api.messages import Pong, Renewed
from api.routing import STREAM_PATH
from api.security import Person, Role
from api.viewer import Viewer
from data.errors import SlipwayError, Unavailable, UsageError

HELLO_S: Final = 5.0
CLOSE_S: Final = 2.0
SEND_S: Final = 5.0  # a socket that takes no bytes for this long is dead or far too slow


class Hello(BaseModel):
    type: Literal["hello"] = "hello"
    token: str = Field(max_length=4_096)
    account: str = Field(min_length=1, max_length=64)


class Ask(BaseModel):
    type: Literal["resync", "ping"]


class Renew(BaseModel):
    type: Literal["renew"]
    token: str = Field(max_length=4_096)


_wish: TypeAdapter[Ask | Renew] = TypeAdapter(Annotated[Ask | Renew, Field(discriminator="type")])

router = APIRouter()


@router.websocket(STREAM_PATH)
async def stream(websocket: WebSocket) -> None:
    await websocket.accept()
    house: Services = websocket.app.state.services
    hub: Hub = websocket.app.state.hub
    try:
        hello = await _hello(websocket)
        person = await _admit(house, hub, hello)
    except WebSocketDisconnect:
        return
    except (SlipwayError, psycopg.Error, PoolTimeout) as error:
        await _refuse(websocket, error)
        return
    seen = Viewer(hello.account, house.settings.viewer_queue_frames)
    try:
        seen.hold()
        await hub.join(seen)
        await _show(house, seen)
        await _serve(websocket, house, seen, person)
    except (SlipwayError, psycopg.Error, PoolTimeout) as error:
        await _refuse(websocket, error)
    finally:
        await hub.leave(seen)


async def _show(house: Services, seen: Viewer) -> None:
    seen.release((await snapshot.take(house, seen.account)).model_dump_json())


async def _hello(websocket: WebSocket) -> Hello:
    try:
        async with asyncio.timeout(HELLO_S):
            return Hello.model_validate_json(await websocket.receive_text())
    except TimeoutError:
        raise NotAuthenticated(
            f"no token came within {HELLO_S:.0f} s", "Send a hello as first message."
        ) from None
    except (ValidationError, KeyError):
        raise UsageError(
            "the first message is not a hello", 'Send {"type": "hello", "token": …, "account": …}.'
        ) from None


async def _admit(house: Services, hub: Hub, hello: Hello) -> Person:
    async with house.pool.connection() as lent:
        person = demand(await identify(house, lent, hello.token), Role.viewer)
        await read.account(lent, hello.account)
    if hub.viewers >= house.settings.viewers_max:
        raise Unavailable(
            f"all {house.settings.viewers_max} streams are taken", "Close another screen, or try again soon."
        )
    return person


async def _serve(websocket: WebSocket, house: Services, seen: Viewer, person: Person) -> None:
    """Until the viewer leaves, falls behind, or its token expires."""
    tasks = {
        asyncio.create_task(_send(websocket, seen)),
        asyncio.create_task(_receive(websocket, house, seen, person)),
    }
    try:
        waiting: set[asyncio.Future[Any]] = {seen.ending, *tasks}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if seen.ending.done():
        ending = seen.ending.result()
        await _close(
            websocket, ending.code, Problem(what=ending.reason, fix="Connect again.", code=ending.word)
        )


async def _send(websocket: WebSocket, seen: Viewer) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # gone while we were sending
        while True:
            frame = await seen.next()
            try:
                # Not wait_for: in Python 3.11 it can swallow a cancellation, and we would send for ever.
                async with asyncio.timeout(SEND_S):
                    await websocket.send_text(frame)
            except TimeoutError:
                seen.end(viewer.TOO_SLOW, "this viewer does not keep up", "too_slow")
                return


async def _receive(websocket: WebSocket, house: Services, seen: Viewer, person: Person) -> None:
    expiry = _expire(seen, person)
    try:
        while True:
            wish = _wish.validate_json(await websocket.receive_text())
            if isinstance(wish, Renew):
                async with house.pool.connection() as lent:
                    renewed = await identify(house, lent, wish.token)
                if renewed.name != person.name:
                    raise NotAuthenticated("the new token is somebody else's", "Connect again.")
                expiry.cancel()
                expiry = _expire(seen, renewed)
                until = datetime.fromtimestamp(renewed.expires_at, UTC)
                seen.offer(Renewed(expires_at=until).model_dump_json())
            elif wish.type == "resync":
                seen.hold()
                await _show(house, seen)
            else:
                seen.offer(Pong().model_dump_json())
    except WebSocketDisconnect:
        pass
    except NotAuthenticated as error:
        seen.end(viewer.NOT_AUTHENTICATED, error.what, "not_authenticated")
    except (ValidationError, KeyError):
        seen.end(viewer.BAD_MESSAGE, "that is not a message of this stream", "usage")
    except (SlipwayError, psycopg.Error, PoolTimeout):
        seen.end(viewer.UNAVAILABLE, "the ledger does not answer", "unavailable")
    finally:
        expiry.cancel()


def _expire(seen: Viewer, person: Person) -> asyncio.TimerHandle:
    left_s = max(0.0, person.expires_at - time.time())
    return asyncio.get_running_loop().call_later(
        left_s, seen.end, viewer.NOT_AUTHENTICATED, "your token has expired", "token_expired"
    )


async def _refuse(websocket: WebSocket, error: Exception) -> None:
    known = error if isinstance(error, SlipwayError) else ledger_unavailable()
    status, problem = problem_of(known)
    await _close(websocket, 4000 + status, problem)


async def _close(websocket: WebSocket, code: int, problem: Problem) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await websocket.send_text(ErrorAnswer(error=problem).model_dump_json())
            await websocket.close(code, problem.what[:120])
