"""What the page believes about the API is what the API says."""

import json
from pathlib import Path

from api.contract import typescript

WEB = Path(__file__).parents[2] / "api" / "web"


def test_the_pages_types_are_made_from_the_messages() -> None:
    committed = (WEB / "src" / "client" / "contract.ts").read_text()
    assert committed == typescript(), (
        "messages.py changed; run: python -m api.contract > api/web/src/client/contract.ts"
    )


def test_the_pages_lock_names_no_host() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
    assert "http" not in json.dumps([package.get("dependencies") for package in lock["packages"].values()])


def test_components_stay_small() -> None:
    long = {
        path.name: lines
        for path in (WEB / "src").rglob("*.ts*")
        if path.name != "contract.ts" and (lines := len(path.read_text().splitlines())) > 200
    }
    assert long == {}
