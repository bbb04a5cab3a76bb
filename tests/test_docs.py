"""Every block of code in the documentation runs and prints what it says."""

import ast
import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import epcore.proxy
import epcore.simulate
import epcore.testing

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", [page for page in PAGES if ">>>" in page.read_text()], ids=lambda page: page.name)
def test_the_examples_of_a_page_run(page: Path) -> None:
    text = "\n".join(BLOCK.findall(page.read_text()))
    examples = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    report: list[str] = []
    results = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(examples, out=report.append)
    assert results.attempted > 0
    assert results.failed == 0, "".join(report)


STUBS = ROOT / "python" / "epcore" / "_epcore.pyi"
DOCUMENTED = {
    node.name: text
    for node in ast.walk(ast.parse(STUBS.read_text()))
    if isinstance(node, ast.ClassDef | ast.FunctionDef) and ">>>" in (text := ast.get_docstring(node) or "")
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_examples_of_the_reference_run(name: str) -> None:
    examples = doctest.DocTestParser().get_doctest(DOCUMENTED[name], {}, name, str(STUBS), 0)
    report: list[str] = []
    results = doctest.DocTestRunner().run(examples, out=report.append)
    assert results.failed == 0, "".join(report)


MODULES = [
    module.name
    for package in (epcore.proxy, epcore.simulate, epcore.testing)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("name", ["epcore.proxy", "epcore.simulate", "epcore.testing", *MODULES])
def test_the_examples_of_a_module_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
