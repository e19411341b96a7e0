"""Where the suites send their calls.

Without more, `target/release/faregate` is started with `../faregate.yaml`. With `SIMULATOR_URL` the answers are asked
of that simulated provider directly, and the refusals, which only a gateway makes, are skipped.
"""

import os

import pytest
from gateway import Attempts, Gateway

SIMULATOR_URL = os.environ.get("SIMULATOR_URL")


@pytest.fixture(scope="session")
def base_url(tmp_path_factory):
    if SIMULATOR_URL:
        yield SIMULATOR_URL.rstrip("/")
        return
    gateway = Gateway(tmp_path_factory.mktemp("gateway") / "faregate.log")
    yield gateway.url
    output = gateway.output()
    code = gateway.stop()
    assert code == 0, f"faregate ended with {code} after SIGTERM:\n{output}"


@pytest.fixture
def attempts():
    return Attempts()


@pytest.fixture(autouse=True)
def _refusals_need_a_gateway(request):
    if SIMULATOR_URL and request.node.get_closest_marker("refusal"):
        pytest.skip("SIMULATOR_URL is set: a simulated provider refuses nobody")


def pytest_configure(config):
    config.addinivalue_line("markers", "refusal: needs a gateway, not just a provider")
