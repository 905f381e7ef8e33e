"""Nobody sends us much: bodies above a limit are refused before they are read, in the shape of all errors."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import ErrorAnswer, Problem

BODY_BYTES_MAX: Final = 64 * 1024  # the largest thing anybody sends is a reason

_TOO_LARGE: Final = (
    ErrorAnswer(
        error=Problem(
            what=f"the body is larger than {BODY_BYTES_MAX // 1024} KiB",
            fix="Send what /api/openapi.json describes.",
            code="too_large",
        )
    )
    .model_dump_json()
    .encode()
)


class TooLargeSaidProperly:
    """Starlette counts the bytes and answers 413 in plain text; this gives that answer our shape."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        replaced = False

        async def send_in_shape(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and message["status"] == 413:
                replaced = True
                length = str(len(_TOO_LARGE)).encode()
                headers = [(b"content-type", b"application/json"), (b"content-length", length)]
                await send({**message, "headers": headers})
                await send({"type": "http.response.body", "body": _TOO_LARGE})
            elif not replaced:
                await send(message)

        await self._app(scope, receive, send_in_shape)
