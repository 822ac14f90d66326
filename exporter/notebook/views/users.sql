-- Threads and messages per user and customer, and when the first and the last of them were made; null is what nobody said.
SELECT t.user, t.customer, count(*) AS threads, CAST(coalesce(sum(m.messages), 0) AS BIGINT) AS messages,
    min(coalesce(least(t.created_at, m.first_at), t.ts)) AS first_at,
    max(coalesce(m.last_at, t.ts)) AS last_at
FROM threads AS t
LEFT JOIN (
    SELECT source, endpoint, thread_id, count(*) AS messages, min(ts) AS first_at, max(ts) AS last_at
    FROM messages GROUP BY ALL
) AS m USING (source, endpoint, thread_id)
GROUP BY ALL
ORDER BY messages DESC, user, customer
