"""What the documentation says is true: commands, links, code, keys."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App, CycloptsError

from tumorscope.cli.app import COMMANDS, app
from tumorscope.common import errors
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.recipes.parts import Part
from tumorscope.recipes.recipe import Recipe

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=lambda page: page.as_posix()
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHELL = ("", "bash", "sh", "console")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def fenced(page: Path, *languages: str) -> list[str]:
    return [body for lang, body in FENCE.findall(page.read_text("utf-8")) if lang in languages]


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text("utf-8"))


def whole_commands(page: Path) -> Iterator[list[str]]:
    """Yield the words after `tumorscope` of every command in a block of shell code."""
    for block in fenced(page, *SHELL):
        for line in block.replace("\\\n", " ").splitlines():
            # A loop's variable stands for a number in every place where one is used.
            words = shlex.split(re.sub(r"\$\w+", "0", line), comments=True)
            for index, word in enumerate(words):
                if word == "tumorscope" and (index == 0 or words[index - 1] in ("$", "&&", "|")):
                    ends = (i for i in range(index, len(words)) if words[i] in ("&&", "|", ">"))
                    yield [each.rstrip(";") for each in words[index + 1 : next(ends, len(words))]]


def mentions(page: Path) -> Iterator[list[str]]:
    """Yield the words after `tumorscope` of every command in running text; it may be a stub."""
    for span in re.findall(r"`tumorscope ([^`]*)`", prose(page)):
        yield span.split()


def option_names(command: App) -> set[str]:
    return {
        name
        for argument in command.assemble_argument_collection(parse_docstring=False)
        for name in argument.names
    } | {"--help", "-h"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_code_parse(page: Path) -> None:
    for words in whole_commands(page):
        try:
            app.parse_args(words, exit_on_error=False, print_error=False)
        except CycloptsError as error:
            pytest.fail(f"tumorscope {' '.join(words)}: {error}")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_text_exist_with_their_options(page: Path) -> None:
    for words in mentions(page):
        if words[0].startswith("-"):
            assert words[0] in ("--help", "--version"), words
            continue
        assert words[0] in COMMANDS, words
        used = {word.partition("=")[0] for word in words[1:] if word.startswith("-")}
        assert used <= option_names(app[words[0]]), words


def test_the_readme_shows_commands_at_all() -> None:
    shown = {words[0] for words in whole_commands(ROOT / "README.md")}
    assert {"audit", "split", "train", "evaluate", "crossval"} <= shown


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            assert file.exists(), target
            if anchor:
                headings = re.findall(r"^#+ (.+)$", prose(file), re.MULTILINE)
                slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
                assert anchor in slugs, target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_blocks_compile_and_use_names_that_exist(page: Path) -> None:
    import tumorscope

    for block in fenced(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) == "ts":
                assert node.attr in tumorscope.__all__, node.attr


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_number_is_still_missing(page: Path) -> None:
    assert "@@" not in page.read_text("utf-8")


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_the_notice_is_there(page: str) -> None:
    assert RESEARCH_USE_ONLY in (ROOT / page).read_text("utf-8")


def test_pictures_in_the_readme_are_small() -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert pictures
    for picture in pictures:
        assert (ROOT / picture).stat().st_size < 250_000, picture


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for page in PAGES:
        named = re.findall(r"`make ([a-z]+)`", prose(page))
        for block in fenced(page, "bash"):
            named += re.findall(r"^make ([a-z]+)", block, re.MULTILINE)
        assert set(named) <= targets, page


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("given", ["", "no-such-folder"])
@pytest.mark.parametrize("target", ["bench", "model", "notebook"])
def test_targets_that_need_data_say_so_before_anything_is_made(
    target: str, given: str, tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    done = subprocess.run(
        ["make", target, f"DATA={given}", f"VENV={venv}", "PYTHON=false"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"DATA is {given or 'not set'}. Expected " in done.stderr
    assert "give make DATA=" in done.stderr
    assert not venv.exists()


def test_every_result_has_the_command_that_makes_it() -> None:
    page = (ROOT / "docs" / "reproduce.md").read_text("utf-8")
    rows = {
        result: command
        for command, result in re.findall(r"^\| `([^`]+)` \| `(\w+\.csv)` \|", page, re.MULTILINE)
    }
    assert set(rows) == {path.name for path in (ROOT / "benchmarks" / "results").glob("*.csv")}
    for command in rows.values():
        words = command.split()
        if words[0] == "python":
            script = words[2].replace(".", "/") + ".py" if words[1] == "-m" else words[1]
            options = set(re.findall(r'"(-[-a-z]+)"', (ROOT / script).read_text("utf-8")))
            options |= {"-m"}
            assert {word for word in words if word.startswith("-")} <= options, command


def test_the_recipe_reference_has_every_key_with_its_default() -> None:
    written: dict[str, dict[str, str]] = {}
    text = (ROOT / "docs" / "reference" / "recipe.md").read_text("utf-8")
    for section_text in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading, _, body = section_text.partition("\n")
        rows = re.findall(r"^\| (`[a-z_`, ]+) \| (.*?) \|", body, re.MULTILINE)
        written[heading.strip("`[]")] = {
            key.strip("`"): default.strip("`") for keys, default in rows for key in keys.split(", ")
        }
    recipe = Recipe(name="defaults")
    section = "Top"
    expected: dict[str, dict[str, str]] = {section: {}}
    for line in recipe.to_toml().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
            expected[section] = {}
        elif line:
            key, _, value = line.partition(" = ")
            expected[section][key] = "–" if key == "name" else value
    assert written == expected
    assert {name for name, part in recipe if isinstance(part, Part)} == set(expected) - {"Top"}


def test_the_reference_has_every_exit_code() -> None:
    text = (ROOT / "docs" / "reference" / "exit-codes.md").read_text("utf-8")
    written = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    raised = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.TumorscopeError)
    }
    assert written == raised | {0, 4, 130}


def test_the_reference_has_every_command_that_writes_and_every_flag() -> None:
    from tumorscope.cohort.cells import MANIFEST_COLUMNS
    from tumorscope.cohort.row import FLAGS
    from tumorscope.records.run_folder import HISTORY

    folder = ROOT / "docs" / "reference"
    manifest = (folder / "manifest.md").read_text("utf-8")
    for name in (*MANIFEST_COLUMNS, *FLAGS):
        assert f"`{name}`" in manifest, name
    files = (folder / "files.md").read_text("utf-8")
    for name in HISTORY:
        assert f"`{name}`" in files, name
    for name in set(COMMANDS) - {"describe"}:
        assert f"## `tumorscope {name} " in files, name


def test_the_citation_gives_the_version_of_the_package() -> None:
    from tumorscope import __version__

    lines = (ROOT / "CITATION.cff").read_text("utf-8").splitlines()
    assert "cff-version: 1.2.0" in lines
    assert f"version: {__version__}" in lines


ARCHITECTURE = ROOT / "docs" / "concepts" / "architecture.md"
SOURCE = ROOT / "src" / "tumorscope"


def test_the_architecture_page_has_every_room_in_the_order_of_imports() -> None:
    text = ARCHITECTURE.read_text("utf-8")
    written = re.findall(r"^\| `(\w+)` \| [A-Z].+\. \|$", text, re.MULTILINE)
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    layers = config["tool"]["importlinter"]["contracts"][0]["layers"]
    assert written == [each.removeprefix("tumorscope.") for each in reversed(layers)]


def test_the_picture_of_imports_shows_what_is_imported() -> None:
    """Each arrow is an import, and each import follows from arrows."""
    [picture] = fenced(ARCHITECTURE, "mermaid")
    arrows = re.findall(r"(\w+) --> (\w+)", picture)
    found: set[tuple[str, str]] = set()
    for file in SOURCE.rglob("*.py"):
        room = file.relative_to(SOURCE).parts[0]
        imported = re.findall(
            r"^\s*(?:from|import) tumorscope\.(\w+)", file.read_text("utf-8"), re.M
        )
        found |= {(room, other) for other in imported if other != room and "." not in room}
    assert set(arrows) <= found
    follows = set(arrows)
    while more := {(a, d) for a, b in follows for c, d in follows if b == c} - follows:
        follows |= more
    assert found <= follows


def test_every_place_that_the_architecture_page_names_is_there() -> None:
    text = ARCHITECTURE.read_text("utf-8")
    places = set(re.findall(r"`((?:[a-z0-9_]+/)+(?:\w+(?:\.\w+)+)?)`", text))
    assert len(places) > 40
    for place in places:
        assert (SOURCE / place).exists() or (ROOT / place).exists(), place
    named = re.findall(r"`(\w+)` in `((?:\w+/)+\w+\.py)`", text)
    assert len(named) >= 10
    for name, place in named:
        code = (SOURCE / place).read_text("utf-8")
        assert re.search(rf"^(?:def|class) {name}\b|^{name}\b.* =", code, re.MULTILINE), (
            name,
            place,
        )
    assert len(re.findall(r"^\*\*(?:A new|Something) ", text, re.MULTILINE)) >= 10


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").split()) <= 900
