"""Ed25519 keys: the one this installation signs with, and those it trusts."""

import base64
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from data.errors import Refused
from data.settings import DataSettings


def key_id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def signing_key(settings: DataSettings) -> Ed25519PrivateKey:
    """The key of this installation.  A development machine makes its own on first use and trusts it."""
    path = settings.keys_dir / "signing.pem"
    if not path.exists():
        if settings.env == "production":
            raise Refused(
                f"there is no signing key at {path}", "Install one; production never makes its own."
            )
        _make_key(path, settings.keys_dir / "trusted")
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise Refused(f"{path} is not an Ed25519 key", "Replace it by one.")
    return key


def trusted_keys(settings: DataSettings) -> dict[str, Ed25519PublicKey]:
    """The public keys whose artifacts may run here, by key id."""
    found = {}
    for path in sorted((settings.keys_dir / "trusted").glob("*.pem")):
        key = load_pem_public_key(path.read_bytes())
        if isinstance(key, Ed25519PublicKey):
            found[key_id(key)] = key
    return found


def sign(key: Ed25519PrivateKey, content: bytes) -> str:
    return base64.b64encode(key.sign(content)).decode()


def is_signed(key: Ed25519PublicKey, content: bytes, signature: str) -> bool:
    try:
        key.verify(base64.b64decode(signature, validate=True), content)
    except (InvalidSignature, ValueError):
        return False
    return True


def _make_key(path: Path, trusted: Path) -> None:
    key = Ed25519PrivateKey.generate()
    trusted.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    public = key.public_key()
    (trusted / f"{key_id(public)}.pem").write_bytes(
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    # Written aside and linked: of two processes that make a key at once, one wins and both use it.
    aside = path.with_name(f".{key_id(public)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    try:
        os.link(aside, path)
    except FileExistsError:
        (trusted / f"{key_id(public)}.pem").unlink()
    finally:
        aside.unlink()
