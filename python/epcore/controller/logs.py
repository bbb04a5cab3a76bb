"""What a controller logs, for people or for programs.

The library logs through ``logging``, under ``epcore.controller``, with what a line is about beside it (``namespace``,
``service``, ``slice``, ``kind``, ``error``); whoever embeds it does with that as with all else. This is the program's.
"""

import logging
import sys
from typing import TYPE_CHECKING, Literal, TypeAlias

import structlog

if TYPE_CHECKING:
    from typing import TextIO

    from structlog.typing import Processor

LogForm: TypeAlias = Literal["console", "json"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]


def configure_logs(form: LogForm = "console", level: LogLevel = "info", stream: "TextIO | None" = None) -> None:
    """Write log lines to a stream, stderr if none is given: of epcore from a level on, of others from warnings on."""
    stream = sys.stderr if stream is None else stream
    common: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor]
    if form == "json":
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        # Without the values of variables, which would tell secrets.
        plain = structlog.dev.plain_traceback
        last = [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("epcore").setLevel(level.upper())
