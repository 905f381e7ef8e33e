"""The benchmark of candles runs, on few of them; its figures are for `slipway bench`."""

import pytest

from orchestration.benchmarks.candles import compare_candles


@pytest.mark.full
def test_every_contest_has_us_first_and_a_peer_behind(database_url: str) -> None:
    timed = list(compare_candles(rows=2_000, rounds=1, database_url=database_url))
    contests: dict[str, list[str]] = {}
    for each in timed:
        assert each.seconds > 0
        assert each.rows in (2_000, 200)
        contests.setdefault(each.contest, []).append(each.name)
    assert list(contests) == ["first load", "corrections", "the same again"]
    assert all(names[0] == "slipway" and len(names) > 1 for names in contests.values())
