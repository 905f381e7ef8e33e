"""The benchmark of latency runs, on few ticks; its figures are for `slipway bench`."""

import shutil
from pathlib import Path

import pytest

from orchestration.benchmarks.latency import IN_C, NO_C, OURS, REDIS_PY, TICKS, Comparison, compare_latency


def check(told: Comparison, names: list[str]) -> None:
    assert [each.name for each in told.latencies] == names
    for each in told.latencies:
        assert each.ticks == 2 * TICKS
        assert 0 < each.p50_us <= each.p99_us <= each.p999_us
        assert each.our_p50_over_theirs > 0
    assert told.latencies[0].our_p50_over_theirs == 1.0


@pytest.mark.full
def test_all_ways_decide_the_same_and_ours_comes_first() -> None:
    told = compare_latency(rounds=2)
    check(told, [OURS, REDIS_PY, IN_C] if not told.left_out else [OURS, REDIS_PY])
    assert told.left_out in ("", NO_C)


@pytest.mark.full
def test_without_a_compiler_the_c_peer_is_left_out_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tool in ("setpriv",):  # what starts the server
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    monkeypatch.setenv("PATH", str(tmp_path))
    told = compare_latency(rounds=2)
    check(told, [OURS, REDIS_PY])
    assert told.left_out == NO_C
