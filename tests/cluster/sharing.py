"""One of several replicas, as somebody would embed it. Run: kubeconfig, folder of lists, namespace, buckets.

Leases are quicker than by default. It ends by itself when it is told to (SIGTERM), with its Services handed over.
"""

import asyncio
import logging
import signal
import sys
from pathlib import Path

from epcore.controller import Api, ControllerOptions
from epcore.controller.membership import Timing
from epcore.controller.replica import Replica
from epcore.controller.sources import Assigned
from epcore.controller.sources.files import File
from epcore.controller.sources.notices import Notices

TIMING = Timing(duration=4, period=0.5, guard=1.5)


async def main(kubeconfig: str, files: list[Path], namespace: str, buckets: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    notices = Notices()
    sources = [Assigned(namespace, file.stem, File(file, settle=0.05, notices=notices)) for file in files]
    options = ControllerOptions(namespace=namespace)
    async with (
        Api(kubeconfig=kubeconfig, qps=200, burst=200, timeout=TIMING.guard) as api,
        Api(kubeconfig=kubeconfig, qps=200, burst=200, timeout=1) as for_leases,
    ):
        await Replica(api, for_leases, options, sources, namespace, "epcore", int(buckets), TIMING).run(stop)
    notices.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    asyncio.run(main(sys.argv[1], sorted(Path(sys.argv[2]).glob("*.json")), *sys.argv[3:]))
