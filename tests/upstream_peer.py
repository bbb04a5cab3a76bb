"""The Go program around Kubernetes' own library, as a peer that answers questions."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from kube_strategies import Json

PROGRAM = Path(__file__).parent / "upstream" / "upstream"
needs_upstream = pytest.mark.skipif(not PROGRAM.exists(), reason="tests/upstream is not built: make test does it")


@dataclass
class Upstream:
    """The Go program, one question a line."""

    process: subprocess.Popen[bytes]

    def ask(self, **question: object) -> Json:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        self.process.stdin.flush()
        answer: Json = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer
        return answer
