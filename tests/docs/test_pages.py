"""What the pages name exists: commands, options, settings, routes, files, packages."""

import importlib.metadata
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pages import PAGES, anchors, commands, links

from data.settings import ROOT

README_LINES_MAX = 150
IMAGE_BYTES_MAX = 300 * 1024

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def tree() -> Any:
    from orchestration.cli.app import app

    return typer.main.get_command(app)


def leaf_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the first words name, and the words left for it."""
    command, rest = tree(), list(words)
    while rest and hasattr(command, "commands"):
        name = rest.pop(0)
        if name.startswith("-"):
            return command, [name, *rest]
        assert name in command.commands, f"`slipway {' '.join(words)}`: there is no command {name!r}"
        command = command.commands[name]
    return command, rest


def options_of(command: Any) -> set[str]:
    found = {text for each in command.params for text in (*each.opts, *each.secondary_opts)}
    return found | {"--help", "-h", "--debug"}


def complaints(text: str) -> list[str]:
    found = []
    for words in commands(text):
        try:
            command, rest = leaf_of([word.rstrip(".,;:") for word in words])
        except AssertionError as error:
            found.append(str(error))
            continue
        if command.name == "test":
            continue  # further arguments go to pytest
        given = {word for word in rest if re.fullmatch(r"--?[a-z][a-z-]*", word)}
        found += [f"`slipway {' '.join(words)}` has no option {odd}" for odd in given - options_of(command)]
    return found


@pytest.mark.full
@pages
def test_every_command_and_option_that_a_page_names_exists(page: Path) -> None:
    assert complaints(page.read_text()) == []


@pytest.mark.full
def test_every_command_that_an_error_recommends_exists() -> None:
    rooms = ("data", "execution", "research", "api", "infra", "orchestration")
    found = {
        f"{path.relative_to(ROOT)}: {complaint}"
        for room in rooms
        for path in (ROOT / room).rglob("*.py")
        for quoted in re.findall(r"`(\./slipway [^`{]*)", path.read_text())
        for complaint in complaints(quoted.replace("STRATEGY", "crossover").replace("VERSION", "crossover"))
    }
    assert found == set()


def test_every_command_is_on_the_orchestration_page() -> None:
    told = (ROOT / "docs" / "orchestration.md").read_text()

    def names(command: Any, prefix: str = "") -> list[str]:
        if not hasattr(command, "commands"):
            return [prefix]
        return [
            name for key, each in command.commands.items() for name in names(each, f"{prefix} {key}".strip())
        ]

    assert [name for name in names(tree()) if f"`{name}`" not in told] == []


@pages
def test_every_link_leads_somewhere(page: Path) -> None:
    for file, anchor in links(page):
        target = (page.parent / file) if file else page
        assert target.exists(), f"{page.name} links to {file}, which does not exist"
        if anchor:
            assert anchor in anchors(target), f"{target.name} has no heading for #{anchor}"


@pages
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    named = re.findall(
        r"`((?:data|execution|research|orchestration|api|infra|tests|docs|notebooks|requirements)/[\w./-]+)`",
        page.read_text(),
    )
    made = {"api/web/dist"}  # by the build
    there = [name for name in named if (ROOT / name).exists() or list(ROOT.glob(f"{name}.*"))]
    assert {name for name in named if "NNNN" not in name} - made - set(there) == set()


@pages
def test_every_setting_that_a_page_names_is_read_somewhere(page: Path) -> None:
    named = set(re.findall(r"SLIPWAY_[A-Z0-9_]*[A-Z0-9]", page.read_text()))
    others = {"SLIPWAY_PYTHON", "SLIPWAY_FAILPOINT", "SLIPWAY_FAILPOINT_SOCKET", "SLIPWAY_DEBUG"}
    assert named - all_settings() - others == set()


def test_every_setting_is_on_a_page() -> None:
    told = "".join(page.read_text() for page in PAGES)
    assert {name for name in all_settings() if not re.search(rf"{name}\b", told)} == set()


def all_settings() -> set[str]:
    from api.settings import ApiSettings
    from data.settings import DataSettings
    from data.sources.alpaca import AlpacaDataSettings
    from data.sources.bybit import BybitSettings
    from data.sources.synthetic.settings import SyntheticSettings
    from execution.broker.credentials import BrokerSettings
    from execution.feeds.settings import FeedSettings
    from execution.settings import ExecutionSettings
    from infra.settings import InfraSettings

    found = set()
    of_data = (DataSettings, AlpacaDataSettings, BybitSettings, SyntheticSettings)
    for model in (*of_data, ExecutionSettings, BrokerSettings, FeedSettings, ApiSettings, InfraSettings):
        prefix = model.model_config["env_prefix"]
        for name, field in model.model_fields.items():
            alias = field.validation_alias
            found.add(alias if isinstance(alias, str) else f"{prefix}{name}".upper())
    return found


def test_every_route_that_a_page_names_exists(database_url: str, redis_url: str) -> None:
    from api.app import create_app
    from api.routing import routes_of

    there = {route.path for route, _ in routes_of(create_app())}
    named = set(re.findall(r"/api/[a-z/]+[a-z](?:\.json)?", (ROOT / "docs" / "api.md").read_text()))
    assert {path for path in named if not path.startswith("/api/web")} - there == set()


def test_the_readme_is_short_and_its_pictures_small() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES_MAX
    pictures = list((ROOT / "docs" / "images").iterdir())
    assert [each.name for each in pictures if each.stat().st_size > IMAGE_BYTES_MAX] == []


def test_the_readme_shows_the_steps_that_the_demo_has() -> None:
    from orchestration.demo import STEPS

    shown = re.findall(rf"^(\d+)/{STEPS} ([\w ]+):", (ROOT / "README.md").read_text(), re.MULTILINE)
    source = (ROOT / "orchestration" / "demo.py").read_text()
    steps = re.findall(r'self\.step\(\s*f?"([\w ]+):', source)
    assert shown == [(str(number), name) for number, name in enumerate(steps, start=1)]
    assert len(steps) == STEPS


@pages
def test_no_page_names_a_machines_path(page: Path) -> None:
    assert re.findall(r"(?:/work|/home|/root|/tmp)/\S*", page.read_text()) == []


def test_the_decisions_are_numbered_without_gaps_and_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    written = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [int(name[:4]) for name in written] == list(range(1, len(written) + 1))
    index = (folder / "README.md").read_text()
    assert [name for name in written if f"({name})" not in index] == []
    for name in written:
        for part in ("**Context.**", "**Decision.**", "**Consequences.**"):
            assert part in (folder / name).read_text(), f"{name} has no {part}"


@pytest.mark.full
def test_the_notice_names_every_direct_dependency_and_its_licence_family() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    names = {re.split(r"[\[<>=!~ ;]", each)[0] for each in wanted} - {"slipway"}
    notice = (ROOT / "NOTICE").read_text()
    assert [name for name in sorted(names) if not re.search(rf"\b{re.escape(name)}\b", notice)] == []
    copyleft = {name for name in names if "GPL" in licence_of(name) or "MPL" in licence_of(name)}
    assert copyleft == {"psycopg", "psycopg2-binary", "hypothesis"}, (
        "a copyleft licence is not named as one in NOTICE"
    )


def licence_of(package: str) -> str:
    told = importlib.metadata.metadata(package)
    classifiers = [text for text in told.get_all("Classifier") or [] if text.startswith("License")]
    return " ".join([told.get("License-Expression") or "", *classifiers])


def test_the_notice_names_what_the_page_is_made_of() -> None:
    import json

    page = json.loads((ROOT / "api" / "web" / "package.json").read_text())
    notice = (ROOT / "NOTICE").read_text()
    unnamed = [
        name
        for name in (*page["dependencies"], *page["devDependencies"])
        if name not in notice and not name.startswith("@types/")
    ]
    assert unnamed == []
