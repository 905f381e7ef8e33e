"""Immutable objects by key, in a folder or an S3 bucket.  Nothing is ever overwritten."""

import os
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlparse

from data.errors import Corrupt, Unavailable, UsageError
from data.settings import DataSettings, get_settings

S3_CONNECT_TIMEOUT: Final = timedelta(seconds=2)
S3_PATIENCE: Final = timedelta(seconds=10)  # with all retries; puts are conditional, so a retry is safe


class Storage(Protocol):
    """What the lake and the artifacts need of a place to keep bytes."""

    url: str

    def put_new(self, key: str, content: bytes) -> bool:
        """Store `content` durably; False when the key is already taken (whatever it holds)."""
        ...

    def get(self, key: str) -> bytes: ...

    def keys(self, prefix: str) -> list[str]: ...


class Folder:
    """A local folder.  A crash leaves the whole object or nothing under its name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = root.absolute().as_uri()

    def put_new(self, key: str, content: bytes) -> bool:
        path = self._path(key)
        if path.exists():
            return False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".writing-", delete=False) as file:
                staged = Path(file.name)
                try:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                    os.link(staged, path)  # unlike a rename, refuses to replace
                except FileExistsError:
                    return False
                finally:
                    staged.unlink()
            _sync_folder(path.parent)
        except OSError as error:
            raise Unavailable(
                f"could not write {path}: {error.strerror}",
                "Check free space and permissions (`./slipway doctor`); nothing was published.",
            ) from error
        return True

    def get(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            raise _missing(self.url, key) from None

    def keys(self, prefix: str) -> list[str]:
        base = self._path(prefix)
        if not base.is_dir():
            return []
        found = (path for path in base.rglob("*") if path.is_file() and not path.name.startswith(".writing-"))
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    def _path(self, key: str) -> Path:
        path = self.root / key
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise UsageError(f"the key {key!r} points outside the lake", "Use a key without `..` or links.")
        return path


class Bucket:
    """A bucket or a prefix of one, on S3 or what speaks its API."""

    def __init__(self, url: str, endpoint: str | None) -> None:
        from obstore.store import S3Store

        self.url = url
        self._store = S3Store.from_url(
            url,
            config={"endpoint": endpoint} if endpoint else None,
            client_options={"allow_http": endpoint is not None, "connect_timeout": S3_CONNECT_TIMEOUT},
            retry_config={"max_retries": 3, "retry_timeout": S3_PATIENCE},
        )

    def put_new(self, key: str, content: bytes) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError

        try:
            obstore.put(self._store, key, content, mode="create")  # If-None-Match: *
        except AlreadyExistsError:
            return False
        except Exception as error:
            raise self._unreachable(error) from error
        return True

    def get(self, key: str) -> bytes:
        import obstore

        try:
            return bytes(obstore.get(self._store, key).bytes())
        except FileNotFoundError:
            raise _missing(self.url, key) from None
        except Exception as error:
            raise self._unreachable(error) from error

    def keys(self, prefix: str) -> list[str]:
        import obstore

        return sorted(entry["path"] for batch in obstore.list(self._store, prefix) for entry in batch)

    def _unreachable(self, error: Exception) -> Unavailable:
        return Unavailable(
            f"the lake at {self.url} did not answer: {str(error).splitlines()[0]}",
            "Check SLIPWAY_LAKE_URL, the credentials and the network.",
        )


def lake_storage(settings: DataSettings | None = None) -> Storage:
    """The lake that the settings name."""
    settings = settings or get_settings()
    parsed = urlparse(settings.lake)
    if parsed.scheme == "file":
        return Folder(Path(unquote(parsed.path)))
    if parsed.scheme == "s3":
        return Bucket(settings.lake, settings.lake_s3_endpoint)
    raise UsageError(
        f"SLIPWAY_LAKE_URL={settings.lake!r} is neither file:// nor s3://", "Use one of the two."
    )


def _missing(url: str, key: str) -> Corrupt:
    return Corrupt(f"{key} is not in the lake at {url}", "Ingest it again: `./slipway data ingest`.")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
