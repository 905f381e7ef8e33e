"""Files that an engine reads by their path, verified beside it: the answer is given when all of them are well."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from data import lake
from data.catalog import Piece
from data.pieces import readers
from data.storage import Folder, Storage


class Verifying:
    """What is being verified for one answer."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._running: list[Future[None]] = []

    def path(self, storage: Folder, piece: Piece) -> Path:
        """Where the file is, whose bytes are compared with the catalog from now on."""
        path = storage.path(piece.path)
        self._running.append(
            self._pool.submit(lake.verify_file, path, piece.path, piece.sha256, piece.blake3)
        )
        return path

    def all_are_well(self) -> None:
        """Wait for all; raises Corrupt for the first file that is not as it was catalogued."""
        for each in self._running:
            each.result()


@contextmanager
def verifying(storage: Storage) -> Iterator[Verifying]:
    """At the end of the block all files are verified, or it raises."""
    with ThreadPoolExecutor(readers(storage), thread_name_prefix="lake") as pool:
        verify = Verifying(pool)
        yield verify
        verify.all_are_well()
