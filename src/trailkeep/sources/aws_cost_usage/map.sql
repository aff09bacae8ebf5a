-- Line items of Cost and Usage Reports -> OCSF 1.5.0 Base Event (0): OCSF has no class for what is used and paid. Costs and
-- amounts stay in `unmapped`. A line item comes again in each later report of its month, with an id of that report.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'start of usage')                            AS reject,
    0                                                               AS class_uid,
    99                                                              AS activity_id,
    1                                                               AS severity_id,
    ended                                                           AS end_time,
    account                                                         AS "cloud.account.uid",
    region                                                          AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    coalesce(r."lineItem/UsageType", r.line_item_usage_type)        AS "metadata.event_code",
    coalesce(r."lineItem/LineItemType", r.line_item_line_item_type) AS "metadata.product.feature.name",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'AWS Cost and Usage Report'                                     AS "metadata.product.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",
    coalesce(r."lineItem/ProductCode", r.line_item_product_code)    AS "api.service.name",
    coalesce(r."lineItem/Operation", r.line_item_operation)         AS "api.operation",
    CASE WHEN coalesce(r."lineItem/ProductCode", r.line_item_product_code) IS NOT NULL THEN 'unknown' END AS "api.operation?",
    coalesce(r."lineItem/LineItemDescription", r.line_item_line_item_description) AS message,
    NULL::VARCHAR                                                   AS principal,
    CASE WHEN resource IS NOT NULL THEN [resource] END              AS "resources[].uid",
    ['"' || resource || '"', '"' || payer || '"']                   AS entity_texts,
    leftover(try(json_merge_patch(
        raw_data,
        without_fields([
            'lineItem/UsageAccountId', 'line_item_usage_account_id', 'lineItem/UsageType', 'line_item_usage_type',
            'lineItem/LineItemType', 'line_item_line_item_type', 'lineItem/ProductCode', 'line_item_product_code',
            'lineItem/Operation', 'line_item_operation', 'lineItem/LineItemDescription', 'line_item_line_item_description',
            CASE WHEN iso_time(coalesce(r."lineItem/UsageStartDate", r.line_item_usage_start_date)) IS NOT NULL
                THEN 'lineItem/UsageStartDate' END,
            CASE WHEN iso_time(coalesce(r."lineItem/UsageStartDate", r.line_item_usage_start_date)) IS NOT NULL
                THEN 'line_item_usage_start_date' END,
            CASE WHEN ended IS NOT NULL THEN 'lineItem/UsageEndDate' END,
            CASE WHEN ended IS NOT NULL THEN 'line_item_usage_end_date' END
        ])
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        coalesce(r."lineItem/UsageAccountId", r.line_item_usage_account_id) AS account,
        coalesce(r."bill/PayerAccountId", r.bill_payer_account_id) AS payer,
        coalesce(r."lineItem/ResourceId", r.line_item_resource_id) AS resource,
        coalesce(r."product/regionCode", r.product_region_code, r."product/region", r.product_region,
            regexp_extract(coalesce(r."lineItem/AvailabilityZone", r.line_item_availability_zone), '^[a-z]{2}-[a-z-]+-\d')) AS region,
        coalesce(
            iso_time(coalesce(r."lineItem/UsageStartDate", r.line_item_usage_start_date)),
            iso_time(coalesce(r."bill/BillingPeriodStartDate", r.bill_billing_period_start_date))
        ) AS moment,
        iso_time(coalesce(r."lineItem/UsageEndDate", r.line_item_usage_end_date)) AS ended
    FROM records
)
