"""
What is known to be harmless in a recording: keys, words and constants of Adobe's own.

All else is replaced or left out, so a name that is missing here costs a fact, and never a secret. The
names are those of Adobe's documentation and of its error catalogues.
"""

from __future__ import annotations

# What the value of a key is, and so what may be shown of it. Each kind is a method of `scrub.Scrubber`.
_KEYS = {
    # Objects and arrays only; their own keys are looked at one by one.
    "group": """
        activities activites activityRefs apiFeatures attributes baseConnection connectionSpec
        customSummary data deltaColumn durationSummary error-chain errors extensions failedInfo fileInfo
        fileSummary flowSpec inheritedAttributes items lastOperation lastRunDetails latencySummary _links
        manage manifest metrics next options _page page params permissionsInfo predecessors properties
        recordSummary reference report runSpec sandboxes scheduleParams schema sizeSummary skippedInfo
        sourceConnections sourceInfo sourceSummaries statusSummary targetConnections targetInfo
        targetSummaries entitySummaries transformations uiAttributes adf run tenantInfo datasets
    """,
    "identity": """
        id ids flowId flowRunId parentFlowRunId childFlowRunIds sandboxId etag eTag request-id requestId
        x-request-id baseConnectionId sourceConnectionIds targetConnectionIds dataSetId datasetId mappingId
        specId
    """,
    "name": """
        name createdBy updatedBy createdClient updatedClient sandboxName imsOrgId providerRefId
        tableName labels serviceId invokingServiceId client_id x-api-key x-gw-ims-org-id x-sandbox-name
    """,
    "moment": """
        createdAt updatedAt startedAtUTC completedAtUTC stoppedAtUTC updatedAtUTC windowStart windowEnd
        startTime windowStartTime windowEndTime started updated unixTimeStampMs created_at
    """,
    "number": """
        inputBytes outputBytes inputRecordCount outputRecordCount createdRecordCount updatedRecordCount
        deletedRecordCount skippedRecordCount failedRecordCount warningRecordCount recordCount
        inputFileCount outputFileCount skippedFileCount failedFileCount count expires_in
    """,
    "few": "limit start interval partialIngestionPercent mappingVersion",
    "word": """
        status state operation frequency region token_type format result isDefault isSourceFlow
        isDestinationFlow isSampleDataflow errorDiagnosticsEnabled flowRunsSupported backfill templated op
        subOp value
    """,
    "code": "code errorCode error_code error",
    "sort": "type",  # of a problem, which is a link, or of something else
    "text": """
        title message description detail detailed-message errorMessage errorDetails errorDetail
        error_description
    """,
    "link": "href runs failedRecords sampleErrors path pathPrefix",
    "edition": "version",
    "token": "continuationToken",
    "secret": "access_token",
}
KINDS = {key: kind for kind, keys in _KEYS.items() for key in keys.split()}

# Kinds of parameters of queries, where they are not those of keys.
PARAMETERS = {"property": "condition", "orderby": "order", "count": "word"}
REQUEST_HEADERS = ("Content-Type", "Accept", "x-api-key", "x-gw-ims-org-id", "x-sandbox-name")

# Compared in lower case, without "_", "-" and blanks.
_VALUES = """
    success succeeded completed complete finished partialsuccess partialfailure partiallycompleted
    completedwitherrors warning failed failure error cancelled canceled aborted timedout inprogress
    scheduled processing waiting pending queued running started active enabled disabled draft initializing
    updating enabling disabling enabledfinalizing deletefinalizing creating deleted create update delete
    once minute hour day week batch streaming true false bearer retrigger enable disable delimited json
    parquet sourceconnection targetconnection adfrunid onetime lowlevel runs flows connections flowspecs
    connectionspecs sourceconnections targetconnections production development va7 nld2 aus5 gbr9 can2 ind2
    invalidclient invalidscope invalidtoken invalidrequest unauthorizedclient unsupportedgranttype
    accessdenied
"""
VALUES = frozenset(_VALUES.split())

