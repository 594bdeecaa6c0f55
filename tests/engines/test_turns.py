"""Turns: how long pictures may hold a video up, and in which order tasks are taken."""

import threading
from dataclasses import dataclass, field

import pytest

from gen_video.engines.errors import EngineCancelledError
from gen_video.engines.frames import Frame
from gen_video.engines.turns import MOST_OPEN_PARTS, Outbox, Tray, Turns
from tests.engines.waiting import PATIENCE_SECONDS


@dataclass
class Clock:
    """A clock that the test moves."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Day:
    """A video and the pictures beside it: a letter for each second, by who had it."""

    share: float
    clock: Clock = field(default_factory=Clock)
    seconds: str = ""

    def __post_init__(self) -> None:
        self.turns = Turns(video_share=self.share, clock=self.clock)

    def work(self, *, picture_seconds: int) -> None:
        """Let one step of the video pass, then a picture if it is its turn."""
        self.clock.now += 1
        self.seconds += "v"
        if self.turns.is_pictures_turn():
            with self.turns.picture():
                self.clock.now += picture_seconds
            self.seconds += "p" * picture_seconds


def test_at_a_share_of_nothing_every_picture_comes_first() -> None:
    day = Day(share=0.0)

    for _ in range(4):
        day.work(picture_seconds=3)

    assert day.seconds == "vppp" * 4


def test_at_half_a_picture_is_paid_back_before_the_next() -> None:
    day = Day(share=0.5)

    for _ in range(8):
        day.work(picture_seconds=3)

    assert day.seconds == "vpppvvpppvvvpppvv"


def test_at_a_whole_share_no_picture_ever_comes() -> None:
    day = Day(share=1.0)

    for _ in range(50):
        day.work(picture_seconds=1)

    assert day.seconds == "v" * 50


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.8])
@pytest.mark.parametrize("picture_seconds", [1, 3, 10])
def test_a_video_keeps_its_share_but_for_one_picture(share: float, picture_seconds: int) -> None:
    day = Day(share=share)

    for _ in range(200):
        day.work(picture_seconds=picture_seconds)

    video, pictures = day.seconds.count("v"), day.seconds.count("p")
    assert video >= share * len(day.seconds) - picture_seconds
    assert pictures > 0


@pytest.mark.parametrize(("share", "is_welcome"), [(0.0, True), (0.5, True), (1.0, False)])
def test_a_picture_may_come_before_the_first_step(share: float, *, is_welcome: bool) -> None:
    turns = Turns(video_share=share, clock=Clock())

    assert turns.is_pictures_turn() is is_welcome


def test_a_picture_that_failed_has_taken_its_time_all_the_same() -> None:
    clock = Clock()
    turns = Turns(video_share=0.5, clock=clock)

    def fail() -> None:
        with turns.picture():
            clock.now += 5
            raise ValueError("no luck")

    with pytest.raises(ValueError, match="no luck"):
        fail()

    assert not turns.is_pictures_turn()
    clock.now += 5
    assert turns.is_pictures_turn()


def frame(kind: str, number: int = 0) -> Frame:
    return Frame({"type": kind, "number": number})


def test_messages_are_taken_in_the_order_in_which_they_came() -> None:
    tray = Tray()
    for number in range(3):
        tray.put(frame("generate", number))

    assert [tray.take().header["number"] for _ in range(3)] == [0, 1, 2]


def test_taking_waits_for_a_message() -> None:
    tray, taken = Tray(), []
    thread = threading.Thread(target=lambda: taken.append(tray.take().kind))
    thread.start()

    tray.put(frame("film"))

    thread.join(PATIENCE_SECONDS)
    assert taken == ["film"]


def test_only_the_first_message_is_taken_between_two_steps() -> None:
    tray = Tray()
    assert tray.take_first("generate", lambda _frame: True) is None
    tray.put(frame("warm"))
    tray.put(frame("generate"))

    assert tray.take_first("generate", lambda _frame: True) is None

    assert tray.take().kind == "warm"
    found = tray.take_first("generate", lambda _frame: True)
    assert found is not None
    assert found.kind == "generate"


def test_a_message_that_is_not_wanted_keeps_its_place() -> None:
    tray = Tray()
    tray.put(frame("generate"))

    assert tray.take_first("generate", lambda _frame: False) is None

    assert tray.take().kind == "generate"


def full_outbox() -> Outbox:
    """Return an outbox of which so much is open that the next part has to wait."""
    outbox = Outbox()
    for _ in range(MOST_OPEN_PARTS):
        outbox.wait(lambda: None)
        outbox.sent()
    return outbox


def test_a_part_waits_until_an_earlier_one_was_used() -> None:
    outbox, looks = full_outbox(), 0

    def check() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            outbox.taken()

    outbox.wait(check)

    assert looks == 3


def test_a_part_that_waits_hears_a_cancel() -> None:
    def cancel() -> None:
        raise EngineCancelledError

    with pytest.raises(EngineCancelledError):
        full_outbox().wait(cancel)


def test_a_part_that_waits_goes_on_when_one_is_used_elsewhere() -> None:
    outbox = full_outbox()
    thread = threading.Thread(target=outbox.wait, args=(lambda: None,))
    thread.start()

    outbox.taken()

    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
