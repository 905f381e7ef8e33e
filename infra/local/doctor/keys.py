"""What is signed and trusted here, and what production refuses."""

import os
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, urlsplit

from data.errors import SlipwayError
from data.settings import DataSettings
from data.signing import key_id, signing_key, trusted_keys
from infra.local.doctor.findings import Finding, note, of_error, problem
from infra.local.site import Site

# What the images and tutorials of PostgreSQL and Redis come with.
DEFAULT_PASSWORDS: Final = frozenset(
    {"", "postgres", "password", "secret", "changeme", "admin", "redis", "slipway"}
)


def examine_keys(site: Site) -> Iterator[Finding]:
    yield signing(site.data)
    if site.data.env == "production":
        yield from production(site)


def signing(settings: DataSettings) -> Finding:
    path = settings.keys_dir / "signing.pem"
    if not path.exists():  # asked for, signing_key would make one
        if settings.env == "production":
            return problem(
                "signing key", f"there is none at {path}", "Install one; production never makes its own."
            )
        return note("signing key", "none yet; the first publish makes one")
    try:
        public = signing_key(settings).public_key()
    except (ValueError, TypeError):
        return problem(
            "signing key", f"{path} is no unencrypted private key", "Replace it by an Ed25519 key in PEM."
        )
    except (SlipwayError, OSError) as error:
        return of_error("signing key", error)
    try:
        trusted = trusted_keys(settings)
    except ValueError:
        folder = settings.keys_dir / "trusted"
        return problem("trusted keys", f"a file in {folder} is no public key", "Remove it from that folder.")
    if (own := key_id(public)) not in trusted:
        target = settings.keys_dir / "trusted" / f"{own}.pem"
        return problem(
            "signing key",
            f"{own} is not among the {len(trusted)} trusted: what is published here is refused here",
            f"`openssl pkey -in {path} -pubout -out {target}`",
        )
    return Finding("signing key", f"{own}, one of {len(trusted)} trusted")


def production(site: Site) -> Iterator[Finding]:
    """A server is no laptop: settings that are convenient there are holes here."""
    for variable, secret in (
        ("SLIPWAY_DATABASE_URL", site.data.database_url),
        ("SLIPWAY_REDIS_URL", site.data.redis_url),
    ):
        if secret is None:
            yield note(
                "production", f"{variable} is not set: an embedded server of this machine is used", "Set it."
            )
        elif _password(secret.get_secret_value()) in DEFAULT_PASSWORDS:
            yield problem(
                "production", f"{variable} has no password or a default one", "Give the server a real one."
            )
    if os.environ.get("SLIPWAY_DEBUG"):
        yield problem(
            "production", "SLIPWAY_DEBUG shows tracebacks to whoever uses it", "Unset SLIPWAY_DEBUG."
        )
    if urlsplit(site.data.lake).scheme == "file":
        yield note(
            "production", "the lake is a folder of this machine", "Let SLIPWAY_LAKE_URL name a bucket."
        )


def _password(url: str) -> str:
    try:
        return unquote(urlsplit(url).password or "")
    except ValueError:
        return ""
