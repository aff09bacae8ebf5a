-- PostgreSQL's log -> OCSF 1.5.0: Authentication for connections, Datastore Activity for statements (those that pgAudit
-- tells of as well), Application Error for other errors, Base Event for the rest.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    class_uid                                                       AS class_uid,
    CASE class_uid
        WHEN 3002 THEN CASE WHEN r.text LIKE 'disconnection:%' THEN 2 WHEN r.text LIKE 'connection authenticated:%' THEN 99 ELSE 1 END
        WHEN 6005 THEN sql_activity(coalesce(nullif(audit.command, ''), statement))
        WHEN 6008 THEN 1
        ELSE 99
    END                                                             AS activity_id,
    CASE
        WHEN r.level = 'PANIC' THEN 6
        WHEN refused THEN 3
        WHEN r.level IN ('ERROR', 'FATAL') THEN 4
        WHEN r.level = 'WARNING' THEN 3
        ELSE 1
    END                                                             AS severity_id,
    r.level                                                         AS "severity",
    r.level                                                         AS "metadata.log_level",
    CASE WHEN r.level IN ('ERROR', 'FATAL', 'PANIC') THEN 2 WHEN class_uid IN (3002, 6005) THEN 1 ELSE 0 END AS status_id,
    r.text                                                          AS "message",

    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    json_extract_string(envelope, '$.log_group')                    AS "metadata.log_name",
    'PostgreSQL'                                                    AS "metadata.product.vendor_name",
    'PostgreSQL'                                                    AS "metadata.product.name",
    CASE WHEN audit.kind <> '' THEN 'pgAudit' ELSE 'Server log' END AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    coalesce(nullif(audit.command, ''), CASE class_uid
        WHEN 3002 THEN coalesce(nullif(regexp_extract(r.text, '^((?:dis)?connection(?: authorized| authenticated)?): ', 1), ''), 'connection refused')
        WHEN 6005 THEN upper(nullif(regexp_extract(statement, '^\s*([A-Za-z]+)', 1), ''))
    END)                                                            AS "api.operation",
    r.level                                                         AS "api.operation?",
    'postgresql'                                                    AS "api.service.name",
    CASE WHEN r.level IN ('ERROR', 'FATAL', 'PANIC') THEN r.text END AS "api.response.message",
    CASE WHEN class_uid = 3002 THEN 'postgresql' END                AS "service.name",

    who                                                             AS principal,
    who                                                             AS "actor.user.name",
    CASE WHEN class_uid IN (3002, 6005) THEN 'unknown' END          AS "actor.user.name?",
    coalesce(r.pid, r.process)                                      AS "actor.session.uid",
    CASE WHEN class_uid = 3002 THEN who END                         AS "user.name",
    CASE WHEN class_uid = 3002 THEN 'unknown' END                   AS "user.name?",
    CASE WHEN is_ip(address) THEN address END                       AS "src_endpoint.ip",
    CASE WHEN NOT is_ip(address) THEN address END                   AS "src_endpoint.domain",
    port(regexp_extract(r.remote, '\((\d+)\)$', 1))                 AS "src_endpoint.port",
    CASE WHEN class_uid IN (3002, 6005) AND address IS NULL THEN 'unknown' END AS "src_endpoint.svc_name?",

    CASE WHEN class_uid = 6005 THEN 1 END                           AS type_id,
    CASE WHEN class_uid = 6005 THEN db END                          AS "database.name",
    CASE WHEN class_uid = 6005 THEN 'unknown' END                   AS "database.name?",
    CASE WHEN class_uid = 6005 THEN 1 END                           AS "database.type_id",
    CASE WHEN audit.object_type LIKE '%TABLE%' THEN nullif(trim(audit.object_name, '"'), '') END AS "table.name",
    CASE WHEN class_uid = 6005 THEN coalesce(nullif(audit.statement_id, ''), r.pid, r.process, 'unknown') END AS "query_info.uid",
    CASE WHEN class_uid = 6005 THEN statement END                   AS "query_info.query_string",
    TRY_CAST(round(TRY_CAST(nullif(regexp_extract(r.text, '^duration: ([\d.]+) ms', 1), '') AS DOUBLE)) AS BIGINT) AS duration,
    [regexp_replace(r.text, '\s', ' ', 'g')]                        AS entity_texts,

    unmapped_fields(json_object(
        'remote', r.remote, 'user', r.user, 'database', r.database,
        'pid', r.pid, 'process', r.process, 'session', r.session, 'more', r.more
    ))                                                              AS unmapped
FROM (
    SELECT
        *,
        CASE
            WHEN refused OR regexp_matches(r.text, '^(connection authorized|connection authenticated|disconnection): ') THEN 3002
            WHEN statement IS NOT NULL THEN 6005
            WHEN r.level IN ('ERROR', 'FATAL', 'PANIC') THEN 6008
            ELSE 0
        END AS class_uid
    FROM (
        SELECT
            *,
            iso_time(r.time) AS moment,
            r.level = 'FATAL' AND regexp_matches(r.text, 'authentication failed|pg_hba\.conf|role ".*" (does not exist|is not '
                || 'permitted to log in)|database ".*" does not exist|permission denied for database') AS refused,
            nullif(nullif(coalesce(r.user, split_part(r.session, '@', 1),
                nullif(regexp_extract(r.text, '^connection authorized: user=(\S+)', 1), '')), '[unknown]'), '') AS who,
            nullif(nullif(coalesce(r.database, split_part(r.session, '@', 2)), '[unknown]'), '') AS db,
            nullif(regexp_replace(r.remote, '\(\d+\)$', ''), '[local]') AS address,
            CASE
                WHEN audit.kind <> '' THEN regexp_replace(audit.statement, '^"((?s:.*))"$', '\1')
                ELSE nullif(regexp_extract(r.text,
                    '^(?:duration: [\d.]+ ms\s+)?(?:statement|execute [^:]*|parse [^:]*|bind [^:]*|plan|Query Text): ((?s:.*))$', 1), '')
            END AS statement
        FROM (
            SELECT *, regexp_extract(r.text,
                '^AUDIT: (SESSION|OBJECT),(\d+),(\d+),([A-Z]*),([^,]*),([^,]*),("(?:[^"]|"")*"|[^,]*),("(?:[^"]|"")*"|(?s:.*?)),'
                || '("(?:[^"]|"")*"|[^,]*)(?:,\d*)?$', ['kind', 'statement_id', 'substatement_id', 'class', 'command',
                'object_type', 'object_name', 'statement', 'parameters']) AS audit
            FROM records
        )
    )
)
