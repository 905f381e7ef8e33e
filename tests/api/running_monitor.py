"""A real monitor on a real port, and the means to be somebody there."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import uvicorn

from api.app import create_app
from api.security import Tokens, passwords, token_key
from api.settings import ApiSettings
from data.settings import DataSettings

PASSWORD = "correct-horse-battery"
# Hashed once: argon2 is slow on purpose.
PASSWORD_HASH = passwords.hash(PASSWORD)


@dataclass
class Monitor:
    """A running monitor, and the means to be somebody there."""

    url: str
    data: DataSettings
    settings: ApiSettings

    @property
    def database_url(self) -> str:
        return self.data.postgres()

    @property
    def key(self) -> str:
        return token_key(self.settings, self.data.keys_dir)

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    @property
    def stream_url(self) -> str:
        return self.url.replace("http://", "ws://") + "/api/stream"

    def add_user(self, name: str, role: str) -> None:
        with psycopg.connect(self.database_url) as connection:
            connection.execute(
                "insert into users (name, password_hash, role) values (%s, %s, %s)",
                [name, PASSWORD_HASH, role],
            )

    def login(self, name: str, password: str = PASSWORD) -> httpx.Response:
        return httpx.post(f"{self.url}/api/auth/login", json={"name": name, "password": password})

    def token(self, role: str) -> str:
        """The token of a user called like the role, who is made when first needed."""
        with psycopg.connect(self.database_url) as connection:
            connection.execute(
                "insert into users (name, password_hash, role) values (%s, '', %s) on conflict do nothing",
                [role, role],
            )
        return Tokens(self.key, self.settings.token_minutes).issue(role)[0]

    def client(self, role: str | None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token(role)}"} if role else {}
        return httpx.Client(base_url=self.url, headers=headers)


@contextmanager
def running(data: DataSettings, listen_on: int = 0, **overrides: Any) -> Iterator[Monitor]:
    settings = ApiSettings(**overrides)
    config = uvicorn.Config(
        create_app(settings, data),
        loop="uvloop",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    with socket.create_server(("127.0.0.1", listen_on)) as listening:
        port = listening.getsockname()[1]
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="monitor")
        thread.start()
        try:
            deadline = time.monotonic() + 10
            while not server.started:
                assert thread.is_alive(), "the monitor ended while starting"
                assert time.monotonic() < deadline, "the monitor did not start within 10 s"
                time.sleep(0.005)
            yield Monitor(f"http://127.0.0.1:{port}", data, settings)
        finally:
            server.should_exit = True
            thread.join(10)
