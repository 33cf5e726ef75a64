"""
What is known to be harmless in a recording: keys, words and constants of Adobe's own.

All else is replaced or left out, so a name that is missing here costs a fact, and never a secret. The
names are those of Adobe's documentation and of its error catalogues.
"""

from __future__ import annotations

# What the value of a key is, and so what may be shown of it: `scrub.Scrubber` knows the kinds.
_KEYS = {
    # Objects and arrays only; their own keys are looked at one by one.
    "group": """
        activities activites activityRefs apiFeatures attributes baseConnection connectionSpec
        customSummary data deltaColumn durationSummary error-chain errors extensions failedInfo fileInfo
        fileSummary flowSpec inheritedAttributes items lastOperation lastRunDetails latencySummary _links
        manage manifest metrics next options _page page params permissionsInfo predecessors properties
        recordSummary reference report runSpec sandboxes scheduleParams schema sizeSummary skippedInfo
        sourceConnections sourceInfo sourceSummaries statusSummary targetConnections targetInfo
        targetSummaries entitySummaries transformations uiAttributes adf run tenantInfo datasets sourceSpec
        targetSpec exploreSpec scheduleSpec optionSpec transformationSpec transformationSpecs encryptionSpecs
        permissionSpec order messages
    """,
    "identity": """
        id ids flowId flowRunId parentFlowRunId childFlowRunIds sandboxId etag eTag request-id requestId
        x-request-id baseConnectionId sourceConnectionIds targetConnectionIds dataSetId datasetId mappingId
        specId providerId sourceConnectionSpecIds targetConnectionSpecIds
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
        avgMs maxMs minMs
    """,
    "few": "limit start interval partialIngestionPercent percentCompleted mappingVersion",
    "word": """
        status state operation frequency region token_type format result isDefault isSourceFlow
        isDestinationFlow isSampleDataflow errorDiagnosticsEnabled flowRunsSupported backfill templated op
        subOp value key category permissions isSource isDestination cronExpression dateFormat timezone
    """,
    "code": "code errorCode error_code error",
    "sort": "type",  # of a problem, which is a link, or of something else
    "caption": "title description",  # of an error, or of what a customer has made and named
    "text": """
        message detail detailed-message errorMessage errorDetails errorDetail
        error_description details
    """,
    "link": "href statusURL runs failedRecords sampleErrors path pathPrefix",
    "edition": "version",
    "token": "continuationToken",
    "secret": "access_token",
}
# An object with one of them is an error.
KEYS_OF_ERRORS = frozenset({"status", "code", "report"})

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
    accessdenied abandoned archived inactive loading loaded retained staging retrying stalled publish finalize
    apply rollback progress updatefinalizing enterprisesource streamingsource utc month year
    sourceconnectionspec targetconnectionspec folder file table
"""
VALUES = frozenset(_VALUES.split())

# Parts of paths in addresses, and values of their parameter `path`.
_SEGMENTS = """
    data foundation flowservice runs flows flowSpecs connections connectionSpecs sourceConnections
    targetConnections action test search ims token v1 v2 v3 v4 sandbox-management export batches meta aep
    errors placeholder type uri sandboxes explore row_errors row_error_samples.json input_files
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

# Words of Adobe's own error messages, and of those that tell why a source refuses a credential. A text
# keeps these, and the known keys and values, in their order.
_WORDS = """
    a aadsts7000215 aadsts7000222 aadsts700082 abandoned able aborted access account action activate
    active activity add admin administrator after again aggregate aggregation algorithm all allowed
    already amazon an and any api applicable appropriate are argument array as ascending at attempt
    attempted attempting attribute auth authentication authenticationfailed authorization
    authorizationfailure authorizationpermissionmismatch authspec aws azure backfill bad base
    base64-encoded batch be bearer because been before being between blob body both building bulk but by
    called calling can cannot catalog change changed character check checking client client_secret code
    collection column compared comparison comparisons complex condition config configured conflict
    connect connected connecting connection connections connectionspecfiltering connectionspecid
    connector connectors connectortype contact contain container containing content context copied copy
    copying correct corresponding could create created creating credential credentials csv current
    customer data dataflow dataset date decoding default defined definition definitions deleted deleting
    delimiter denied descending deserializing destination detailed details detection did different
    disabled dns documentation does done due during each either empty enabled encoded encoding
    encountered encryption end ended ensure enter enterprise entitled entity entityid error errorcode
    errors established example exceeded exception exist exists expected expired expiredtoken explore
    external extracting fail failed failing failure feature fetched fetching field fieldname fields file
    files filter finalize first flag flow flowrunaction flows flowspectype for forbidden format found
    frequency from ftp fulfilled function gain gateway given go going granted had has have header host
    http https id identifier ids if if-match if-modified-since if-none-match if-unmodified-since illegal
    implemented in inactive inadequate incorrect information ingested ingestion initializing input
    instructions internal interval invalid invalid_grant invalidaccesskeyid ip is issue it its jdbc job
    json key lake landing language last later length less limit list load loaded locate longer make
    malformed manage mandatory manually many mapped mapper mapping match matches matching media message
    minimum missing mode more multiple must my name names native necessary need network new no not null
    number oauth object objecttype occurred odbc of offline on once one only open operation operations
    operator operators or order orderby organization other out output pagination parameter parameters
    params parent parquet parse parsing part partial party passed passphrase past patch payload pending
    perform period permission permissions permitted persists platform please point policy precondition
    predecessor prep prepend present problem process processed processing profile progress promotion
    proper properly property provide provided provider publickeyid query rate re-trigger re-triggered
    re-triggering reached read record records ref reference refresh refused region reject rejected
    related remaining remove request requested requestfiletype requests required resolution resolve
    resource resources respond response restricted retrieve retrieving retry retrying returned reverse
    right rows run running runs s3 same sandbox schedule scheduled schema schemametadata scope secret
    section see segment segments serializing server service set sftp sftpauthenticationfailure
    sftpnetworkissue should signaturedoesnotmatch since size skipped socketerrorcode something sort
    source sourceconnection sources spec specification specified specs ssl start started startup state
    states status still storage stream streaming string sub success successful successfully such
    sufficient supplied support supported sure system table target targetconnection tcp templatetype
    temporarily than that the their them then there these they this time timed timedout timeout times
    tls to together token too transform transformation transformations transitioned try trying type
    types unable unauthorized unavailable under unhandled unknown unsupported until up update updated
    updating upload uploaded url use used user users usertoken valid validating validation value values
    verify version via wait was we went were when which while window with within without write written
    wrong yet you your zone zones
"""
WORDS = frozenset(_WORDS.split())
