"""Follows files of endpoints in a test, and replaces them."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from epcore.controller.sources.files import File
from told_by import Told, told_by


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


@asynccontextmanager
async def following(path: Path, **options: Any) -> AsyncIterator[Told]:
    async with told_by(File(path, **{"interval": 0.05, "settle": 0.1, **options})) as told:
        yield told


def replace(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text)
    beside.replace(path)
