"""Adapters on offer: files in two folders, by plain names, never by a way out of the folder."""

from pathlib import Path

import pytest

from gen_video.engines.loras import MAX_DESCRIPTION, find_adapter, list_adapters


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "loras"
    for kind in ("character", "style"):
        (folder / kind).mkdir(parents=True)
    return folder


def add(folder: Path, name: str, *, note: str | None = None) -> Path:
    path = folder / f"{name}.safetensors"
    path.write_bytes(b"weights")
    if note is not None:
        path.with_suffix(".txt").write_text(note, encoding="utf-8")
    return path


def names(folder: Path) -> list[str]:
    return [adapter.name for adapter in list_adapters(folder)]


def test_adapters_are_listed_by_kind_and_name(folder: Path) -> None:
    add(folder / "style", "水墨")
    add(folder / "style", "ink v1.5", note=" Ink on paper.\n")
    add(folder / "character", "hero")

    listed = [(found.kind, found.name, found.description) for found in list_adapters(folder)]

    assert listed == [
        ("character", "hero", ""),
        ("style", "ink v1.5", "Ink on paper."),
        ("style", "水墨", ""),
    ]


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert list_adapters(tmp_path / "nowhere") == ()
    assert find_adapter(tmp_path / "nowhere", "ink") is None


def test_an_adapter_is_found_by_its_name(folder: Path) -> None:
    path = add(folder / "style", "ink")

    found = find_adapter(folder, "ink")

    assert found is not None
    assert found.path == path
    assert find_adapter(folder, "oil") is None


@pytest.mark.parametrize("name", ["../style/ink", "style/ink", "ink.safetensors", "", ".", "*"])
def test_a_name_is_no_path(folder: Path, name: str) -> None:
    add(folder / "style", "ink")

    assert find_adapter(folder, name) is None


def test_links_that_lead_out_of_the_folder_are_left_out(folder: Path, tmp_path: Path) -> None:
    outside = add(tmp_path, "secret")
    (folder / "style" / "secret.safetensors").symlink_to(outside)

    assert names(folder) == []
    assert find_adapter(folder, "secret") is None


def test_a_kind_that_is_a_link_out_of_the_folder_is_left_out(tmp_path: Path) -> None:
    folder, outside = tmp_path / "loras", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    add(outside, "secret")
    (folder / "style").symlink_to(outside)

    assert names(folder) == []


def test_a_description_that_is_a_link_out_of_the_folder_is_not_read(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "password.txt").write_text("secret", encoding="utf-8")
    add(folder / "style", "ink")
    (folder / "style" / "ink.txt").symlink_to(tmp_path / "password.txt")

    assert [adapter.description for adapter in list_adapters(folder)] == [""]


def test_links_within_the_folder_are_fine(folder: Path) -> None:
    path = add(folder / "style", "ink")
    (folder / "style" / "again.safetensors").symlink_to(path)

    assert names(folder) == ["again", "ink"]


def test_a_folder_that_is_reached_by_a_link_is_fine(folder: Path, tmp_path: Path) -> None:
    add(folder / "style", "ink")
    (tmp_path / "link").symlink_to(folder)

    assert names(tmp_path / "link") == ["ink"]


@pytest.mark.parametrize("name", [" ink", "-ink", "i;nk", "i\nnk", "x" * 101, "<b>"])
def test_strange_names_are_left_out(folder: Path, name: str) -> None:
    add(folder / "style", name)

    assert names(folder) == []


def test_other_files_are_left_out(folder: Path) -> None:
    (folder / "style" / "ink.bin").write_bytes(b"pickle")
    (folder / "style" / "ink.pt").write_bytes(b"pickle")
    (folder / "style" / "folder.safetensors").mkdir()
    add(folder, "loose")

    assert names(folder) == []


def test_descriptions_are_cut_and_may_be_of_any_bytes(folder: Path) -> None:
    path = add(folder / "style", "ink", note="x" * 2 * MAX_DESCRIPTION)
    add(folder / "style", "oil").with_suffix(".txt").write_bytes(b"\xff\xfe oil")

    listed = {adapter.name: adapter.description for adapter in list_adapters(folder)}

    assert path.is_file()
    assert listed["ink"] == "x" * MAX_DESCRIPTION
    assert listed["oil"].endswith("oil")
