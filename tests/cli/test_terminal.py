"""What is printed cannot steer a terminal."""

import pytest

from gen_video.cli.terminal import note, plain, say


def test_control_characters_are_shown_and_not_obeyed() -> None:
    assert plain("\x1b]0;title\x07\x9b2J hi\r") == "�]0;title��2J hi�"


def test_lines_tabs_and_other_languages_stay() -> None:
    assert plain("湖\t1\n山") == "湖\t1\n山"


def test_results_and_notes_are_plain(capsys: pytest.CaptureFixture[str]) -> None:
    say("\x1b[2J")
    note("\x1b[2J", "\x1b[2J")

    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err
