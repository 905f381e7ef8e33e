"""A viewer that does not keep up is dropped; the others never notice."""

import asyncio

from api.viewer import TOO_SLOW, Viewer


async def queued(viewer: Viewer, count: int) -> list[str]:
    return [await asyncio.wait_for(viewer.next(), 1) for _ in range(count)]


def test_a_viewer_that_lags_is_dropped_and_never_waited_for() -> None:
    async def lag() -> Viewer:
        viewer = Viewer("paper", frames_max=8)
        for number in range(9):
            viewer.offer(str(number))
        return viewer

    assert asyncio.run(lag()).ending.result().code == TOO_SLOW


def test_a_busy_viewer_does_without_prices() -> None:
    async def busy() -> list[str]:
        viewer = Viewer("paper", frames_max=8)
        for _ in range(4):
            viewer.offer_if_idle("price")
        viewer.offer("order")
        return await queued(viewer, 3)

    assert asyncio.run(busy()) == ["price", "price", "order"]


def test_changes_wait_while_a_snapshot_is_being_taken() -> None:
    async def taken() -> list[str]:
        viewer = Viewer("paper", frames_max=8)
        viewer.hold()
        viewer.offer("change during")
        viewer.release("snapshot")
        viewer.offer("change after")
        return await queued(viewer, 3)

    assert asyncio.run(taken()) == ["snapshot", "change during", "change after"]


def test_a_snapshot_that_takes_too_long_does_not_hoard_changes() -> None:
    async def endless() -> Viewer:
        viewer = Viewer("paper", frames_max=8)
        viewer.hold()
        for number in range(100):
            viewer.offer(str(number))
        return viewer

    assert asyncio.run(endless()).ending.result().code == TOO_SLOW
