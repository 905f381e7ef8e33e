"""Immutable objects by key, in a folder or an S3 bucket.  Nothing is ever overwritten."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlparse

from data.errors import Corrupt, Unavailable, UsageError
from data.settings import DataSettings, get_settings

S3_CONNECT_TIMEOUT: Final = timedelta(seconds=2)
S3_PATIENCE: Final = timedelta(seconds=10)  # with all retries; puts are conditional, so a retry is safe
STAGED_PREFIX: Final = ".writing-"


class Storage(Protocol):
    """What the lake and the artifacts need of a place to keep bytes."""

    url: str

    def put_new(self, key: str, content: bytes) -> bool:
        """Store `content` durably; False when the key is already taken (whatever it holds)."""
        ...

    def get(self, key: str) -> bytes: ...

    def keys(self, prefix: str) -> list[str]:
        """Every object below `prefix`."""
        ...

    def staged(self, prefix: str) -> list[str]:
        """What a writer that was killed left half-written below `prefix`."""
        ...

    def age_s(self, key: str) -> float:
        """For how long the object has been there."""
        ...

    def delete(self, key: str) -> None:
        """For what nothing names: orphans and probes.  An object that is not there is no error."""
        ...


class Folder:
    """A local folder.  A crash leaves the whole object or nothing under its name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = root.absolute().as_uri()

    def put_new(self, key: str, content: bytes) -> bool:
        path = self.path(key)
        if path.exists():
            return False
        try:
            new_folders = _make_folders(path.parent)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=STAGED_PREFIX, delete=False) as file:
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
            for folder in (path.parent, *new_folders):
                _sync_folder(folder)
        except OSError as error:
            raise Unavailable(
                f"could not write {path}: {error.strerror}",
                "Check free space and permissions (`./slipway doctor`); nothing of it was published.",
            ) from error
        return True

    def get(self, key: str) -> bytes:
        path = self.path(key)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise _missing(self.url, key) from None
        except OSError as error:
            raise Unavailable(
                f"could not read {path}: {error.strerror}", "Check its owner and the disk it is on."
            ) from error

    def keys(self, prefix: str) -> list[str]:
        return [key for key in self._below(prefix) if not _is_staged(key)]

    def staged(self, prefix: str) -> list[str]:
        return [key for key in self._below(prefix) if _is_staged(key)]

    def age_s(self, key: str) -> float:
        return time.time() - self.path(key).stat().st_mtime

    def delete(self, key: str) -> None:
        path = self.path(key)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise Unavailable(
                f"could not delete {path}: {error.strerror}", "Check its owner and the disk it is on."
            ) from error

    def path(self, key: str) -> Path:
        path = self.root / key
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise UsageError(f"the key {key!r} points outside the lake", "Use a key without `..` or links.")
        return path

    def _below(self, prefix: str) -> list[str]:
        base = self.path(prefix)
        found = (path for path in base.rglob("*") if path.is_file()) if base.is_dir() else ()
        return sorted(path.relative_to(self.root).as_posix() for path in found)


class Bucket:
    """A bucket or a prefix of one, on S3 or what speaks its API."""

    def __init__(self, url: str, endpoint: str | None) -> None:
        from obstore.store import S3Store

        self.url = url
        with self._answers():
            self._store = S3Store.from_url(
                url,
                config={"endpoint": endpoint} if endpoint else None,
                client_options={"allow_http": endpoint is not None, "connect_timeout": S3_CONNECT_TIMEOUT},
                retry_config={"max_retries": 3, "retry_timeout": S3_PATIENCE},
            )

    def put_new(self, key: str, content: bytes) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with self._answers():
            try:
                obstore.put(self._store, key, content, mode="create")  # If-None-Match: *
            except AlreadyExistsError:
                return False
        return True

    def get(self, key: str) -> bytes:
        import obstore

        with self._answers(key):
            return bytes(obstore.get(self._store, key).bytes())

    def keys(self, prefix: str) -> list[str]:
        import obstore

        with self._answers():
            return sorted(entry["path"] for batch in obstore.list(self._store, prefix) for entry in batch)

    def staged(self, prefix: str) -> list[str]:
        return []  # an upload that was not finished is no object

    def age_s(self, key: str) -> float:
        import obstore

        with self._answers(key):
            return time.time() - obstore.head(self._store, key)["last_modified"].timestamp()

    def delete(self, key: str) -> None:
        import obstore

        with self._answers():
            obstore.delete(self._store, key)

    @contextmanager
    def _answers(self, key: str | None = None) -> Iterator[None]:
        """Every way in which a bucket can say no, as a sentence with its fix."""
        try:
            yield
        except Exception as error:
            # obstore has types for what happens to an object, but only words for what happens to a listing.
            told = str(error)
            if "NoSuchBucket" in told:
                raise Unavailable(
                    f"the bucket of the lake at {self.url} does not exist",
                    "Create it, or let SLIPWAY_LAKE_URL name another.",
                ) from error
            if key is not None and isinstance(error, FileNotFoundError):
                raise _missing(self.url, key) from None
            if "403 Forbidden" in told or "401 Unauthorized" in told:
                raise Unavailable(
                    f"the lake at {self.url} denies access",
                    "Check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role) and the "
                    "bucket's policy.",
                ) from error
            raise Unavailable(
                f"the lake at {self.url} did not answer: {told.splitlines()[0]}",
                "Check SLIPWAY_LAKE_URL, the credentials and the network.",
            ) from error


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


def _is_staged(key: str) -> bool:
    return key.rpartition("/")[2].startswith(STAGED_PREFIX)


def _missing(url: str, key: str) -> Corrupt:
    return Corrupt(f"{key} is not in the lake at {url}", "Ingest it again: `./slipway data ingest`.")


def _make_folders(folder: Path) -> list[Path]:
    """Make the folder; the folders that got a new entry by it, which a power cut must not take back."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return [each.parent for each in missing]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
