"""Theme and characters before the settings load: the same precedence, and never an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.tui.looks import Look, chosen

DEFAULT = Look("dark", ascii_only=False)


def _file(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text, "utf-8")
    return file


def test_no_file_is_the_default(tmp_path: Path) -> None:
    assert chosen(tmp_path / "none.toml", {}, {}) == DEFAULT


def test_the_file_says_it(tmp_path: Path) -> None:
    file = _file(tmp_path, '[terminal]\ntheme = "light"\nascii = true\n')
    assert chosen(file, {}, {}) == Look("light", ascii_only=True)


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_file(tmp_path: Path) -> None:
    file = _file(tmp_path, '[terminal]\ntheme = "light"\nascii = true\n')
    env = {"COUNTERSIGN_TERMINAL__THEME": "ansi", "COUNTERSIGN_TERMINAL__ASCII": "false"}
    assert chosen(file, env, {}) == Look("ansi", ascii_only=False)
    flags = {"terminal.theme": "midnight", "terminal.ascii": "true"}
    assert chosen(file, env, flags) == Look("midnight", ascii_only=True)


@pytest.mark.parametrize(
    "text",
    [
        "", "terminal = 3", "[terminal]\ntheme = 7\nascii = 'yes'", "[terminal]\ntheme = ['dark']", "not toml [",
        "\x00", "[terminal]\ntheme = 'neon'", "a = " + "[" * 5000, "[[terminal]]\ntheme = 'light'",
    ],
)  # fmt: skip
def test_what_is_odd_gives_the_default(tmp_path: Path, text: str) -> None:
    assert chosen(_file(tmp_path, text), {}, {}) == DEFAULT


def test_a_folder_and_bytes_that_are_no_text_give_the_default(tmp_path: Path) -> None:
    assert chosen(tmp_path, {}, {}) == DEFAULT
    file = tmp_path / "b.toml"
    file.write_bytes(b"\xff\xfe")
    assert chosen(file, {}, {}) == DEFAULT
