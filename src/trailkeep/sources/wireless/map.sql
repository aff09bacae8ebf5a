-- Stations of a wireless network -> OCSF 1.5.0 Authentication. Who uses a station, only 802.1X knows.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    3002                                                            AS class_uid,
    CASE WHEN is_end THEN 2 WHEN is_failure OR is_start THEN 1 ELSE 99 END AS activity_id,
    coalesce(syslog_severity(r.pri), 1)                             AS severity_id,
    CASE WHEN is_failure THEN 2 WHEN is_start OR is_end THEN 1 ELSE 0 END AS status_id,
    r.message                                                       AS message,
    r.time                                                          AS "metadata.original_time",
    'Unknown'                                                       AS "metadata.product.vendor_name",
    'Wireless controller'                                           AS "metadata.product.name",
    r.program                                                       AS "metadata.product.feature.name",
    host_profiles(r.host, envelope)                                 AS "metadata.profiles",
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    envelope_cloud(envelope)                                        AS "cloud.provider",
    part_of(r.message, '(?i)reason: ?(.*)$')                        AS status_detail,
    coalesce(part_of(r.program, '^%(.*)'), part_of(r.message, '(AP-STA-[A-Z-]+)'), part_of(r.message, '(?:802\.11|802\.1X|WPA|RADIUS): (\w+(?: key handshake completed)?)')) AS "metadata.event_code",
    login                                                           AS principal,
    login                                                           AS "user.name",
    'unknown'                                                       AS "user.name?",
    coalesce(part_of(r.message, '(?i)\bSSID:? ?\(?([^\s)]+)'), part_of(r.message, '^(\w+): '), r.program) AS "service.name",
    mac                                                             AS "src_endpoint.mac",
    mac                                                             AS "src_endpoint.uid",
    CASE WHEN is_ip(part_of(r.message, '\bIP:? ?([0-9A-Fa-f.:]+)')) THEN part_of(r.message, '\bIP:? ?([0-9A-Fa-f.:]+)') END AS "src_endpoint.ip",
    part_of(r.message, 'AP (?:Name: ?)?\(?([^\s(),]+)\)?(?: with|,)') AS "dst_endpoint.name",
    r.host                                                          AS "device.hostname",
    CASE WHEN r.host IS NOT NULL THEN 0 END                         AS "device.type_id",
    [r.host]                                                        AS "resources[].uid",
    []::VARCHAR[]                                                   AS entity_texts,
    unmapped_fields(json_object(
        'pri', r.pri, 'syslog_version', r.syslog_version, 'pid', coalesce(r.pid, r.procid), 'msgid', r.msgid,
        'structured_data', r.structured_data, 'station', r.station
    ))                                                              AS unmapped
FROM (
    SELECT
        *,
        syslog_time(r.time, envelope, key_time) AS moment,
        lower(CASE WHEN contains(r.station, '.')
            THEN regexp_replace(replace(r.station, '.', ''), '(..)(..)(..)(..)(..)(..)', '\1:\2:\3:\4:\5:\6')
            ELSE r.station END) AS mac,
        coalesce(part_of(r.message, '(?i)user ?name(?: entry)?:? ?\(?([^\s(),]+)'), part_of(r.message, 'identity ''([^'']+)''')) AS login,
        regexp_matches(r.program || ' ' || r.message, '(?i)fail|mismatch|reject|denied|exclusion|blacklist|invalid') AS is_failure,
        regexp_matches(r.program || ' ' || r.message, '(?i)de-?auth|disassoc|disconnected|deleted|-leave') AS is_end,
        regexp_matches(r.program || ' ' || r.message, '(?i)\bassoc|authenticated|AP-STA-CONNECTED|handshake completed|_ASSOC|-ASSOC|RUN_STATE') AS is_start
    FROM records
)
