"""
Shapes of the Flow Service's answers as JSON schemas, written from its published OpenAPI file.

Where that file is at odds with its own examples, with the tutorials, or with answers that people have
seen, the schema follows those, and a comment says so.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WORD: Schema = {"type": "string", "minLength": 1}
COUNT: Schema = {"type": "integer", "minimum": 0}
# The file knows no lower bound; samples write -1 for what could not be counted.
COUNT_OR_UNKNOWN: Schema = {"type": "integer", "minimum": -1}
SECONDS: Schema = {"type": "string", "pattern": "^[0-9]{10}$"}
SECONDS_AS_NUMBER: Schema = {"type": "integer", "minimum": 10**9, "maximum": 10**10 - 1}
MILLISECONDS: Schema = {"type": "integer", "minimum": 10**12}
# Inner quotes belong to it. The file calls the key `eTag`, and its examples `etag`.
ETAG: Schema = {"type": "string", "pattern": '^".+"$'}


def closed(required: list[str], **properties: Schema) -> Schema:
    """Return the schema of an object with these keys, and none besides."""
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def array(items: Schema) -> Schema:
    """Return the schema of an array."""
    return {"type": "array", "items": items}


# A limit of the file's own: it lacks the code and gives every entry a format.
ERROR = closed(["code", "message"], code=WORD, message=WORD, count=COUNT, recordCount=COUNT)
DURATION = closed(
    ["startedAtUTC"],
    startedAtUTC=MILLISECONDS,
    completedAtUTC=MILLISECONDS,  # missing while the run is under way
    extensions=closed(
        ["windowStart", "windowEnd"], windowStart=MILLISECONDS, windowEnd=MILLISECONDS
    ),
)
SIZES = closed([], inputBytes=COUNT_OR_UNKNOWN, outputBytes=COUNT_OR_UNKNOWN)
RECORDS = closed(
    [],
    **{
        f"{what}RecordCount": COUNT
        # The file lacks the output count, which nearly every sample has.
        for what in ("input", "output", "created", "updated", "deleted", "skipped", "failed")
    },
    failedInfo=array(ERROR),
    skippedInfo=array(ERROR),
)
FILES = closed(
    [],
    **{f"{what}FileCount": COUNT_OR_UNKNOWN for what in ("input", "output", "skipped", "failed")},
)
# Only the first version of the page on notifications has the text in `description`.
OLDER_ERROR = closed(["code", "description"], code=WORD, description=WORD)
STATUS = closed(
    ["status"],
    status=WORD,  # free text in the file, too
    # The file knows no errors here; samples and alerts have them in this place.
    errors=array(ERROR),
    activityRefs=array(WORD),
    extensions=closed(
        [],
        errors=array({"anyOf": [ERROR, OLDER_ERROR]}),
        errorDetail=WORD,
        manifest=closed([], failedRecords=WORD, sampleErrors=WORD),
    ),
)
REFERENCE = closed(
    ["id", "type", "reference"],
    id=WORD,
    type=WORD,
    reference=closed(["type", "ids"], type=WORD, ids=array(WORD)),
)
ACTIVITY = closed(
    ["id", "statusSummary"],
    id=WORD,
    name=WORD,
    updatedAtUTC=COUNT,  # 0 in most samples, so no time
    durationSummary=DURATION,
    latencySummary={"type": "object"},
    sizeSummary=SIZES,
    recordSummary=RECORDS,
    fileSummary=FILES,
    statusSummary=STATUS,
    sourceInfo=array(REFERENCE),
    targetInfo=array(REFERENCE),
)
SPEC = closed(["id", "version"], id=WORD, version=WORD)

RUN = closed(
    ["id", "flowId", "createdAt", "updatedAt", "etag", "metrics", "activities"],
    id=WORD,
    flowId=WORD,
    createdAt=MILLISECONDS,
    updatedAt=MILLISECONDS,
    createdBy=WORD,
    updatedBy=WORD,
    createdClient=WORD,
    updatedClient=WORD,
    sandboxId=WORD,
    sandboxName=WORD,
    imsOrgId=WORD,
    flowSpec=SPEC,
    providerRefId=WORD,
    # Seconds and text, though the file says milliseconds.
    params=closed(
        ["windowStartTime", "windowEndTime"],
        startTime=SECONDS,
        windowStartTime=SECONDS,
        windowEndTime=SECONDS,
    ),
    etag=ETAG,
    metrics=closed(
        ["statusSummary"],  # all else is missing while the run is under way
        durationSummary=DURATION,
        sizeSummary=SIZES,
        recordSummary=RECORDS,
        fileSummary=FILES,
        statusSummary=STATUS,
    ),
    activities=array(ACTIVITY),  # `activites` in the file, and in no sample
)

SCHEDULE = closed(
    ["startTime", "frequency"],
    # Seconds and text in every example, though the file says integers.
    startTime=SECONDS,
    frequency={"enum": ["once", "minute", "hour", "day", "week"]},
    interval={"type": "string", "pattern": "^[0-9]+$"},
    backfill={"enum": ["true", "false"]},
)
ACCOUNT = closed(["id", "connectionSpec"], id=WORD, connectionSpec=SPEC)
CONNECTION = closed(["id", "connectionSpec"], id=WORD, connectionSpec=SPEC, baseConnection=ACCOUNT)
FLOW = closed(
    ["id", "name", "flowSpec", "state", "etag", "sourceConnectionIds", "targetConnectionIds"],
    id=WORD,
    name=WORD,
    description=TEXT,
    createdAt=MILLISECONDS,
    updatedAt=MILLISECONDS,
    imsOrgId=WORD,
    sandboxName=WORD,
    flowSpec=SPEC,
    state={"enum": ["enabled", "disabled", "draft"]},
    version=ETAG,
    etag=ETAG,
    sourceConnectionIds=array(WORD),
    targetConnectionIds=array(WORD),
    inheritedAttributes=closed(
        ["properties"],
        properties=closed(
            [], isSourceFlow={"type": "boolean"}, isDestinationFlow={"type": "boolean"}
        ),
        sourceConnections=array(CONNECTION),
        targetConnections=array(CONNECTION),
    ),
    options=closed([], errorDiagnosticsEnabled={"type": "boolean"}, partialIngestionPercent=COUNT),
    scheduleParams=SCHEDULE,
    transformations=array(closed(["name", "params"], name=WORD, params={"type": "object"})),
    runs=WORD,
    lastOperation=closed(["operation"], started=MILLISECONDS, updated=COUNT, operation=WORD),
    lastRunDetails=closed(
        ["id", "state"],  # and no such key before the first run
        id=WORD,
        state=WORD,
        startedAtUTC=MILLISECONDS,
        completedAtUTC=MILLISECONDS,
    ),
)


def listing(item: Schema) -> Schema:
    """Return the schema of a page."""
    link = closed(["href"], href={"type": "string", "pattern": r"\?continuationToken=."})
    return closed(["items", "_links"], items=array(item), _links=closed([], next=link))


def single(item: Schema) -> Schema:
    """Return the schema of one resource: a page of one, without links."""
    return closed(["items"], items={**array(item), "minItems": 1, "maxItems": 1})


COUNTED = closed(["count"], count=COUNT)
# The file answers a re-trigger with "the updated flow run". The tutorial's answer is the new run.
STARTED = closed(["id", "etag"], id=WORD, etag=ETAG)

# The file says milliseconds; its examples are seconds, and those of the tutorial are texts.
TIME_ASKED: Schema = {"anyOf": [SECONDS, SECONDS_AS_NUMBER]}
# Only the tutorial knows the delta column.
DELTA_COLUMN = closed(["name"], name=WORD, dateFormat=WORD, timezone=WORD)
START_REQUEST = closed(
    ["flowId", "params"],
    flowId=WORD,
    params=closed(
        ["startTime"],
        startTime=TIME_ASKED,
        windowStartTime=TIME_ASKED,
        windowEndTime=TIME_ASKED,
        deltaColumn=DELTA_COLUMN,
    ),
)

GATEWAY_ERROR = closed(["error_code", "message"], error_code=WORD, message=WORD)
# The file describes no error of the service's own; the shape is that of a published answer.
SERVICE_ERROR = closed(
    ["type", "title", "status", "report"],
    type={"type": "string", "pattern": "^https://ns.adobe.com/aep/errors/"},
    title=WORD,
    status={"type": "integer", "minimum": 400, "maximum": 599},
    report={
        "type": "object",
        "properties": {"detailed-message": WORD, "id": WORD, "request-id": WORD, "type": WORD},
        "required": ["detailed-message", "request-id"],
        "additionalProperties": False,
    },
    errorMessage=WORD,
    errorDetails=WORD,
)
IMS_ERROR = closed(["error", "error_description"], error=WORD, error_description=WORD)
TOKEN = closed(
    ["access_token", "token_type", "expires_in"],
    access_token={"type": "string", "pattern": r"^eyJ[\w-]+\.[\w-]+\.[\w-]+$"},
    token_type={"const": "bearer"},
    expires_in={"type": "integer", "minimum": 1},
)
SANDBOXES = closed(
    ["sandboxes", "_page"],
    sandboxes=array(
        closed(
            ["name", "state"],
            name=WORD,
            title=WORD,
            state={"enum": ["creating", "active", "failed", "deleted"]},
            type={"enum": ["development", "production"]},
            region=WORD,
            isDefault={"type": "boolean"},
            eTag={"type": "integer"},
        )
    ),
    _page=closed(["count"], limit=COUNT, count=COUNT),
    _links={"type": "object"},
)
