"""Shell completion: `gen-video --install-completion`, and what the shells ask for afterwards.

The names of the commands come from the table; the file of a command is imported only when its own
words are completed, so that a press of Tab is quick.
"""

import importlib
import os
from collections.abc import Mapping, Sequence
from typing import Protocol

import typer
from typer.completion import (  # type: ignore[attr-defined]  # used there, exported nowhere
    get_completion_script,
    install,
)

from gen_video.cli.terminal import note, say

INSTALL = "--install-completion"
WORDS_OF_SHELLS = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")


class Named(Protocol):
    """A command of the table."""

    @property
    def module(self) -> str:
        """Return the file that it is in."""

    @property
    def en(self) -> str:
        """Return its help."""


def complete(program: str, commands: Mapping[str, Named], arguments: Sequence[str]) -> int:
    """Install or show the completion, or answer a shell; return the exit code.

    Without the name of a shell it is for the one that this runs in.
    """
    option, _, shell = " ".join(arguments).replace("=", " ").partition(" ")
    if shell:
        try:
            _complete_for(shell, program, has_to_install=option == INSTALL)
        except typer.Exit:  # it has said that it does not know this shell
            return 2
        return 0
    variables = os.environ  # noqa: TID251 - the shell's words, not the service's settings
    typed = {word for name in WORDS_OF_SHELLS for word in variables.get(name, "").split()}
    app = typer.Typer(callback=_do_nothing, add_completion=True)
    for name, entry in commands.items():
        if name in typed:
            _add(app, name, entry)
        else:
            app.command(name, help=entry.en)(_do_nothing)
    code = typer.main.get_command(app).main(args=list(arguments), prog_name=program)
    return code if isinstance(code, int) else 0


def _complete_for(shell: str, program: str, *, has_to_install: bool) -> None:
    if has_to_install:
        name, path = install(shell=shell, prog_name=program)
        note(f"Completion for {name} is in {path}.", f"{name} 补全已写入 {path}。")
        return
    variable = f"_{program.replace('-', '_').upper()}_COMPLETE"
    say(get_completion_script(prog_name=program, complete_var=variable, shell=shell))


def _add(app: typer.Typer, name: str, entry: Named) -> None:
    own: typer.Typer = importlib.import_module(f"gen_video.cli.{entry.module}").app
    known = own.registered_commands
    if len(known) == 1 and known[0].callback is not None:
        app.command(name, help=entry.en)(known[0].callback)
    else:
        app.add_typer(own, name=name, help=entry.en)


def _do_nothing() -> None:
    """Stand for a command that is not asked about."""
