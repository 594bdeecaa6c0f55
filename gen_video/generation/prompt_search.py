"""Search in prompts: the condition that a job's prompt, or that of a scene, has some words.

Inputs are stored as JSON in a text column; each database looks into it in its own way.
"""

from sqlalchemy import JSON, ColumnElement, Connection, String, and_, cast, exists, func, or_

from gen_video.generation.tables import jobs

MAX_WORDS = 8
"""More are not looked for: each is looked for in every job of the account."""


def prompt_has(connection: Connection, words: str) -> ColumnElement[bool]:
    """Return the condition that a job was asked for with all of these words, in any order.

    Case does not matter where the database knows it: SQLite does for ASCII letters.
    """
    is_in = _is_in_on_sqlite if connection.dialect.name == "sqlite" else _is_in_on_postgresql
    return and_(*(is_in(needle) for needle in words.split()[:MAX_WORDS]))


def _is_in_on_sqlite(needle: str) -> ColumnElement[bool]:
    scenes = func.json_each(jobs.c.input_json, "$.scenes").table_valued("value", name="scenes")
    of_scene = func.json_extract(scenes.c.value, "$.prompt", type_=String)
    own = func.json_extract(jobs.c.input_json, "$.prompt", type_=String)
    return or_(
        own.icontains(needle, autoescape=True),
        exists().select_from(scenes).where(of_scene.icontains(needle, autoescape=True)),
    )


def _is_in_on_postgresql(needle: str) -> ColumnElement[bool]:
    whole = cast(jobs.c.input_json, JSON)
    scenes = func.json_array_elements(whole["scenes"]).table_valued("value", name="scenes")
    of_scene = scenes.c.value.op("->>", return_type=String())("prompt")
    return or_(
        whole["prompt"].as_string().icontains(needle, autoescape=True),
        exists().select_from(scenes).where(of_scene.icontains(needle, autoescape=True)),
    )
