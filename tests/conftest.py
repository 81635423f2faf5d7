import pytest
import structlog


@pytest.fixture(autouse=True)
def logging_as_it_was():
    """Commands set up logging for their process; here many run in one."""
    yield
    structlog.reset_defaults()
