"""What a proxy or a supervisor asks of a running server, and the headers of its answers."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import jobs

HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"SAMEORIGIN",
    b"content-security-policy": b"frame-ancestors 'self'",
    b"referrer-policy": b"same-origin",  # links tell what people looked at
}


async def answer_health(request: Request) -> JSONResponse:
    """200 while the pool can do its work, else 503; both with its numbers."""
    health = jobs.health()
    return JSONResponse(health, 200 if health["ok"] else 503)


async def answer_metrics(request: Request) -> PlainTextResponse:
    """The pool's numbers in the text format of Prometheus."""
    lines = [f"compress_{name} {float(value):g}" for name, value in jobs.health().items()]
    return PlainTextResponse("\n".join(lines) + "\n")


class SecurityHeaders:
    """Adds the headers that Streamlit leaves out to every answer."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given: list[Any] = message["headers"]
                present = {name.lower() for name, _ in given}
                added = [pair for pair in HEADERS.items() if pair[0] not in present]
                message = {**message, "headers": [*given, *added]}
            await send(message)

        await self._app(scope, receive, send_with_headers)
