-- Reports of AIDE -> OCSF 1.5.0 Detection Finding, one for each report; the files are its evidences, each named with what
-- changed of it.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'start timestamp')                           AS reject,
    2004                                                            AS class_uid,
    1                                                               AS activity_id,
    CASE WHEN len(paths) > 0 THEN 3 ELSE 1 END                      AS severity_id,
    r.report                                                        AS message,
    r.version                                                       AS "metadata.event_code",
    r.version                                                       AS "metadata.product.version",
    r.time                                                          AS "metadata.original_time",
    'AIDE'                                                          AS "metadata.product.vendor_name",
    'AIDE'                                                          AS "metadata.product.name",
    ['datetime']                                                    AS "metadata.profiles",
    CASE WHEN len(paths) > 0 THEN 'Files differ from the database' ELSE 'No file differs from the database' END AS "finding_info.title",
    'aide ' || r.time                                               AS "finding_info.uid",
    NULL::VARCHAR                                                   AS principal,
    list_transform(range(1, len(paths) + 1), lambda i: {
        'name': flags[i],
        'file': {
            'path': paths[i],
            'name': coalesce(nullif(split_part(paths[i], '/', -1), ''), paths[i]),
            'type_id': CASE flags[i][1] WHEN 'f' THEN 1 WHEN 'd' THEN 2 ELSE 0 END
        }
    })                                                              AS "evidences",
    paths                                                           AS "resources[].uid"
FROM (
    SELECT
        *,
        iso_time(regexp_replace(trim(r.time), ' ?([+-]\d\d):?(\d\d)$', '\1:\2')) AS moment,
        regexp_extract_all(r.report, '(?m)^([A-Za-z!?][ =<>.+:A-Za-z-]{4,}): (/.*)$', 1) AS flags,
        regexp_extract_all(r.report, '(?m)^([A-Za-z!?][ =<>.+:A-Za-z-]{4,}): (/.*)$', 2) AS paths
    FROM records
)
