"""`gen-video simulate`."""

import json

from tests.cli.conftest import Run


def test_the_command_compares_policies(run: Run) -> None:
    arguments = ("--jobs", "120", "--accounts", "5", "--workers", "2", "--json")

    shown = run("simulate", *arguments, "--policy", "fair", "--policy", "fifo")

    fair, fifo = json.loads(shown.out)
    assert shown.code == 0
    assert (fair["policy"], fifo["policy"]) == ("fair", "fifo")
    assert fair["groups"][1]["wait_p95"] < fifo["groups"][1]["wait_p95"]


def test_the_command_names_the_policies_it_knows(run: Run) -> None:
    shown = run("simulate", "--policy", "luck")

    assert shown.code == 1
    assert "fair, fifo, priority" in shown.err
