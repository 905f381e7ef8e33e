"""An artifact is exactly what was signed, or it is refused and nothing of it runs."""

import json
from pathlib import Path

import msgspec
import pytest

from data import artifacts, signing
from data.artifacts import SCHEMA, Costs, Manifest, PinnedPartition
from data.errors import Refused, SlipwayError, UsageError
from data.lake import sha256
from data.settings import DataSettings, get_settings

SOURCE = b"print('only ever read as text here')\n"


def manifest(**changes: object) -> Manifest:
    made = Manifest(
        schema=SCHEMA,
        strategy="crossover",
        class_name="Crossover",
        params={"fast": 10, "slow": 50},
        universe=["AAA"],
        source="synthetic",
        timeframe="1m",
        timing="next_open",
        capital=100_000.0,
        costs=Costs(1.0, 0.0, 0.0),
        anchor="2026-08-03",
        trade_from="2026-08-03",
        last_session="2026-09-29",
        warm_up_bars=49,
        snapshot=7,
        partitions=[PinnedPartition("bars/x", "0" * 64)],
        git_commit="unknown",
        git_dirty=True,
        lock_sha256="0" * 64,
        trials=1,
        metrics={"sharpe": 1.25, "calmar": None},
        as_of="2026-09-30T00:00:00+00:00",
        author="quant",
        files={},
    )
    return msgspec.structs.replace(made, **changes)


def published(**changes: object) -> tuple[str, Path]:
    digest = artifacts.publish(manifest(**changes), {"strategy.py": SOURCE, "report.html": b"<html>"})
    return digest, get_settings().state_dir / "lake" / "artifacts" / digest


def test_what_was_published_is_what_is_loaded() -> None:
    digest, _ = published()
    loaded = artifacts.load(digest)
    assert loaded.strategy_source.encode() == SOURCE
    assert loaded.manifest.params == {"fast": 10, "slow": 50}
    assert loaded.hash == digest


def test_publishing_the_same_thing_again_changes_nothing() -> None:
    first, folder = published()
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert published()[0] == first
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


@pytest.mark.full
def test_one_flipped_bit_at_every_byte_of_every_file_is_refused() -> None:
    digest, folder = published()
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for at in range(len(content)):
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            with pytest.raises(Refused):
                artifacts.load(digest)
        path.write_bytes(content)
    assert artifacts.load(digest).hash == digest


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        (lambda folder: (folder / "extra.py").write_text("import os"), "not the ones its manifest lists"),
        (lambda folder: (folder / "report.html").unlink(), "not the ones its manifest lists"),
        (lambda folder: (folder / "strategy.py").write_bytes(SOURCE[:-5]), "not the file that was signed"),
        (lambda folder: (folder / "manifest.sig").write_text("{}"), "signature cannot be read"),
    ],
)
def test_a_tampered_folder_is_refused(attack: object, said: str) -> None:
    digest, folder = published()
    attack(folder)  # type: ignore[operator]
    with pytest.raises(Refused, match=said):
        artifacts.load(digest)


def test_a_manifest_under_another_name_is_refused() -> None:
    _, folder = published()
    other = folder.with_name("f" * 64)
    folder.rename(other)
    with pytest.raises(Refused, match="not the one it is named after"):
        artifacts.load("f" * 64)


def test_a_signature_by_a_key_that_is_not_trusted_is_refused(state_dir: Path) -> None:
    digest, _ = published()
    for key in (state_dir / "keys" / "trusted").iterdir():
        key.unlink()
    with pytest.raises(Refused, match="not trusted here"):
        artifacts.load(digest)


def test_a_signature_over_something_else_is_refused() -> None:
    _, first = published()
    digest, second = published(capital=5.0)
    (second / "manifest.sig").write_bytes((first / "manifest.sig").read_bytes())
    with pytest.raises(Refused, match="does not fit"):
        artifacts.load(digest)


def forged(written: dict[str, object]) -> str:
    """A manifest that our own key signed, whatever it says: what a stolen publisher could make."""
    settings = get_settings()
    content = json.dumps(written, sort_keys=True, separators=(",", ":")).encode()
    key = signing.signing_key(settings)
    folder = settings.state_dir / "lake" / "artifacts" / sha256(content)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(content)
    signature = {"key_id": signing.key_id(key.public_key()), "signature": signing.sign(key, content)}
    (folder / "manifest.sig").write_text(json.dumps(signature))
    return folder.name


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"surprise": 1}, "does not follow"),
        ({"schema": "slipway.artifact/2"}, "this Slipway reads"),
        ({"files": {"../../escape.py": {"sha256": "0" * 64, "size": 1}}}, "not the ones its manifest lists"),
        ({"files": {f"{n}.py": {"sha256": "0" * 64, "size": 1} for n in range(65)}}, "more than 64 files"),
    ],
)
def test_a_signed_manifest_that_breaks_the_format_is_refused(changes: dict[str, object], said: str) -> None:
    plain = msgspec.to_builtins(manifest())
    with pytest.raises(Refused, match=said):
        artifacts.load(forged({**plain, **changes}))


def test_files_of_other_kinds_and_sizes_are_refused() -> None:
    for name, content, said in (
        ("model.pkl", b"x", "a kind of file"),
        ("data.parquet", b"not parquet", "is not parquet"),
    ):
        digest = artifacts.publish(manifest(), {"strategy.py": SOURCE, name: content})
        with pytest.raises(Refused, match=said):
            artifacts.load(digest)


def test_an_artifact_that_does_not_exist_is_an_error_with_the_fix() -> None:
    with pytest.raises(UsageError, match="not an artifact hash"):
        artifacts.load("crossover")
    with pytest.raises(SlipwayError, match="is not in the lake"):
        artifacts.load("a" * 64)


def test_the_signing_key_is_made_once_private_and_never_in_production(state_dir: Path) -> None:
    settings = DataSettings(state_dir=state_dir)
    first = signing.signing_key(settings)
    assert signing.key_id(first.public_key()) == signing.key_id(signing.signing_key(settings).public_key())
    assert (state_dir / "keys" / "signing.pem").stat().st_mode & 0o777 == 0o600
    with pytest.raises(Refused, match="no signing key"):
        signing.signing_key(DataSettings(state_dir=state_dir / "elsewhere", env="production"))
