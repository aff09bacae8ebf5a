-- Windows events, whatever wrote them -> OCSF 1.5.0: sign-ins and tickets are Authentication, accounts Account Change, groups
-- alone Group Management, processes Process Activity, a cleared log Event Log Activity (Clear: 6003 would need an API); of
-- Sysmon also connections, files and DNS; the rest Base Event. windows_event_xml has the same map.sql.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    CASE WHEN class > 0 THEN class ELSE 0 END                       AS class_uid,
    CASE
        WHEN class = 3002 THEN coalesce(MAP {'4634': 2, '4647': 2, '4779': 2, '4768': 3, '4769': 4, '4770': 5, '4771': 6, '4672': 99}[w.EventID], 1)
        WHEN class = 3001 THEN coalesce(MAP {'4720': 1, '4722': 2, '4723': 3, '4724': 4, '4725': 5, '4726': 6, '4740': 9, '4767': 12}[w.EventID], 99)
        WHEN class = 3006 THEN CASE WHEN w.EventID IN ('4727', '4731', '4754') THEN 6 WHEN w.EventID IN ('4730', '4734', '4758') THEN 5 ELSE 99 END
        WHEN class = 1007 THEN CASE WHEN w.EventID IN ('4688', '1') THEN 1 ELSE 2 END
        WHEN class = 1001 THEN CASE w.EventID WHEN '11' THEN 1 ELSE 4 END
        WHEN class = 4001 THEN 1 WHEN class = 4003 THEN 1 WHEN class = 1008 THEN 1 ELSE 99
    END                                                             AS activity_id,
    CASE WHEN class = 1008 THEN 3 ELSE coalesce(nullif(level_severity(w.Level), 0), MAP {'1': 5, '2': 4, '3': 3}[w.Level], 1) END AS severity_id,
    CASE
        WHEN w.EventID IN ('4625', '4771') AND is_security OR regexp_matches(upper(w.Outcome), 'FAILURE') THEN 2
        WHEN w.EventID IN ('4768', '4769', '4776') AND is_security AND windows_number(w.Status) <> 0 THEN 2
        WHEN class = 0 THEN 0 ELSE 1
    END                                                             AS status_id,
    windows_text(w.Status)                                          AS status_code,
    windows_text(w.FailureReason)                                   AS status_detail,
    w.Message                                                       AS message,
    w.EventID                                                       AS "metadata.event_code",
    w.Provider                                                      AS "metadata.log_provider",
    w.Channel                                                       AS "metadata.log_name",
    w.At                                                            AS "metadata.original_time",
    'Microsoft'                                                     AS "metadata.product.vendor_name",
    'Windows'                                                       AS "metadata.product.name",
    w.Channel                                                       AS "metadata.product.feature.name",
    host_profiles('', envelope)                                     AS "metadata.profiles",
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    envelope_cloud(envelope)                                        AS "cloud.provider",
    CASE WHEN class = 3002 THEN coalesce(target, subject) ELSE coalesce(subject, windows_text(w.User)) END AS principal,
    coalesce(subject, windows_text(w.User))                         AS "actor.user.name",
    windows_text(w.SubjectUserSid)                                  AS "actor.user.uid",
    windows_text(w.SubjectDomainName)                               AS "actor.user.domain",
    windows_text(w.SubjectLogonId)                                  AS "actor.session.uid",
    'Windows'                                                       AS "actor.app_name?",
    CASE WHEN is_member THEN coalesce(windows_text(w.MemberName), windows_text(w.MemberSid)) WHEN class IN (3001, 3002) THEN coalesce(target, subject) END AS "user.name",
    CASE WHEN class IN (3001, 3002) THEN 'unknown' END              AS "user.name?",
    CASE WHEN is_member THEN windows_text(w.MemberSid) WHEN class IN (3001, 3002) THEN coalesce(windows_text(w.TargetUserSid), windows_text(w.TargetSid)) END AS "user.uid",
    CASE WHEN class IN (3001, 3002) AND NOT is_member THEN windows_text(w.TargetDomainName) END AS "user.domain",
    CASE WHEN is_member AND target IS NOT NULL THEN [{'name': target, 'uid': windows_text(w.TargetSid)}] END AS "user.groups",
    CASE WHEN class = 3006 THEN target END                          AS "group.name",
    CASE WHEN class = 3006 THEN windows_text(w.TargetSid) END       AS "group.uid",
    coalesce(windows_text(w.ServiceName), 'Windows')                AS "service.name",
    windows_text(w.TargetLogonId)                                   AS "session.uid",
    CASE WHEN TRY_CAST(w.LogonType AS INTEGER) IN (2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13) THEN TRY_CAST(w.LogonType AS INTEGER) END AS logon_type_id,
    windows_text(w.AuthenticationPackageName)                       AS auth_protocol,
    CASE WHEN windows_text(w.AuthenticationPackageName) IS NOT NULL THEN coalesce(MAP {'NTLM': 1, 'Kerberos': 2}[w.AuthenticationPackageName], 99) END AS auth_protocol_id,
    CASE WHEN is_ip(address) THEN address END                       AS "src_endpoint.ip",
    port(coalesce(windows_text(w.IpPort), w.SourcePort))            AS "src_endpoint.port",
    coalesce(windows_text(w.WorkstationName), windows_text(w.Workstation)) AS "src_endpoint.hostname",
    CASE WHEN class = 4003 OR class = 4001 AND NOT is_ip(address) THEN coalesce(w.Computer, 'unknown') END AS "src_endpoint.svc_name?",
    CASE WHEN is_ip(w.DestinationIp) THEN w.DestinationIp END       AS "dst_endpoint.ip",
    port(w.DestinationPort)                                         AS "dst_endpoint.port",
    windows_text(w.DestinationHostname)                             AS "dst_endpoint.domain",
    CASE WHEN class = 4001 THEN lower(w.Protocol) END               AS "connection_info.protocol_name",
    CASE WHEN class = 4001 THEN 0 END                               AS "connection_info.direction_id",
    w.QueryName                                                     AS "query.hostname",
    windows_number(CASE WHEN is_sysmon THEN w.ProcessId ELSE coalesce(w.NewProcessId, w.ProcessId) END) AS "process.pid",
    coalesce(w.ProcessGuid, 'unknown')                              AS "process.uid?",
    image                                                           AS "process.path",
    split_part(image, '\', -1)                                      AS "process.name",
    windows_text(w.CommandLine)                                     AS "process.cmd_line",
    windows_text(w.CurrentDirectory)                                AS "process.working_directory",
    windows_number(CASE WHEN is_sysmon THEN w.ParentProcessId ELSE w.ProcessId END) AS "process.parent_process.pid",
    coalesce(w.ParentImage, windows_text(w.ParentProcessName))      AS "process.parent_process.path",
    windows_text(w.ParentCommandLine)                               AS "process.parent_process.cmd_line",
    w.TargetFilename                                                AS "file.path",
    coalesce(nullif(split_part(w.TargetFilename, '\', -1), ''), 'unknown') AS "file.name?",
    0                                                               AS "file.type_id?",
    CASE WHEN class = 1008 THEN w.Channel END                       AS log_name,
    CASE WHEN class = 1008 THEN coalesce(w.Provider, 'unknown') END AS "log_provider?",
    w.Computer                                                      AS "device.hostname",
    'unknown'                                                       AS "device.hostname?",
    0                                                               AS "device.type_id?",
    [w.Computer]                                                    AS "resources[].uid",
    [doc::VARCHAR]                                                  AS entity_texts,
    CASE WHEN starts_with(r.event, '<') THEN json_object('fields', doc)::VARCHAR
        ELSE leftover(try(json_merge_patch(raw_data, without_fields(['message', 'Message']))))::VARCHAR END AS unmapped
FROM (
    SELECT
        *,
        CASE
            WHEN is_security AND w.EventID IN ('4624', '4625', '4634', '4647', '4648', '4672', '4768', '4769', '4770', '4771', '4776', '4778', '4779') THEN 3002
            WHEN is_security AND (is_member OR w.EventID IN ('4720', '4722', '4723', '4724', '4725', '4726', '4738', '4740', '4767', '4781')) THEN 3001
            WHEN is_security AND target IS NOT NULL
                AND w.EventID IN ('4727', '4730', '4731', '4734', '4735', '4737', '4754', '4755', '4758') THEN 3006
            WHEN is_security AND w.EventID IN ('4688', '4689') OR is_sysmon AND w.EventID IN ('1', '5') THEN 1007
            WHEN w.EventID = '1102' AND w.Channel = 'Security' OR w.EventID = '104' AND w.Channel = 'System' THEN 1008
            WHEN is_sysmon AND w.EventID = '3' THEN 4001
            WHEN is_sysmon AND w.EventID IN ('11', '23', '26') THEN 1001
            WHEN is_sysmon AND w.EventID = '22' AND w.QueryName IS NOT NULL THEN 4003
            ELSE 0
        END                                                         AS class
    FROM (
        SELECT
            *,
            coalesce(iso_time(w.At), epoch_ms_time(part_of(w.At, 'Date\((\d+)')), device_time(w.At)) AS moment,
            coalesce(w.Provider = 'Microsoft-Windows-Security-Auditing' OR w.Provider IS NULL AND w.Channel = 'Security', false) AS is_security,
            coalesce(w.Provider = 'Microsoft-Windows-Sysmon' OR w.Channel = 'Microsoft-Windows-Sysmon/Operational', false) AS is_sysmon,
            coalesce(w.Provider = 'Microsoft-Windows-Security-Auditing' AND w.EventID IN ('4728', '4729', '4732', '4733', '4756', '4757'), false) AS is_member,
            windows_text(w.TargetUserName)                          AS target,
            windows_text(w.SubjectUserName)                         AS subject,
            coalesce(w.Image, windows_text(w.NewProcessName))       AS image,
            replace(coalesce(windows_text(w.IpAddress), w.SourceIp), '::ffff:', '') AS address
        FROM (
            SELECT *, json_transform(doc, '{"TargetUserName":"VARCHAR","TargetUserSid":"VARCHAR","TargetSid":"VARCHAR","TargetDomainName":"VARCHAR","TargetLogonId":"VARCHAR","SubjectUserName":"VARCHAR","SubjectUserSid":"VARCHAR","SubjectDomainName":"VARCHAR","SubjectLogonId":"VARCHAR","IpAddress":"VARCHAR","IpPort":"VARCHAR","WorkstationName":"VARCHAR","Workstation":"VARCHAR","LogonType":"VARCHAR","AuthenticationPackageName":"VARCHAR","Status":"VARCHAR","ServiceName":"VARCHAR","MemberName":"VARCHAR","MemberSid":"VARCHAR","NewProcessName":"VARCHAR","NewProcessId":"VARCHAR","ProcessId":"VARCHAR","ParentProcessName":"VARCHAR","CommandLine":"VARCHAR","Image":"VARCHAR","ParentImage":"VARCHAR","ParentProcessId":"VARCHAR","ParentCommandLine":"VARCHAR","ProcessGuid":"VARCHAR","CurrentDirectory":"VARCHAR","User":"VARCHAR","TargetFilename":"VARCHAR","SourceIp":"VARCHAR","SourcePort":"VARCHAR","DestinationIp":"VARCHAR","DestinationPort":"VARCHAR","DestinationHostname":"VARCHAR","Protocol":"VARCHAR","QueryName":"VARCHAR","EventID":"VARCHAR","Channel":"VARCHAR","Computer":"VARCHAR","Provider":"VARCHAR","At":"VARCHAR","Level":"VARCHAR","Outcome":"VARCHAR","Message":"VARCHAR","FailureReason":"VARCHAR","Category":"VARCHAR"}') AS w
            FROM (SELECT *, windows_event(CASE WHEN starts_with(r.event, '<') THEN r.event ELSE raw_data END) AS doc FROM records)
        )
    )
)
