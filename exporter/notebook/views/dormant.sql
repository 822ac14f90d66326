-- Threads that are still there, by the time since something last happened in them, the longest first.
SELECT t.thread_id, greatest(t.ts, coalesce(m.last_at, t.ts)) AS last_at,
    date_diff('microsecond', last_at, now()) / 86400e6 AS days,
    t.user, t.customer, t.source, t.endpoint
FROM threads AS t
LEFT JOIN (SELECT source, endpoint, thread_id, max(ts) AS last_at FROM messages GROUP BY ALL) AS m
    USING (source, endpoint, thread_id)
WHERE t.deleted_at IS NULL
ORDER BY last_at, t.source, t.endpoint, t.thread_id
