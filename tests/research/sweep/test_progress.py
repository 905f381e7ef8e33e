"""A sweep tells how far it is, what is left and the best so far."""

from research.sweep import SweepProgress


def test_progress_reads_as_a_sentence() -> None:
    told = SweepProgress(1200, 10_000, 3.0, 22.0, "max_drawdown", {"fast": 5, "stop": 0.0123456}, -0.08123)
    assert str(told) == "1,200 of 10,000 sets, 22 s left, best max drawdown -0.0812 at fast=5, stop=0.01235"
    assert str(SweepProgress(0, 10, 0.0, None, "sharpe", None, None)) == "0 of 10 sets"
    assert SweepProgress(1, 1, 0.0, 0.0, "sharpe", {}, 2.0).so_far == "best sharpe 2 at its defaults"
