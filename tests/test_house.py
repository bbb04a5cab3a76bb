"""The house: no file of the engine, and none of the package, needs another that needs it."""

import re
from collections.abc import Callable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ENGINE, PACKAGE = ROOT / "rust" / "epcore" / "src", ROOT / "python"


def home(folder: Path, names: list[str], of_folder: str, suffix: str) -> Path | None:
    """Find the file that defines the last of some names, each of which is in the one before."""
    for count in range(len(names), 0, -1):
        path = folder.joinpath(*names[:count])
        for file in (path.with_suffix(suffix), path / of_folder):
            if file.exists():
                return file
    return None


def used_in_rust(text: str) -> Iterator[list[str]]:
    """List the paths that a file begins with; tests within it are further in."""
    for path in re.findall(r"^(?:pub )?use crate::([\w:]+)", text, re.MULTILINE):
        yield path.removesuffix("::").split("::")


def used_in_python(text: str) -> Iterator[list[str]]:
    """List the modules that are imported, also those that only types need."""
    for module, names in re.findall(r"^ *from (epcore[\w.]*) import (\(.*?\)|.*?$)", text, re.MULTILINE | re.DOTALL):
        for name in re.findall(r"\w+", names):
            yield [*module.split("."), name]


@pytest.mark.parametrize(
    ("folder", "of_folder", "used"),
    [(ENGINE, "mod.rs", used_in_rust), (PACKAGE, "__init__.py", used_in_python)],
    ids=["engine", "package"],
)
def test_no_two_files_need_each_other(folder: Path, of_folder: str, used: Callable[[str], Iterator[list[str]]]) -> None:
    suffix = Path(of_folder).suffix
    # The file of a folder hands on what others define.
    files = {file for file in folder.rglob(f"*{suffix}") if file.name != of_folder}
    needs = {
        file: files & {home(folder, names, of_folder, suffix) for names in used(file.read_text())} - {file}
        for file in files
    }
    assert sum(map(len, needs.values())) > len(needs), "nearly each file needs some"
    order = list(TopologicalSorter(needs).static_order())
    assert set(order) == set(needs)
