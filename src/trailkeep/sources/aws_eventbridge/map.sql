-- EventBridge events -> OCSF 1.5.0 Base Event (0): what they are about differs with each service, so the detail stays as
-- it is. The state that it names is the status code; of EC2 it is the instance's.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    0                                                               AS class_uid,
    99                                                              AS activity_id,
    1                                                               AS severity_id,
    CASE
        WHEN regexp_matches(state, '^(?i)(failed|failure|error|fault|timed_out|impaired)$')
            OR contains(r."detail-type", 'Unsuccessful') THEN 2
        WHEN regexp_matches(state, '^(?i)(succeeded|success|complete|completed|ok)$')
            OR contains(r."detail-type", 'Successful') THEN 1
        ELSE 0
    END                                                             AS status_id,
    state                                                           AS status_code,

    r.account                                                       AS "cloud.account.uid",
    r.region                                                        AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    r.id                                                            AS "metadata.uid",
    r.version                                                       AS "metadata.log_version",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Amazon EventBridge'                                            AS "metadata.product.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    NULL::VARCHAR                                                   AS principal,
    r."detail-type"                                                 AS "api.operation",
    'unknown'                                                       AS "api.operation?",
    r.source                                                        AS "api.service.name",
    list_distinct(list_filter(list_append(r.resources, instance), lambda uid: uid IS NOT NULL)) AS "resources[].uid",
    [array_to_string(r.resources, ' '), '"' || r.account || '"', '"' || instance || '"', r.detail::VARCHAR]
                                                                    AS entity_texts,
    leftover(try(json_merge_patch(
        raw_data, without_fields(['time', 'account', 'region', 'id', 'version', 'detail-type', 'source'])
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        iso_time(r.time) AS moment,
        coalesce(
            json_extract_string(r.detail, '$.state.value'), json_extract_string(r.detail, '$.state'),
            json_extract_string(r.detail, '$."build-status"'), json_extract_string(r.detail, '$."completed-phase-status"'),
            json_extract_string(r.detail, '$.StatusCode'),
            json_extract_string(r.detail, '$.status'), json_extract_string(r.detail, '$."scan-status"'),
            json_extract_string(r.detail, '$.result')
        ) AS state,
        nullif(coalesce(
            json_extract_string(r.detail, '$."instance-id"'), json_extract_string(r.detail, '$.instanceId'),
            json_extract_string(r.detail, '$.EC2InstanceId')
        ), '') AS instance
    FROM records
)
