"""
Whether a run failed because its source refuses the credential of its account.

Pure. The service reports such a run like one whose source cannot be reached; only the words of the
source's own software, which come with the copy activity's error, tell them apart.
"""

from __future__ import annotations

import re
from typing import Literal

from airflow_provider_flowservice.runs import DataflowRun

# Words for nothing else than a credential that has expired or is wrong: those of Microsoft Entra ID for a
# secret or a token that has expired and for a wrong secret, that of OAuth (RFC 6749), and of Amazon S3.
_CERTAIN = (
    "AADSTS7000222",
    "AADSTS700082",
    "AADSTS7000215",
    "invalid_client",
    "InvalidAccessKeyId",
)
# Words for a login or an access that was refused, perhaps for another reason or for a moment only.
_LIKELY = (
    r"AADSTS\d+",
    "Access ?Denied",
    "Authentication ?Failed",
    "Authentication failure",
    "AuthorizationFailure",
    "AuthorizationPermissionMismatch",
    "ExpiredToken",
    "Forbidden",
    "invalid_grant",
    "Permission denied",
    "SftpAuthenticationFailure",
    "SignatureDoesNotMatch",
    "Unauthorized",
)


def source_refuses(run: DataflowRun) -> Literal["certainly", "perhaps"] | None:
    """Return whether the source of a run that has failed refuses its account's credential."""
    texts = [*(error.message for error in run.errors), *run.details]
    for words, answer in _PATTERNS:
        if any(map(words.search, texts)):
            return answer
    return None


def _words(words: tuple[str, ...]) -> re.Pattern[str]:
    # As a part of a path or of a longer name, they are data.
    return re.compile(rf"(?<![\w./-])(?:{'|'.join(words)})(?![\w/-]|\.\w)", re.IGNORECASE)


_PATTERNS: tuple[tuple[re.Pattern[str], Literal["certainly", "perhaps"]], ...] = (
    (_words(_CERTAIN), "certainly"),
    (_words(_LIKELY), "perhaps"),
)
