"""Programs that are neither Python nor Rust, which `make test` brings into .venv/bin."""

import os
import shutil
import sys
from functools import cache
from pathlib import Path

import pytest


@cache
def program(name: str) -> str:
    """Find a program in KUBEBUILDER_ASSETS, beside the interpreter, on PATH or in /usr/sbin; "" if it is not there."""
    places = [os.environ.get("KUBEBUILDER_ASSETS", ""), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    path = os.pathsep.join([place for place in places if place] + ["/usr/sbin"])
    return shutil.which(name, path=path) or ""


def needs(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not program(name), reason=f"{name} is not there; `make test` fetches it where it can")
