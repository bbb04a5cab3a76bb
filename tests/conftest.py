"""What all tests share: the profiles of Hypothesis, and the rule that a run without gaps skips nothing."""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from upstream_peer import PROGRAM, Upstream

settings.register_profile("default", max_examples=50, deadline=None, print_blob=True)
settings.register_profile("ci", max_examples=200, deadline=None, print_blob=True, derandomize=True)
settings.register_profile(
    "deep",
    max_examples=5_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("EPCORE_PROFILE", "default"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So it is in the background of a shell, and programs that tests interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    """Kubernetes' own library; only for tests that are marked ``needs_upstream``."""
    with subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Upstream(process)
    assert process.returncode == 0


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that skipped tests where ``EPCORE_GAPS`` is ``fail``, as it is in CI."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("EPCORE_GAPS") == "fail" and reporter and reporter.stats.get("skipped"):
        reporter.write_line("\nEPCORE_GAPS=fail: the run fails because tests were skipped", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
