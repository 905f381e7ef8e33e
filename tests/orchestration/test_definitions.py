"""The map of what is scheduled loads, and without what it does not need."""

import subprocess
import sys

import pytest
from dagster import AssetKey, Definitions

# Dagster 1.13 reads an old attribute of pydantic's; both work, and what it warns of is not ours to change.
pytestmark = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")


@pytest.fixture
def defs() -> Definitions:
    from orchestration.definitions import defs  # here, where the warning is filtered

    return defs


def test_the_definitions_are_valid(defs: Definitions) -> None:
    Definitions.validate_loadable(defs)


def test_fills_come_after_artifacts_and_are_never_made_by_dagster(defs: Definitions) -> None:
    graph = defs.resolve_asset_graph()

    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == {
        "bars", "backtests", "artifacts", "live_fills",
    }  # fmt: skip
    assert graph.get(AssetKey("live_fills")).parent_keys == {AssetKey("artifacts")}
    assert not graph.get(AssetKey("live_fills")).is_materializable


@pytest.mark.full
def test_loading_the_definitions_leaves_vectorbt_and_the_plotting_libraries_out() -> None:
    asked = "import orchestration.definitions, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    ).stdout.split()

    assert "orchestration.assets.bars" in loaded
    assert not {"vectorbt", "plotly", "matplotlib"} & set(loaded)
