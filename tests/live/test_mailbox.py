"""What waits for a client is bounded and in order, and the newest wins where it may."""

from vtapweb.live.mailbox import MOST_LATEST, MOST_OCTETS_WAITING, MOST_WAITING, Mailbox


def test_events_keep_their_order_and_progress_only_its_newest() -> None:
    box = Mailbox()
    box.put("1", overflow="!")
    box.put_latest("run 1", "a")
    box.put("2", overflow="!")
    box.put_latest("run 1", "b")
    assert [*box.take()] == ["1", "2", "b"]
    assert [*box.take()] == []
    assert not box.wake.is_set()


def test_what_is_newest_waits_while_the_queue_is_held_and_tells_when_it_replaces_something() -> None:
    box = Mailbox()
    box.hold()
    assert not box.put_latest("rates", b"1")
    assert box.put_latest("rates", b"2")
    assert not box.wake.is_set()
    assert [*box.take()] == []
    box.release(["hello"], overflow="!")
    assert box.wake.is_set()
    assert [*box.take()] == ["hello", b"2"]


def test_who_does_not_read_is_told_once_to_read_everything() -> None:
    box = Mailbox()
    told = [box.put(str(number), overflow=f"refetch {number}") for number in range(10 * MOST_WAITING)]
    assert box.waiting <= MOST_WAITING
    assert told.count(False) <= 10
    texts = [str(one) for one in box.take()]
    assert texts[0].startswith("refetch")
    assert [text for text in texts[1:] if text.startswith("refetch")] == []
    assert texts[1:] == [str(number) for number in range(10 * MOST_WAITING - len(texts) + 1, 10 * MOST_WAITING)]


def test_large_events_overflow_by_their_size() -> None:
    box = Mailbox()
    assert box.put("x" * MOST_OCTETS_WAITING, overflow="!")
    assert not box.put("x", overflow="!")
    assert [*box.take()] == ["!"]


def test_latest_keys_are_bounded_too() -> None:
    box = Mailbox()
    for number in range(MOST_LATEST + 5):
        box.put_latest(str(number), str(number))
    assert [*box.take()] == [str(number) for number in range(5, MOST_LATEST + 5)]


def test_what_comes_while_a_replay_is_read_stands_behind_it() -> None:
    box = Mailbox()
    box.hold()
    box.put("3", overflow="!")
    box.release(["1", "2"], overflow="!")
    assert [*box.take()] == ["1", "2", "3"]


def test_what_is_dropped_or_newer_while_others_go_does_not_go_as_it_was() -> None:
    box = Mailbox()
    box.put("1", overflow="!")
    box.put_latest("picture", "with names")
    box.put_latest("rates", b"1")
    going = box.take()
    assert next(going) == "1"
    box.drop_latest("picture")
    box.put_latest("rates", b"2")
    assert [*going] == [b"2"]


def test_what_is_newest_waits_for_a_replay_that_begins_while_others_go() -> None:
    box = Mailbox()
    box.put("1", overflow="!")
    box.put_latest("rates", b"1")
    going = box.take()
    assert next(going) == "1"
    box.hold()
    assert [*going] == []
    box.release(["2"], overflow="!")
    assert [*box.take()] == ["2", b"1"]
