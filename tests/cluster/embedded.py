"""A program around the library's controller, as somebody would embed it. Run: kubeconfig, options of it and of the API.

It ends by itself when it is told to (SIGTERM), with what it was about to write written.
"""

import asyncio
import json
import logging
import signal
import sys
from typing import Any

from epcore.controller import Api, Controller, ControllerOptions


async def main(kubeconfig: str, options: dict[str, Any], limits: dict[str, Any]) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Api(kubeconfig=kubeconfig, **limits) as api:
        await Controller(api, ControllerOptions(**options)).run(stop)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])))
