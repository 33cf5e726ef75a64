"""
Differences between Airflow releases, in one place.

Only this package, with its modules ``triggers`` and ``retries``, depends on the release of Airflow.
Each fallback names the first release that does not need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

# Whether Airflow's execution_timeout goes on, and ends a task, while the task is deferred.
TIMES_DEFERRED_TASKS: bool
# Whether Airflow may resume the retry of a deferred task, and not start it anew.
RESUMES_RETRIES: bool

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.models.xcom import XCom
    from airflow.sdk import (
        Asset,
        BaseHook,
        BaseOperator,
        BaseOperatorLink,
        BaseSensorOperator,
        Connection,
        Context,
        PokeReturnValue,
        XComArg,
    )
    from airflow.sdk.configuration import conf
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowRescheduleException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
        TaskDeferralTimeout,
    )
    from airflow.sdk.execution_time.context import NEVER_EXPIRE
    from airflow.sdk.log import mask_secret
    from airflow.sdk.observability.stats import Stats
else:
    try:
        from airflow.sdk import (
            Asset,
            BaseOperator,
            BaseOperatorLink,
            BaseSensorOperator,
            PokeReturnValue,
        )
        from airflow.sdk.execution_time.xcom import XCom
        from airflow.sdk.log import mask_secret
    except ImportError:  # before Airflow 3.0
        TIMES_DEFERRED_TASKS = True
        from airflow.datasets import Dataset as Asset
        from airflow.models import BaseOperator, XCom
        from airflow.models.baseoperatorlink import BaseOperatorLink
        from airflow.sensors.base import BaseSensorOperator, PokeReturnValue
        from airflow.utils.log.secrets_masker import mask_secret
    else:
        TIMES_DEFERRED_TASKS = False
    try:
        from airflow.sdk import BaseHook
    except ImportError:  # before Airflow 3.1
        from airflow.hooks.base import BaseHook
    try:
        from airflow.sdk.configuration import conf
        from airflow.sdk.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowRescheduleException,
            AirflowSensorTimeout,
            AirflowSkipException,
            AirflowTaskTimeout,
            TaskDeferralTimeout,
        )
    except ImportError:  # before Airflow 3.2
        from airflow import __version__ as airflow_version
        from airflow.configuration import conf
        from airflow.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowRescheduleException,
            AirflowSensorTimeout,
            AirflowSkipException,
            AirflowTaskTimeout,
        )
        from packaging.version import Version

        # What resumes a task is dropped with each retry since then: github.com/apache/airflow/pull/56731.
        RESUMES_RETRIES = not TIMES_DEFERRED_TASKS and Version(airflow_version) < Version("3.1.1")
        try:
            from airflow.exceptions import TaskDeferralTimeout
        except ImportError:  # before Airflow 3.0, which raised the parent of both
            from airflow.exceptions import TaskDeferralError as TaskDeferralTimeout
    else:
        RESUMES_RETRIES = False

    try:
        from airflow.sdk import NEVER_EXPIRE
        from airflow.sdk.observability.stats import Stats
    except ImportError:  # before Airflow 3.3, which brought the task state store
        from airflow.stats import Stats

        NEVER_EXPIRE = None


def first_poked_at(context: Context) -> datetime | None:
    """Return when a task in reschedule mode was first poked; ``None`` in its first process."""
    ti = context["ti"]
    if TIMES_DEFERRED_TASKS:  # before Airflow 3.0, where such a task keeps its start
        started_at: datetime | None = ti.start_date
        return started_at
    return ti.get_first_reschedule_date(context)


def is_of_earlier_try(context: Context, try_number: int | None) -> bool:
    """
    Return whether a task is resumed with the event of an earlier try.

    So is each retry of a deferred task on Airflow 3.0 and 3.1.0. A task that is not retried may be so, too:
    Airflow counts one try more if a scheduler starts between event and resumption.

    :param try_number: Number of the try that deferred, if it is known.
    """
    ti = context["ti"]
    return (
        RESUMES_RETRIES
        and try_number is not None
        and try_number < ti.try_number <= ti.max_tries + 1  # else Airflow goes on after its own end
    )
