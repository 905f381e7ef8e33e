"""The lake: room, and whether its place really refuses to overwrite. Tried with an object that is removed again."""

import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from data.errors import SlipwayError
from data.storage import Storage, lake_storage
from infra.local.doctor.findings import Finding, note, of_error, problem
from infra.local.doctor.folders import disk
from infra.local.reach import knock
from infra.local.site import Site

STATIC_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
# Where a role's credentials come from: web identity (EKS), the container's agent (ECS). EC2 tells them at an address.
ROLE_CREDENTIALS = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
INSTANCE_METADATA = "169.254.169.254"
GIVE_CREDENTIALS = (
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role (~/.aws is not read)."
)
DO_NOT_USE = "Do not use it as a lake: two writers would overwrite each other. AWS S3 enforces it."


def examine_lake(site: Site) -> Iterator[Finding]:
    try:
        if urlsplit(site.data.lake).scheme == "s3":
            yield from _examine_bucket(site)
        else:
            yield from _examine_folder(site, lake_storage(site.data))
    except SlipwayError as error:
        yield of_error("lake", error)


def _examine_folder(site: Site, storage: Storage) -> Iterator[Finding]:
    folder = Path(unquote(urlsplit(site.data.lake).path))
    if site.data.lake_url:  # else it is on the state folder's disk
        yield disk("lake's disk", folder)
    if not folder.exists() and not site.data.lake_url:
        yield Finding("lake", f"{folder} is made when something is stored")
        return
    try:
        yield try_writing_once(storage)
    finally:
        with suppress(OSError):
            (folder / "doctor").rmdir()


def _examine_bucket(site: Site) -> Iterator[Finding]:
    given = [name for name in STATIC_CREDENTIALS if os.environ.get(name)]
    if len(given) == 1:
        yield problem("lake", f"of the credentials only {given[0]} is set", GIVE_CREDENTIALS)
        return
    if endpoint := site.data.lake_s3_endpoint:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            yield problem("lake", "SLIPWAY_LAKE_S3_ENDPOINT is no address", "Write it as https://host:port.")
            return
        port = parts.port or (443 if parts.scheme == "https" else 80)
        knock("lake's endpoint", parts.hostname, port, "SLIPWAY_LAKE_S3_ENDPOINT")
    try:
        storage = lake_storage(site.data)
    except Exception as error:  # the library's own: an address or a variable of AWS that it cannot read
        said = str(error).strip().partition("\n")[0]
        yield problem(
            "lake", f"the bucket cannot be addressed: {said}", "Correct SLIPWAY_LAKE_URL and AWS_*."
        )
        return
    try:
        yield try_writing_once(storage)
    except SlipwayError as error:
        said = str(error.__cause__)
        if (
            INSTANCE_METADATA in said
            and not given
            and not any(os.environ.get(name) for name in ROLE_CREDENTIALS)
        ):
            yield problem("lake", "there are no credentials for the bucket", GIVE_CREDENTIALS)
        elif "region" in said or "PermanentRedirect" in said:
            yield problem(
                "lake", f"the bucket of {storage.url} is in another region", "Set AWS_REGION to the bucket's."
            )
        else:
            yield of_error("lake", error)


def try_writing_once(storage: Storage) -> Finding:
    """Put, put again, read, remove. The second writer must be told that it came second."""
    key, first = f"doctor/{uuid.uuid4()}", b"first"
    try:
        if not storage.put_new(key, first):
            return problem("lake", f"{storage.url} says that a new key is taken", DO_NOT_USE)
        refuses = not storage.put_new(key, b"second")
        kept = storage.get(key) == first
    except SlipwayError:
        with suppress(SlipwayError, OSError):
            storage.delete(key)
        raise
    if not refuses or not kept:
        with suppress(SlipwayError, OSError):
            storage.delete(key)
        return problem(
            "lake", f"{storage.url} overwrites what is there (it ignores If-None-Match)", DO_NOT_USE
        )
    try:
        storage.delete(key)
    except SlipwayError as error:
        return note(
            "lake", f"the probe {key} could not be removed: {error.what}", "Allow s3:DeleteObject there."
        )
    return Finding("lake", f"{storage.url} takes each key once")
