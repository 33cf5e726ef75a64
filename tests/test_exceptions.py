"""The errors: one hierarchy, and each survives the journey between processes."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._compat import AirflowException
from airflow_provider_flowservice.exceptions import FlowServiceApiError, FlowServiceError

ALL = [
    error_class
    for _, error_class in inspect.getmembers(exceptions, inspect.isclass)
    if error_class.__module__ == exceptions.__name__
]
DETAILS = {
    "sent": "maybe",
    "http_status": 429,
    "code": "FLOW-1100-400",
    "request_id": "q3f7",
    "retry_after": 7.5,
    "codes": ("1100-400",),
    "candidates": ("r1", "r2"),
}

each_error = pytest.mark.parametrize("error_class", ALL, ids=lambda each: each.__name__)


def full(error_class):
    """Make an error with all it can carry."""
    names = inspect.signature(error_class.__init__).parameters
    return error_class("what happened", **{k: v for k, v in DETAILS.items() if k in names})


@each_error
def test_every_error_is_one_of_ours_and_of_airflows(error_class):
    assert issubclass(error_class, FlowServiceError)
    assert issubclass(error_class, AirflowException)


@each_error
@pytest.mark.parametrize(
    "travel", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy]
)
def test_every_error_survives_being_copied(error_class, travel):
    error = full(error_class)
    error.sent = "no"

    arrived = travel(error)

    assert type(arrived) is error_class
    assert str(arrived) == str(error) == "what happened"
    assert arrived.args == ("what happened",)
    assert vars(arrived) == vars(error)


@each_error
def test_every_error_can_be_made_from_its_message_alone(error_class):
    # As Airflow does when it brings one from a trigger into the task.
    assert str(error_class("what happened")) == "what happened"


@each_error
def test_the_picture_of_the_hierarchy_shows_every_error(error_class):
    assert f"* ``{error_class.__name__}``" in exceptions.__doc__


@each_error
def test_every_error_says_when_it_is_raised(error_class):
    assert inspect.getdoc(error_class)


def test_the_http_status_does_not_shadow_airflows_own():
    error = FlowServiceApiError("no", http_status=404)

    assert error.http_status == 404
    assert getattr(error, "status_code", None) == getattr(AirflowException(), "status_code", None)
