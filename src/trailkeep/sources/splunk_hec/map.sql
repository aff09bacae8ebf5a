-- Events of the HTTP Event Collector -> OCSF 1.5.0 Base Event (0). One without a time has that at which it was received.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    0                                                               AS class_uid,
    99                                                              AS activity_id,
    level_severity(log_level(coalesce(text, r.event::VARCHAR)))     AS severity_id,
    text                                                            AS message,

    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    'unknown'                                                       AS "cloud.provider",
    r.sourcetype                                                    AS "metadata.log_name",
    r.source                                                        AS "metadata.log_provider",
    log_level(coalesce(text, r.event::VARCHAR))                     AS "metadata.log_level",
    'HTTP Event Collector'                                          AS "metadata.product.name",
    r.sourcetype                                                    AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    NULL::VARCHAR                                                   AS principal,
    r.host                                                          AS "src_endpoint.domain",
    [coalesce(regexp_replace(text, '\s', ' ', 'g'), r.event::VARCHAR), r.fields::VARCHAR] AS entity_texts,
    leftover(try(json_merge_patch(
        raw_data,
        without_fields(['source', 'sourcetype', CASE WHEN text IS NOT NULL THEN 'event' END])
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        CASE WHEN json_type(r.event) = 'VARCHAR' THEN json_extract_string(r.event, '$') END AS text,
        CASE
            WHEN r.time IS NULL THEN iso_time(json_extract_string(envelope, '$.received'))
            ELSE epoch_time(r.time)
        END AS moment
    FROM records
)
