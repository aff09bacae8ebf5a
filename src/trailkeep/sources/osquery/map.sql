-- Results of osquery -> OCSF 1.5.0: rows of file_events are File Activity, of process_events Process Activity, other rows and
-- snapshots Base Event, since only the query knows what they mean.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'unixTime')                                  AS reject,
    CASE WHEN is_file THEN 1001 WHEN is_process THEN 1007 ELSE 0 END AS class_uid,
    CASE
        WHEN is_file THEN coalesce(MAP {
            'CREATED': 1, 'OPENED': 14, 'UPDATED': 3, 'DELETED': 4, 'MOVED_FROM': 5, 'MOVED_TO': 5, 'ATTRIBUTES_MODIFIED': 6,
            'ACCESSED': 2
        }[r.columns.action], 99)
        WHEN is_process THEN 1
        ELSE 99
    END                                                             AS activity_id,
    1                                                               AS severity_id,
    r.name                                                          AS "metadata.event_code",
    r.action                                                        AS status_code,
    'osquery'                                                       AS "metadata.product.vendor_name",
    'osquery'                                                       AS "metadata.product.name",
    host_profiles('', envelope)                                     AS "metadata.profiles",
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    envelope_cloud(envelope)                                        AS "cloud.provider",

    login                                                           AS principal,
    login                                                           AS "actor.user.name",
    'osquery'                                                       AS "actor.app_name?",
    r.columns.target_path                                           AS "file.path",
    coalesce(nullif(split_part(r.columns.target_path, '/', -1), ''), r.columns.target_path) AS "file.name",
    CASE WHEN is_file THEN 0 END                                    AS "file.type_id",
    byte_count(r.columns.size)                                      AS "file.size",
    list_filter([
        {'algorithm_id': 1, 'value': nullif(r.columns.md5, '')}, {'algorithm_id': 2, 'value': nullif(r.columns.sha1, '')},
        {'algorithm_id': 3, 'value': nullif(r.columns.sha256, '')}
    ], lambda x: x.value IS NOT NULL AND is_file)                   AS "file.hashes",
    TRY_CAST(r.columns.pid AS INTEGER)                              AS "process.pid",
    'unknown'                                                       AS "process.uid?",
    r.columns.path                                                  AS "process.path",
    r.columns.cmdline                                               AS "process.cmd_line",
    r.columns.cwd                                                   AS "process.working_directory",
    TRY_CAST(r.columns.parent AS INTEGER)                           AS "process.parent_process.pid",
    r.hostIdentifier                                                AS "device.hostname",
    'unknown'                                                       AS "device.hostname?",
    0                                                               AS "device.type_id?",
    [r.hostIdentifier, r.columns.target_path]                       AS "resources[].uid",
    [raw_data]                                                      AS entity_texts,
    leftover(try(json_merge_patch(raw_data, without_fields(['name', 'hostIdentifier', 'action'])))) AS unmapped
FROM (
    SELECT
        *,
        r.columns.target_path IS NOT NULL AS is_file,
        r.columns.target_path IS NULL AND coalesce(regexp_matches(r.name, 'process(?:es)?_events?|proc_events|es_process'), false)
            AS is_process,
        coalesce(nullif(r.columns.username, ''), nullif(r.columns."user", '')) AS login,
        CASE WHEN r.columns.target_path IS NOT NULL THEN coalesce(epoch_time(r.columns.time), epoch_time(r.unixTime))
            ELSE epoch_time(r.unixTime) END AS moment
    FROM records
)
