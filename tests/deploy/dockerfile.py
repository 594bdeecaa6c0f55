"""A reader of Dockerfiles: stages and instructions, continuation lines joined."""

import re
from dataclasses import dataclass, field
from pathlib import Path

_STAGE = re.compile(r"FROM (\S+) AS (\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction: its word in capitals and the rest of the line."""

    word: str
    text: str


@dataclass(slots=True, kw_only=True)
class Stage:
    """What stands between one FROM and the next."""

    name: str
    parent: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        """Return the texts of one kind of instruction, in order."""
        return [entry.text for entry in self.instructions if entry.word == word]


def read_stages(path: Path) -> dict[str, Stage]:
    """Return the stages by name; what stands before the first is the stage with no name."""
    stages = {"": Stage(name="", parent="")}
    current = stages[""]
    for line in _join(path.read_text(encoding="utf-8")):
        word, _, text = line.partition(" ")
        if word == "FROM":
            found = _STAGE.fullmatch(line)
            assert found is not None, f"a stage without a name: {line}"
            current = stages[found[2]] = Stage(name=found[2], parent=found[1])
        else:
            current.instructions.append(Instruction(word=word, text=text.strip()))
    return stages


def lineage(stages: dict[str, Stage], name: str) -> list[Stage]:
    """Return a stage and those that it is built on, the nearest first."""
    stage = stages[name]
    return [stage, *(lineage(stages, stage.parent) if stage.parent in stages else [])]


def _join(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
