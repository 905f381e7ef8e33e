"""Strategy artifacts: a folder in the lake, named by its manifest's hash, signed, never changed.

The manifest is stored last: an artifact exists exactly when its manifest does.
"""

import io
import json
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import pyarrow.parquet as pq

from data import signing
from data.errors import Corrupt, Refused, UsageError
from data.lake import sha256
from data.settings import DataSettings, get_settings
from data.storage import Storage, lake_storage

SCHEMA: Final = "slipway.artifact/1"
HASH_LENGTH: Final = 64

# What a well-meant artifact never reaches; what lies above is refused before it is decoded.
MAX_MANIFEST_BYTES: Final = 8 * 2**20
MAX_FILE_BYTES: Final = 64 * 2**20
MAX_FILES: Final = 64
MAX_ROWS: Final = 20_000_000
MAX_COLUMNS: Final = 200
ALLOWED_SUFFIXES: Final = (".py", ".parquet", ".html", ".onnx")


class Costs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What trading costs, as the research assumed it."""

    slippage_bps: float
    commission_bps: float
    commission_min: float


class StoredFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str
    size: int


class PinnedPartition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that decides what the strategy does, and how it came to be."""

    schema: str
    strategy: str  # the family's name
    class_name: str
    params: dict[str, int | float | str | bool]
    universe: list[str]
    source: str
    timeframe: str
    timing: str  # when an order decided on a close fills
    capital: float
    costs: Costs
    anchor: str  # session from whose first bar features are computed, in research and live alike
    trade_from: str  # first session that may trade
    last_session: str
    warm_up_bars: int
    snapshot: int
    partitions: list[PinnedPartition]
    git_commit: str
    git_dirty: bool
    lock_sha256: str
    trials: int
    metrics: dict[str, float | None]
    as_of: str  # when the data it saw was published: the same inputs give the same artifact
    author: str
    files: dict[str, StoredFile]


@dataclass(frozen=True, slots=True)
class Artifact:
    """A verified artifact: every byte of it is what was signed."""

    hash: str
    manifest: Manifest
    files: dict[str, bytes]

    @property
    def strategy_source(self) -> str:
        return self.files["strategy.py"].decode()


def canonical(manifest: Manifest) -> bytes:
    """The one way to write a manifest down; its hash is the artifact's name."""
    plain = msgspec.to_builtins(manifest)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def publish(
    manifest: Manifest,
    files: dict[str, bytes],
    *,
    storage: Storage | None = None,
    settings: DataSettings | None = None,
) -> str:
    """Sign and store; returns the artifact's hash.  Publishing the same thing again changes nothing."""
    settings = settings or get_settings()
    storage = storage or lake_storage(settings)
    described = {name: StoredFile(sha256(content), len(content)) for name, content in files.items()}
    written = canonical(msgspec.structs.replace(manifest, schema=SCHEMA, files=described))
    digest = sha256(written)
    key = signing.signing_key(settings)
    signature = {"key_id": signing.key_id(key.public_key()), "signature": signing.sign(key, written)}
    for name, content in files.items():
        _put_same(storage, f"artifacts/{digest}/{name}", content)
    _put_same(storage, f"artifacts/{digest}/manifest.sig", json.dumps(signature).encode())
    _put_same(storage, f"artifacts/{digest}/manifest.json", written)
    return digest


def load(digest: str, *, storage: Storage | None = None, settings: DataSettings | None = None) -> Artifact:
    """Read an artifact and refuse it unless everything about it is as it was signed."""
    settings = settings or get_settings()
    storage = storage or lake_storage(settings)
    if len(digest) != HASH_LENGTH or not set(digest) <= set("0123456789abcdef"):
        raise UsageError(f"{digest!r} is not an artifact hash", "See `./slipway versions`.")
    written = storage.get(f"artifacts/{digest}/manifest.json")
    if len(written) > MAX_MANIFEST_BYTES:
        raise _refused(digest, f"its manifest is larger than {MAX_MANIFEST_BYTES} bytes")
    if sha256(written) != digest:
        raise _refused(digest, "its manifest is not the one it is named after")
    _verify_signature(digest, written, storage.get(f"artifacts/{digest}/manifest.sig"), settings)
    manifest = _decode(digest, written)
    present = {key.removeprefix(f"artifacts/{digest}/") for key in storage.keys(f"artifacts/{digest}")}
    expected = {*manifest.files, "manifest.json", "manifest.sig"}
    if present != expected:
        odd = ", ".join(sorted(present ^ expected))
        raise _refused(digest, f"its files are not the ones its manifest lists ({odd})")
    files = {name: _read_file(storage, digest, name, stored) for name, stored in manifest.files.items()}
    if "strategy.py" not in files:
        raise _refused(digest, "it holds no strategy.py")
    return Artifact(digest, manifest, files)


def _decode(digest: str, written: bytes) -> Manifest:
    try:
        manifest = msgspec.json.decode(written, type=Manifest)
    except msgspec.ValidationError as error:
        raise _refused(digest, f"its manifest does not follow {SCHEMA}: {error}") from error
    if manifest.schema != SCHEMA:
        raise _refused(digest, f"its manifest follows {manifest.schema!r}, this Slipway reads {SCHEMA!r}")
    if len(manifest.files) > MAX_FILES:
        raise _refused(digest, f"it lists more than {MAX_FILES} files")
    return manifest


def _verify_signature(digest: str, written: bytes, envelope: bytes, settings: DataSettings) -> None:
    try:
        told: Any = json.loads(envelope)
        key_id, signature = str(told["key_id"]), str(told["signature"])
    except (ValueError, KeyError, TypeError) as error:
        raise _refused(digest, "its signature cannot be read") from error
    key = signing.trusted_keys(settings).get(key_id)
    if key is None:
        raise _refused(digest, f"it is signed by the key {key_id}, which is not trusted here")
    if not signing.is_signed(key, written, signature):
        raise _refused(digest, "its signature does not fit its manifest")


def _read_file(storage: Storage, digest: str, name: str, stored: StoredFile) -> bytes:
    if not name.endswith(ALLOWED_SUFFIXES):
        raise _refused(digest, f"it holds {name!r}, a kind of file that artifacts do not carry")
    if stored.size > MAX_FILE_BYTES:
        raise _refused(digest, f"{name} is larger than {MAX_FILE_BYTES} bytes")
    content = storage.get(f"artifacts/{digest}/{name}")
    if len(content) != stored.size or sha256(content) != stored.sha256:
        raise _refused(digest, f"{name} is not the file that was signed")
    if name.endswith(".parquet"):
        try:
            footer = pq.read_metadata(io.BytesIO(content))
        except Exception as error:
            raise _refused(digest, f"{name} is not parquet") from error
        if footer.num_rows > MAX_ROWS or footer.num_columns > MAX_COLUMNS:
            raise _refused(digest, f"{name} has {footer.num_rows} rows and {footer.num_columns} columns")
    return content


def _refused(digest: str, reason: str) -> Refused:
    return Refused(
        f"the artifact {digest[:12]} is refused: {reason}",
        "Publish it again from its research, and find out who touched the lake.",
    )


def _put_same(storage: Storage, key: str, content: bytes) -> None:
    if not storage.put_new(key, content) and storage.get(key) != content:
        raise Corrupt(f"{key} is taken by something else", "Move it out of the lake and publish again.")
