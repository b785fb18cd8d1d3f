"""Lockstep: nothing is released while something is in progress; who waits for a person or for time holds nothing up."""

from __future__ import annotations

import asyncio

import pytest

from app.engine.activity import Activity


async def settled(activity: Activity) -> asyncio.Task[None]:
    task = asyncio.create_task(activity.settle())
    for _ in range(20):
        await asyncio.sleep(0)
    return task


async def test_idle_settles_at_once() -> None:
    assert (await settled(Activity())).done()


async def test_busy_holds_until_the_last_token_is_given_back() -> None:
    activity = Activity()
    with activity.busy():
        with activity.busy():
            task = await settled(activity)
            assert not task.done()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not task.done()
    # the count is 0 now
    await asyncio.wait_for(task, 1)


async def test_parked_work_holds_nothing_up_until_it_goes_on() -> None:
    activity, answer, done = Activity(), asyncio.get_running_loop().create_future(), asyncio.Event()

    async def work() -> None:
        with activity.busy():
            with activity.parked():
                await answer
            await asyncio.sleep(0)
            done.set()

    task = asyncio.create_task(work())
    assert (await settled(activity)).done()
    answer.set_result(None)
    await activity.settle()  # a woken task has taken its token back before this can return
    assert done.is_set()
    await task


async def test_a_chain_of_wakings_is_followed_to_its_end() -> None:
    """A future, a task that awaits it, a wait around both: each hop is a turn of the loop."""
    activity, order = Activity(), []
    answers = [asyncio.get_running_loop().create_future() for _ in range(5)]

    async def work(number: int) -> None:
        with activity.busy():
            with activity.parked():
                await asyncio.wait({answers[number]})
            order.append(number)
            if number + 1 < len(answers):
                answers[number + 1].set_result(None)

    tasks = [asyncio.create_task(work(number)) for number in range(5)]
    await activity.settle()
    answers[0].set_result(None)
    await activity.settle()
    assert order == [0, 1, 2, 3, 4]
    await asyncio.gather(*tasks)


async def test_work_that_raises_gives_its_token_back() -> None:
    activity = Activity()
    with pytest.raises(ZeroDivisionError), activity.busy(), activity.parked():
        raise ZeroDivisionError
    assert (await settled(activity)).done()
