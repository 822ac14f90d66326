-- Threads that may lose something within 7 days and were not visited as they should have been, as `exporter status`
-- names them; `days` is negative where the deadline has passed.
SELECT thread_id, deadline_at, days, source, endpoint FROM catalog_at_risk ORDER BY deadline_at
