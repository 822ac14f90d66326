-- How long servers kept threads after their last activity, learned from those that were found gone: days until they were
-- missed, which deletions by hand are among.
SELECT source, endpoint, threads, median_days, p10_days, p90_days FROM catalog_retention ORDER BY source, endpoint
