-- Tools of shadow-utils -> OCSF 1.5.0: Account Change of users, Group Management of groups alone, Base Event of the rest.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    CASE WHEN user_name IS NOT NULL THEN 3001 WHEN group_name IS NOT NULL THEN 3006 ELSE 0 END AS class_uid,
    CASE
        WHEN user_name IS NULL AND group_name IS NULL THEN 0
        WHEN user_name IS NULL THEN CASE WHEN regexp_matches(r.message, 'new|add') THEN 6 WHEN regexp_matches(r.message, 'remove|delete') THEN 5 ELSE 99 END
        WHEN group_name IS NOT NULL THEN 99
        WHEN regexp_matches(r.message, '^(?:new user|failed adding user)') THEN 1
        WHEN regexp_matches(r.message, '^(?:delete user|remove)') THEN 6
        WHEN starts_with(r.message, 'lock') THEN 9
        WHEN starts_with(r.message, 'unlock') THEN 12
        WHEN contains(r.message, 'password') AND NOT contains(r.message, 'expiry') THEN 3
        ELSE 99
    END                                                             AS activity_id,
    coalesce(syslog_severity(r.pri), 1)                             AS severity_id,
    CASE WHEN regexp_matches(r.message, '(?i)fail|cannot|denied|invalid') THEN 2 ELSE 1 END AS status_id,
    r.message                                                       AS message,
    r.time                                                          AS "metadata.original_time",
    'Unknown'                                                       AS "metadata.product.vendor_name",
    'shadow-utils'                                                  AS "metadata.product.name",
    r.program                                                       AS "metadata.product.feature.name",
    host_profiles(r.host, envelope)                                 AS "metadata.profiles",
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    envelope_cloud(envelope)                                        AS "cloud.provider",
    r.program || ': ' || part_of(r.message, '^([a-z]+(?: [a-z]+)?)') AS "metadata.event_code",
    actor_name                                                      AS principal,
    actor_name                                                      AS "actor.user.name",
    user_name                                                       AS "user.name",
    part_of(r.message, ' UID=(\d+)')                                AS "user.uid?",
    CASE WHEN user_name IS NOT NULL AND group_name IS NOT NULL THEN [{'name': group_name}] END AS "user.groups",
    group_name                                                      AS "group.name",
    CASE WHEN user_name IS NULL THEN part_of(r.message, ' GID=(\d+)') END AS "group.uid",
    r.host                                                          AS "device.hostname",
    CASE WHEN r.host IS NOT NULL THEN 0 END                         AS "device.type_id",
    [r.host]                                                        AS "resources[].uid",
    []::VARCHAR[]                                                   AS entity_texts,
    syslog_fields(r.pri, r.syslog_version, r.pid, r.procid, r.msgid, r.structured_data) AS unmapped
FROM (
    SELECT
        *,
        syslog_time(r.time, envelope, key_time) AS moment,
        coalesce(
            part_of(r.message, '^new user: name=([^,]+)'),
            part_of(r.message, '^(?:add|remove|delete) [''`]([^'']+)'' (?:to|from) (?:shadow )?group'),
            part_of(r.message, '(?:^| )user [''`]([^'']+)'''),
            part_of(r.message, '^user (\S+) (?:added|removed)'),
            part_of(r.message, '^(?:add|remove) user (\S+) (?:to|from) group'),
            part_of(r.message, 'password (?:expiry )?for [''`]?([^''\s]+)'),
            part_of(r.message, '^changed user [''`]?([^''\s]+)')
        ) AS user_name,
        coalesce(
            part_of(r.message, 'group: name=([^,]+)'),
            part_of(r.message, '/etc/g?s?h?a?d?o?w?g?r?o?u?p?: name=([^,]+)'),
            part_of(r.message, 'group [''`]([^'']+)'''),
            part_of(r.message, '(?:to|from) group (\S+)')
        ) AS group_name,
        part_of(r.message, '(?:added|removed|changed) by [''`]?([^''\s]+)') AS actor_name
    FROM records
)
