-- How long each thread is: entries of its history, characters in them, and how often its user asked.
SELECT t.thread_id, coalesce(m.messages, 0) AS messages, coalesce(m.characters, 0) AS characters,
    coalesce(u.turns, 0) AS turns, t.source, t.endpoint
FROM threads AS t
LEFT JOIN (
    SELECT source, endpoint, thread_id, count(*) AS messages, CAST(coalesce(sum(length(text)), 0) AS BIGINT) AS characters
    FROM messages GROUP BY ALL
) AS m USING (source, endpoint, thread_id)
LEFT JOIN (SELECT source, endpoint, thread_id, count(*) AS turns FROM turns GROUP BY ALL) AS u
    USING (source, endpoint, thread_id)
ORDER BY messages DESC, t.source, t.endpoint, t.thread_id
