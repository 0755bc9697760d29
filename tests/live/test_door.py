"""Who is looked at again, and what an answer is worth that was asked for before something happened."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.live.sockets import until
from vtapweb.access.viewer import Viewer
from vtapweb.domain.scope import Scope
from vtapweb.live.consumers import LiveConsumer
from vtapweb.live.door import Door
from vtapweb.live.hub import Hub
from vtapweb.live.mailbox import Client
from vtapweb.live.walls import PICTURE_PLACE
from vtapweb.wall.door import Seat

pytestmark = pytest.mark.django_db(transaction=True)


class Screen:
    """A guest that is no display; `when_asked` is called with how often he was looked at, before the look goes on."""

    def __init__(self, when_asked: Callable[[int], None]) -> None:
        self.asked = 0
        self.seen_at: list[int] = []
        self._when_asked = when_asked

    @property
    def scope(self) -> Any:
        self.asked += 1
        self._when_asked(self.asked)
        return {"headers": [], "query_string": b"as=display"}

    def seen(self, who: Viewer | Seat | None) -> None:
        assert who is None
        self.seen_at.append(self.asked)


async def looked_at(screen: Screen, door: Door) -> None:
    """Look at once, until he was told."""
    door.enter(screen, is_display=True)
    door.look_at(screen)
    task = asyncio.create_task(door.run())
    await until(lambda: asyncio.sleep(0, bool(screen.seen_at)))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_answer_that_was_asked_for_before_something_happened_is_not_taken() -> None:
    door = Door()

    def said_meanwhile(asked: int) -> None:
        if asked == 1:
            asyncio.get_running_loop().call_soon(door.look_at, screen)

    screen = Screen(said_meanwhile)
    await looked_at(screen, door)
    assert screen.seen_at == [2]


async def test_a_picture_that_waits_does_not_go_when_a_look_finds_visitors() -> None:
    display = Seat(display_id=1, group_id=2, scope=Scope.everything(), is_masked=False)
    screen = LiveConsumer()
    screen.hub, screen.client = Hub(), Client(display.scope, display)
    screen.client.mailbox.put_latest(PICTURE_PLACE, "with names")
    screen.seen(display)
    assert screen.client.mailbox.waiting == 1
    screen.seen(replace(display, is_masked=True))
    assert screen.client.mailbox.waiting == 0


async def test_a_look_that_fails_is_not_the_last_one() -> None:
    def fails_once(asked: int) -> None:
        if asked == 1:
            raise RuntimeError("nobody expected this")

    screen = Screen(fails_once)
    door = Door()
    await looked_at(screen, door)
    assert screen.seen_at[0] == 2
