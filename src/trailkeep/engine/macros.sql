-- What map.sql files and queries share: tests and readings of text, none of which can raise.

-- True for an IPv4 or IPv6 address as OCSF's ip_t has it (no leading zeros, no mask); false, never null, otherwise.
CREATE OR REPLACE TEMP MACRO is_ip(address) AS CASE
    WHEN address IS NULL THEN false
    WHEN regexp_full_match(address, '(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)') THEN true
    WHEN NOT regexp_full_match(address, '[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*') THEN false
    ELSE regexp_full_match(address,
        '(?:[0-9A-Fa-f]{1,4}:){7}(?:[0-9A-Fa-f]{1,4}|:)'
        || '|(?:[0-9A-Fa-f]{1,4}:){6}:[0-9A-Fa-f]{1,4}'
        || '|(?:[0-9A-Fa-f]{1,4}:){5}(?::[0-9A-Fa-f]{1,4}){1,2}'
        || '|(?:[0-9A-Fa-f]{1,4}:){4}(?::[0-9A-Fa-f]{1,4}){1,3}'
        || '|(?:[0-9A-Fa-f]{1,4}:){3}(?::[0-9A-Fa-f]{1,4}){1,4}'
        || '|(?:[0-9A-Fa-f]{1,4}:){2}(?::[0-9A-Fa-f]{1,4}){1,5}'
        || '|(?:[0-9A-Fa-f]{1,4}:)(?::[0-9A-Fa-f]{1,4}){1,6}'
        || '|:(?::[0-9A-Fa-f]{1,4}){1,7}'
        || '|(?:[0-9A-Fa-f]{1,4}:){1,7}:'
        || '|::'
        || '|::(?:[Ff]{4}:)?(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)')
END;

-- Why a time cannot be an event's, or null. AWS has no logs from before 2006; two days allow for clocks that run ahead.
CREATE OR REPLACE TEMP MACRO time_fault(moment, field) AS CASE
    WHEN moment IS NULL THEN 'no ' || field || ' that can be read as a time'
    WHEN moment < TIMESTAMPTZ '2006-01-01 00:00:00+00' THEN field || ' is before 2006'
    WHEN moment > current_timestamp + INTERVAL 2 DAY THEN field || ' is in the future'
END;

-- Epoch seconds in text -> time; null where it is no number or out of range.
CREATE OR REPLACE TEMP MACRO epoch_time(seconds) AS try(to_timestamp(TRY_CAST(seconds AS DOUBLE)));

-- An ARN without the object key that an S3 ARN may carry, and without punctuation of the sentence around it.
CREATE OR REPLACE TEMP MACRO arn_entity(arn) AS CASE
    WHEN contains(arn, ':s3:::') THEN regexp_extract(arn, '^arn:aws[a-z-]*:s3:::[^/\s]+')
    ELSE rtrim(arn, '.,;:)''')
END;

-- The account an ARN names, or null.
CREATE OR REPLACE TEMP MACRO arn_account(arn) AS
    CASE WHEN length(split_part(arn, ':', 5)) = 12 THEN split_part(arn, ':', 5) END;

-- The user, role, bucket or instance an ARN names, or null.
CREATE OR REPLACE TEMP MACRO arn_name(arn) AS nullif(regexp_extract(arn,
    '^arn:aws[a-z-]*:(?:s3:::|sts::\d*:(?:assumed-role|federated-user)/|(?:iam::\d*:(?:user|role)|ec2:[^:]*:\d*:instance)/(?:.*/)?)([^/*\s]+)',
    1), '');

-- Tokens of JSON text that may be entities. An object key is one token, so that nothing inside it is taken for an entity;
-- so is an S3 ARN with its key. Backslashes allow for JSON inside JSON strings (policy documents).
CREATE OR REPLACE TEMP MACRO entity_tokens(json_text) AS regexp_extract_all(json_text,
    '"(?:[kK]ey|objectKey|[pP]refix|[mM]arker|key-marker|start-after)":"(?:[^"\\]|\\.)*'
    || '|arn:aws[a-z-]*:s3:::[^"\\]*'
    || '|arn:aws[^"\\\s]*'
    || '|\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b'
    || '|\bm?i-[0-9a-f]{8}(?:[0-9a-f]{9})?\b'
    || '|"\d{12}\\*"'
    || '|"(?:userName|UserName|username|newUserName|roleName|RoleName|bucketName|BucketName|bucket|Bucket|s3BucketName|S3BucketName|s3Bucket)\\*": ?\\*"[^"\\]+'
    || '|\b\d{1,3}(?:\.\d{1,3}){3}\b'
    || '|["\s,][0-9a-fA-F]{0,4}:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*');

-- A token as an entity, or null where it is none.
CREATE OR REPLACE TEMP MACRO token_entity(token) AS CASE
    WHEN starts_with(token, 'arn:') THEN arn_entity(token)
    WHEN regexp_matches(token, '^"(?:[kK]ey|objectKey|[pP]refix|[mM]arker|key-marker|start-after)"') THEN NULL
    WHEN regexp_matches(token, '^"[A-Za-z]\w*\\*": ?') THEN regexp_extract(token, '[^"]*$')
    WHEN regexp_matches(token, '^["\s,]?[0-9a-fA-F]*[:.]')
        THEN CASE WHEN is_ip(ltrim(token, '", ')) THEN ltrim(token, '", ') END
    ELSE trim(token, '"\')
END;

-- Every entity in some known values and in JSON text, each once.
CREATE OR REPLACE TEMP MACRO entities_of(known, tokens) AS list_distinct(flatten([
    known,
    list_transform(tokens, lambda token: token_entity(token)),
    list_transform(tokens, lambda token: CASE WHEN starts_with(token, 'arn:') THEN arn_account(token) END),
    list_transform(tokens, lambda token: CASE WHEN starts_with(token, 'arn:') THEN arn_name(token) END)
]));

-- A time as RFC 3339 text in UTC, with a fraction of a second only where it has one.
CREATE OR REPLACE TEMP MACRO rfc3339(moment) AS
    regexp_replace(strftime(moment AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%f'), '\.?0+$', '') || 'Z';
