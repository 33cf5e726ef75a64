"""What a run goes through, and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_USUAL_RECORDS = 100
_FAILS = ("inProgress", "failed")


@dataclass(frozen=True)
class Lifecycle:
    """
    The statuses a run goes through, and what it comes to.

    Its class methods return those whose JSON is known from the service's documentation and is
    easily read wrong.

    :param statuses: Statuses in order; the last one stays.
    :param records: Records read; by default 100 if the run succeeds.
    :param failed_records: Records rejected, out of those read.
    :param error: Code and message of the error, if the run fails.
    :param step_seconds: Seconds each status lasts; by default the emulator's setting.
    :param skipped_records: Records skipped, out of those read.
    :param updated_records: Records that update others and are not written, out of those read.
    :param counted: Whether the JSON of a success without records counts them. If not, it shows
        0 bytes and no file written.
    :param causes: Codes and messages of what is behind the error; by default one that fits it.
    :param detail: What the source says of an error in copying; by default the error's message.
    """

    statuses: Sequence[str] = ("inProgress", "success")
    records: int | None = None
    failed_records: int = 0
    error: tuple[str, str] | None = None
    step_seconds: float | None = None
    skipped_records: int = 0
    updated_records: int = 0
    counted: bool = True
    causes: Sequence[tuple[str, str]] | None = None
    detail: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.statuses, str) or not self.statuses:
            raise ValueError(f"A lifecycle is a list of statuses, not {self.statuses!r}.")
        if self.written < 0:
            raise ValueError(
                f"No more than the {self.read} records read can be rejected, skipped or updated."
            )

    @classmethod
    def rejects(cls, failed_records: int, of: int = _USUAL_RECORDS) -> Lifecycle:
        """
        Succeed with rejected records, and with the addresses at which these can be read.

        :param failed_records: Records rejected.
        :param of: Records read.
        """
        return cls(records=of, failed_records=failed_records)

    @classmethod
    def skips(cls, skipped_records: int, of: int = _USUAL_RECORDS) -> Lifecycle:
        """
        Succeed with skipped records, and with the reason; as many as are read write nothing.

        :param skipped_records: Records skipped.
        :param of: Records read.
        """
        return cls(records=of, skipped_records=skipped_records)

    @classmethod
    def updates_only(cls, records: int = 1) -> Lifecycle:
        """
        Succeed with updates and without a record written, as runs for identities do.

        :param records: Records read.
        """
        return cls(records=records, updated_records=records)

    @classmethod
    def loads_nothing(cls) -> Lifecycle:
        """Succeed with 0 bytes, no file written, and no counts of records at all."""
        return cls(records=0, counted=False)

    @classmethod
    def fails_on_field(cls, name: str = "_id") -> Lifecycle:
        """
        Fail since the schema lacks a field, which only the metrics say, in a ``description``.

        :param name: Name of the field.
        """
        missing = f"The field: {name} does not exist in the target schema."
        return cls(
            _FAILS,
            error=("CTOR-2001-500", "Internal error in Promotion activity step"),
            causes=(("INGEST-1205-400", f"{missing} Remove the field and try again."),),
        )

    @classmethod
    def fails_without_cause(cls) -> Lifecycle:
        """Fail with ``CONNECTOR-2001-500``, and name no cause beside it."""
        text = "Error in processing (parsing, validation or transformation) the copied data."
        return cls(_FAILS, error=("CONNECTOR-2001-500", text), causes=())

    @classmethod
    def source_credential_expired(cls) -> Lifecycle:
        """Fail to copy, as the credential of the source's account has expired."""
        text = "Failed to get access token by using service principal."
        app = "5ad0c8f1-0000-4000-8000-000000000000"
        reason = f"AADSTS7000222: The provided client secret keys for app '{app}' are expired."
        return cls._fails_to_copy(text, f"Error: invalid_client, Error Message: {reason}")

    @classmethod
    def source_access_denied(cls) -> Lifecycle:
        """Fail to copy, as the source's storage denies access."""
        return cls._fails_to_copy(
            "The remote server returned an error: (403) Forbidden.", "AccessDenied"
        )

    @classmethod
    def _fails_to_copy(cls, text: str, reason: str) -> Lifecycle:
        detail = (
            "'Type=Microsoft.DataTransfer.Common.Shared.HybridDeliveryException,"
            f"Message={text} {reason}'"
        )
        return cls(_FAILS, causes=(("2200", text),), detail=detail)

    @property
    def read(self) -> int:
        """Records read, if the run succeeds."""
        return _USUAL_RECORDS if self.records is None else self.records

    @property
    def written(self) -> int:
        """Records written, if the run succeeds."""
        return self.read - self.failed_records - self.skipped_records - self.updated_records

    @property
    def ingests_nothing(self) -> bool:
        """Whether a success leaves everything as it was: it read nothing, or nothing that it took."""
        return not (self.written or self.updated_records)