# Parts of paths in addresses, and values of their parameter `path`.
_SEGMENTS = """
    data foundation flowservice runs flows flowSpecs connections connectionSpecs sourceConnections
    targetConnections action test search ims token v1 v2 v3 v4 sandbox-management export batches meta aep
    errors placeholder type uri row_errors row_error_samples.json input_files
"""
SEGMENTS = frozenset(_SEGMENTS.split())
HOSTS = frozenset({"platform.adobe.io", "platform-stage.adobe.io", "ns.adobe.com"})
MEDIA_TYPES = frozenset(
    {
        "application/json",
        "application/problem+json",
        "application/x-www-form-urlencoded",
        "text/html",
        "text/plain",
        "*/*",
    }
)

# The same in all organizations: activities of runs, specifications, Adobe's own clients, and a run that the
# probe knows not to exist.
_CONSTANTS = """
    4f008a00-3a04-11eb-adc1-0242ac120002 37b34f84-1ada-11eb-adc1-0242ac120002 copyActivity
    promotionActivity 9753525b-82c7-4dce-8a9b-5ccfce2b9876 14518937-270c-4525-bdec-c2ba7cce3860
    c1a19761-d2c7-4702-b9fa-fe91f0613e81 d69717ba-71b4-4313-b654-49f9cf126d7a
    e77fde5a-22a8-11ed-861d-0242ac120002 d8a6f005-7eaf-4153-983e-e8574508b877
    c604ff05-7f1a-43c0-8e18-33bf874cb11c ecadc60c-7455-4d87-84dc-2a0e293d997b acp_foundation_connectors
    exc_app aep_activation_batch Copy Mapping 00000000-0000-4000-8000-000000000000
"""
CONSTANTS = frozenset({*_CONSTANTS.split(), "Promotion Activity", "Datalake to UIS Flow"})
ACCOUNT_SUFFIXES = ("@AdobeID", "@AdobeOrg", "@techacct.adobe.com")

# Of error codes, such as FLOW-1439-404.
CODE_PREFIXES = (
    "FLOW",
    "CONNECTOR",
    "CTOR",
    "INGEST",
    "MAPPER",
    "ACTIVATION_BATCH",
    "SSING",
    "SMS",
)

# Words of Adobe's own error messages. A text keeps these, in their order.
_WORDS = """
    a able access account action activity after again all allowed already an and any api applicable are as
    at attempt attempting authorization aws azure bad be because been before being between body bulk but by
    called calling can cannot changed check client code column conflict connect connected connecting
    connection connector contact content copied copy copying correct could create created credential
    credentials data dataflow dataset date denied destination details did disabled does done due during
    each either empty enabled encountered end ended error errors exception exceeded exist exists expected
    expired fail failed failing failure field fields file files filter first flow flows for forbidden format
    found frequency from gateway given go going granted had has have header host if in initializing
    ingested ingestion input internal invalid is it its job key lake last later limit list load loaded
    locate longer manage mapper mapping match missing more must my necessary need network new no not null
    number oauth object occurred of on once one only operation operator or order organization other out
    output parameter parameters params parse parsing partial passed permission permissions platform please
    point process processing profile progress promotion properly provide provided provider query rate read
    reached record records reference refresh region reject rejected request requested requests required
    resource resources respond response retry retrying right rows run running runs same sandbox scheduled
    schema scope secret see server service since size skipped source sources spec specification start
    started state status still stream streaming success successful successfully such support supported
    system table target than that the their them then there these they this time timed timeout times to
    token too transform transformation try trying type unable unauthorized unavailable under unknown
    unsupported until up update updated upload uploaded use used user validation valid value values
    verify version wait was we were when which while window with within without write written wrong yet you
    your
"""
WORDS = frozenset(_WORDS.split())
