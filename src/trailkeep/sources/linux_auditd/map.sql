-- Lines of the audit daemon -> OCSF 1.5.0, an event a line: lines of one event have its serial as metadata.correlation_uid.
-- Sign-ins are Authentication, users and groups Account Change and Group Management, commands Process Activity, paths File
-- Activity, the rest Base Event. What a line says of ids, modes and arguments stays in its message.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'audit time')                                AS reject,
    CASE
        WHEN r.type IN ('USER_LOGIN', 'USER_AUTH', 'USER_ACCT', 'USER_START', 'USER_END', 'USER_LOGOUT', 'LOGIN', 'USER_ERR')
            OR starts_with(r.type, 'CRED_') THEN 3002
        WHEN r.type IN ('ADD_GROUP', 'DEL_GROUP', 'GRP_MGMT', 'GRP_CHAUTHTOK') AND group_name IS NOT NULL THEN 3006
        WHEN r.type IN ('ADD_USER', 'DEL_USER', 'USER_MGMT', 'USER_CHAUTHTOK', 'ACCT_LOCK', 'ACCT_UNLOCK') AND account IS NOT NULL
            THEN 3001
        WHEN is_run THEN 1007
        WHEN r.type = 'PATH' AND path IS NOT NULL THEN 1001
        ELSE 0
    END                                                             AS class_uid,
    CASE
        WHEN is_run THEN 1
        WHEN r.type = 'PATH' AND path IS NOT NULL
            THEN coalesce(MAP {'CREATE': 1, 'DELETE': 4}[f.nametype], 99)
        WHEN r.type IN ('ADD_GROUP', 'DEL_GROUP') AND group_name IS NOT NULL THEN CASE r.type WHEN 'ADD_GROUP' THEN 6 ELSE 5 END
        WHEN r.type IN ('USER_LOGIN', 'USER_AUTH', 'USER_START', 'LOGIN', 'ADD_USER') THEN 1
        WHEN r.type IN ('USER_END', 'USER_LOGOUT') THEN 2
        WHEN r.type = 'USER_CHAUTHTOK' AND account IS NOT NULL THEN 3
        WHEN r.type = 'ACCT_LOCK' AND account IS NOT NULL THEN 9
        WHEN r.type = 'ACCT_UNLOCK' AND account IS NOT NULL THEN 12
        WHEN r.type = 'DEL_USER' THEN 6
        ELSE 99
    END                                                             AS activity_id,
    coalesce(syslog_severity(r.pri), CASE WHEN starts_with(r.type, 'ANOM_') THEN 3 ELSE 1 END) AS severity_id,
    CASE
        WHEN coalesce(f.res, f.success) IN ('success', 'yes', '1') THEN 1
        WHEN coalesce(f.res, f.success) IN ('failed', 'no', '0') OR contains(r.message, ' denied ') THEN 2
        ELSE 0
    END                                                             AS status_id,
    r.message                                                       AS message,
    r.epoch                                                         AS "metadata.original_time",
    'Linux'                                                         AS "metadata.product.vendor_name",
    'auditd'                                                        AS "metadata.product.name",
    'audit.log'                                                     AS "metadata.product.feature.name",
    host_profiles('', envelope)                                     AS "metadata.profiles",
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    envelope_cloud(envelope)                                        AS "cloud.provider",
    r.type                                                          AS "metadata.event_code",
    r.serial                                                        AS "metadata.correlation_uid",
    audit_value(f.op)                                               AS status_detail,
    coalesce(login, CASE WHEN starts_with(r.type, 'USER_') OR starts_with(r.type, 'CRED_') THEN account END) AS principal,
    login                                                           AS "actor.user.name",
    audit_value(f.auid)                                             AS "actor.user.uid?",
    audit_value(f.ses)                                              AS "actor.session.uid",
    audit_value(coalesce(f.terminal, f.tty))                        AS "actor.session.terminal",
    pid                                                             AS "actor.process.pid",
    audit_text(f.exe)                                               AS "actor.process.path",
    'auditd'                                                        AS "actor.app_name?",
    account                                                         AS "user.name",
    'unknown'                                                       AS "user.name?",
    group_name                                                      AS "group.name",
    coalesce(split_part(audit_text(f.exe), '/', -1), 'auditd')      AS "service.name",
    CASE WHEN is_ip(f.addr) THEN f.addr END                         AS "src_endpoint.ip",
    CASE WHEN NOT is_ip(f.hostname) AND is_ip(f.addr) THEN audit_value(f.hostname) END AS "src_endpoint.domain",
    pid                                                             AS "process.pid",
    r.serial                                                        AS "process.uid?",
    audit_text(f.comm)                                              AS "process.name",
    audit_text(f.exe)                                               AS "process.path",
    coalesce(arguments, audit_text(f.cmd))                          AS "process.cmd_line",
    audit_text(f.cwd)                                               AS "process.working_directory",
    TRY_CAST(f.ppid AS INTEGER)                                     AS "process.parent_process.pid",
    path                                                            AS "file.path",
    coalesce(nullif(split_part(path, '/', -1), ''), path)           AS "file.name",
    CASE WHEN path IS NULL THEN NULL WHEN f.mode LIKE '0100%' THEN 1 WHEN f.mode LIKE '040%' THEN 2 ELSE 0 END AS "file.type_id",
    'unknown'                                                       AS "device.hostname?",
    0                                                               AS "device.type_id?",
    coalesce(r.node, r.host)                                        AS "device.hostname",
    CASE WHEN coalesce(r.node, r.host) IS NOT NULL THEN 0 END       AS "device.type_id",
    [coalesce(r.node, r.host)]                                      AS "resources[].uid",
    []::VARCHAR[]                                                   AS entity_texts,
    unmapped_fields(json_object(
        'pri', r.pri, 'syslog_version', r.syslog_version, 'time', r.time, 'program', r.program,
        'pid', coalesce(r.pid, r.procid), 'msgid', r.msgid, 'structured_data', r.structured_data,
        'host', CASE WHEN r.node IS NOT NULL THEN r.host END
    ))                                                              AS unmapped
