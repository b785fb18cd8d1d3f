"""Whether the clock is right: the judgement by itself, and real answers of servers on this computer."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from app.clock_check import MOST_SKEW_MS, Sample, ask, judge
from tests.alerts.servers import closed_port, raw, silent
from tests.execution.person import PersonClock

NOW = 1_700_000_000_000


def sample(skew_ms: int, *, name: str = "a", trip_ms: int = 100, into_ms: int = 400) -> Sample:
    """Of a server whose clock is right and that answers half-way, while ours is `skew_ms` ahead."""
    said = NOW - NOW % 1000
    sent = said + into_ms - trip_ms // 2 + skew_ms
    return Sample(name, said, sent, sent + trip_ms)


def several(*skews: int, **terms: int) -> list[Sample]:
    return [sample(skew, name=str(number), **terms) for number, skew in enumerate(skews)]


@given(st.integers(-100_000, 100_000), st.integers(0, 3_000), st.lists(st.integers(0, 999), min_size=2, max_size=4))
def test_it_is_never_called_right_beyond_the_limit_nor_wrong_within_it(skew: int, trip: int, into: list[int]) -> None:
    samples = [sample(skew, name=str(number), trip_ms=trip, into_ms=each) for number, each in enumerate(into)]
    verdict = judge(samples, len(samples))
    if verdict.checked:
        assert abs(skew) <= MOST_SKEW_MS
        assert verdict.worst_ms is not None
        assert abs(skew) <= verdict.worst_ms <= MOST_SKEW_MS
    elif verdict.worst_ms is None and "clock is" in verdict.words:
        assert abs(skew) > MOST_SKEW_MS
    if abs(skew) <= 500 and trip <= 500:
        assert verdict.checked, "an ordinary network and an ordinary clock"


def test_a_clock_that_is_wrong_is_told_by_how_much() -> None:
    assert "ahead: set it" in judge(several(60_000, 60_000), 2).words
    assert "behind: set it" in judge(several(-60_000, -60_000), 2).words
    assert not judge(several(60_000, 60_000), 2).checked


def test_offline_is_not_checked() -> None:
    assert judge([], 3).words == "not checked: none of 3 sources answered (offline?)"
    assert "name no source" in judge([], 0).words


def test_one_source_is_nobodys_word_but_a_venues() -> None:
    assert "not checked" in judge(several(0), 3).words
    assert judge([Sample("venue", NOW, NOW + 20, NOW + 60, coarse_ms=1)], 1, least=1).checked


def test_a_liar_is_outvoted_and_a_draw_is_not_decided() -> None:
    verdict = judge(several(0, 0, 90_000), 3)
    assert (verdict.checked, verdict.sources) == (True, ("0", "1"))
    assert not judge(several(0, 0, 90_000, 90_000), 4).checked
    assert "agree" in judge(several(0, 90_000), 2).words


def test_answers_that_take_too_long_tell_nothing() -> None:
    verdict = judge(several(0, 0, trip_ms=9_000), 2)
    assert (verdict.checked, "took too long" in verdict.words) == (False, True)


@pytest.fixture
def proxyless(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


async def test_real_answers(proxyless: None) -> None:
    said = {"/right": formatdate(NOW // 1000, usegmt=True), "/junk": "yesterday", "/zone": formatdate(NOW // 1000)}

    async def answer(request: web.Request) -> web.Response:
        headers = {"Date": said.get(request.path, said["/right"])}
        if request.path == "/cached":
            headers["Age"] = "60"
        return web.Response(status=404, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    dead = f"http://127.0.0.1:{closed_port()}"
    try:
        samples = await ask(
            [f"{base}/{each}" for each in ("right", "also", "junk", "zone", "cached")] + [dead], PersonClock(NOW)
        )
    finally:
        await runner.cleanup()
    assert [(each.said_ms, each.sent_ms, each.got_ms) for each in samples] == [(NOW, NOW, NOW)] * 2


async def test_a_server_that_says_nothing_is_given_up(proxyless: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.clock_check._PATIENCE_S", 0.2)
    async with raw(silent) as port:
        assert await ask([f"http://127.0.0.1:{port}"], PersonClock(NOW)) == ()
    assert await ask([], PersonClock(NOW)) == ()
