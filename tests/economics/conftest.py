"""CDNOW's summary, shared with the tests of the models."""

from tests.models.conftest import cdnow_summary  # noqa: F401
