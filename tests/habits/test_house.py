"""The habits of the house, held by reading its own source."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.habits.problems_page import PACKAGES, error_classes, http_status

ROOT = Path(__file__).parents[2]
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
# Synonyms that GLOSSARY.md replaces by one word each.
SYNONYMS = re.compile(r"(publisher|requester|log_item|token_grant|auditlog|downloader)", re.IGNORECASE)


def _sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    """A file is one noun of at most 400 lines."""
    long = [
        str(path) for path in _sources(*PACKAGES, "tests") if path.read_text().count("\n") > MAX_FILE_LINES
    ]

    assert long == []


def test_no_function_is_longer_than_sixty_lines() -> None:
    """A function is at most 60 lines."""
    long = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}"
        for path in _sources(*PACKAGES, "tests")
        for function in _functions(path)
        if (function.end_lineno or 0) - function.lineno + 1 > MAX_FUNCTION_LINES
    ]

    assert long == []


def test_every_test_says_the_rule_it_proves() -> None:
    """A test's docstring is its rule, and a test asserts or expects a refusal."""
    silent = [
        f"{path.relative_to(ROOT)}:{function.name}"
        for path in _sources("tests")
        for function in _functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]

    assert silent == []


def test_nothing_catches_everything() -> None:
    """No handler catches Exception or BaseException or nothing in particular without saying why."""
    broad = re.compile(r"^\s*except( \(?(Exception|BaseException)\b.*)?:\s*(# noqa: \w+\s*)?$")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _sources(*PACKAGES)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if broad.match(line)
    ]

    assert found == []


def test_one_idea_has_one_word() -> None:
    """Identifiers use the words of the glossary and none of their synonyms."""
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in _sources(*PACKAGES)
        for match in SYNONYMS.finditer(path.read_text())
    ]

    assert found == []


def test_modules_open_with_a_docstring() -> None:
    """Every module says what it is and what it promises."""
    silent = [
        str(path.relative_to(ROOT))
        for path in _sources(*PACKAGES)
        if path.read_text().strip() and not ast.get_docstring(_tree(path))
    ]

    assert silent == []


def test_every_error_is_fit_to_be_shown() -> None:
    """Every error has its own code, both languages, a next step, an exit code and an HTTP status."""
    errors = error_classes()
    codes = [error.code for error in errors]

    assert sorted(codes) == sorted(set(codes))
    for error in errors:
        assert re.search(r"[\u4e00-\u9fff]", error.title_zh), error
        assert re.search(r"[\u4e00-\u9fff]", error.next_zh), error
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", error.code), error
        assert error.exit_code in {1, 2, 64, 70, 75}, error
        assert 400 <= http_status(error) <= 503, error


def test_every_dependency_has_its_sentence() -> None:
    """docs/reference/dependencies.md has a row for each run-time and development dependency."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = [re.split(r"[\[><=]", spec)[0] for spec in declared]
    page = (ROOT / "docs" / "reference" / "dependencies.md").read_text()

    assert [name for name in names if f"| {name} |" not in page] == []


def test_the_pins_have_hashes_and_no_addresses() -> None:
    """The lock file pins every package with hashes and names no index."""
    lock = (ROOT / ".ci" / "requirements.txt").read_text()
    pins = re.findall(r"^\S+==\S+", lock, re.MULTILINE)

    assert "://" not in lock
    assert "--index" not in lock
    assert len(pins) > 40
    assert all(
        f"{pin}" in lock and "--hash=sha256:" in lock.split(pin, 1)[1].split("\n\n")[0][:4000] for pin in pins
    )


@pytest.mark.parametrize("folder", ["docs/decisions"])
def test_decisions_fit_one_page(folder: str) -> None:
    """An architecture decision is one page: at most 60 lines, with context and decision."""
    pages = sorted((ROOT / folder).glob("*.md"))

    assert pages
    for page in pages:
        text = page.read_text()
        assert text.count("\n") <= 60, page
        assert "Context." in text, page
        assert "Decision." in text, page


def test_every_command_is_documented() -> None:
    """docs/reference/commands.md names every command that the command line knows."""
    from exchange.cli.app import app

    commands = [
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    ]
    for group in app.registered_groups:
        assert group.typer_instance is not None
        commands += [
            f"{group.name} {command.name or command.callback.__name__.removeprefix(f'{group.name}_')}"
            for command in group.typer_instance.registered_commands
            if command.callback
        ]
    page = (ROOT / "docs" / "reference" / "commands.md").read_text()

    assert len(commands) > 20
    assert [name for name in commands if f"headwaters {name}" not in page] == []


def test_the_command_line_starts_light() -> None:
    """Starting a command loads neither database nor data frames nor web server."""
    heavy = {"alembic", "fastapi", "polars", "sqlalchemy"}
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, exchange.cli.app; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert heavy & set(loaded) == set()


def test_links_in_the_docs_lead_somewhere() -> None:
    """Every relative link in the README and the docs points at a file that exists."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    broken = [
        f"{page.relative_to(ROOT)} -> {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]

    assert broken == []


def test_tracked_files_name_no_machine_path() -> None:
    """No tracked file holds an absolute path of somebody's machine."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    homes = re.compile(r"(?<![\w.])/(root|home|work|Users)/\w")
    found = [
        name
        for name in listed
        if (ROOT / name).suffix in {".py", ".md", ".toml", ".txt", ".rego", ".json", ""}
        and (ROOT / name).is_file()
        and homes.search((ROOT / name).read_text(errors="replace"))
    ]

    assert found == []