FROM (
    SELECT
        *,
        epoch_time(r.epoch) AS moment,
        coalesce(audit_text(f.acct), audit_value(json_extract_string(pairs, '$.ID'))) AS account,
        audit_text(coalesce(f.grp, f.acct)) AS group_name,
        audit_value(json_extract_string(pairs, '$.AUID')) AS login,
        TRY_CAST(f.pid AS INTEGER) AS pid,
        audit_text(f.name) AS path,
        CASE WHEN r.type = 'EXECVE' THEN array_to_string(
            list_transform(regexp_extract_all(r.message, ' a\d+=("[^"]*"|\S+)', 1), lambda word: audit_text(word)), ' ') END AS arguments,
        r.type IN ('EXECVE', 'USER_CMD') OR r.type = 'SYSCALL' AND coalesce(json_extract_string(pairs, '$.SYSCALL'),
            f.arch || f.syscall)
            IN ('execve', 'execveat', '"execve"', 'c000003e59', 'c000003e322', '4000000311', 'c00000b7221') AS is_run
    FROM (
        SELECT *, json_transform(pairs, '{"acct":"VARCHAR","addr":"VARCHAR","arch":"VARCHAR","auid":"VARCHAR","cmd":"VARCHAR","comm":"VARCHAR","cwd":"VARCHAR","exe":"VARCHAR","grp":"VARCHAR","hostname":"VARCHAR","mode":"VARCHAR",'
            || '"name":"VARCHAR","nametype":"VARCHAR","op":"VARCHAR","pid":"VARCHAR","ppid":"VARCHAR","res":"VARCHAR","ses":"VARCHAR","success":"VARCHAR","syscall":"VARCHAR","terminal":"VARCHAR","tty":"VARCHAR"}') AS f
        FROM (SELECT *, audit_fields(r.message) AS pairs FROM records)
    )
)
