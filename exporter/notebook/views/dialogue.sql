-- What users and assistants said, with the time that is known best: the message's own, else that of its turn or of its
-- stored response; of a stored completion, what the user asked with it. Null where the server tells none.
SELECT
    m.thread_id, m.seq, m.role, m.text,
    coalesce(
        m.created_at,
        CASE m.role WHEN 'user' THEN r.created_at ELSE r.completed_at END,
        CASE m.role WHEN 'user' THEN t.created_at ELSE t.completed_at END,
        c.created_at
    ) AS said_at,
    m.message_id, m.model, m.user, m.customer, m.deleted_at, m.source, m.endpoint
FROM messages AS m
LEFT JOIN (
    SELECT source, endpoint, thread_id, run_id, min(created_at) AS created_at, max(completed_at) AS completed_at
    FROM runs WHERE source = 'agents' AND run_id IS NOT NULL GROUP BY ALL
) AS r ON m.source = 'agents' AND r.source = m.source AND r.endpoint = m.endpoint AND r.thread_id = m.thread_id
    AND r.run_id = m.run_id
LEFT JOIN (
    SELECT source, endpoint, thread_id, created_at,
        CASE WHEN ended BETWEEN 631152000 AND 4102444800 THEN make_timestamptz(ended * 1000000) END AS completed_at
    FROM (
        SELECT *, CASE WHEN json_valid(extra_json) THEN TRY_CAST(extra_json ->> '$.completed_at' AS BIGINT) END AS ended
        FROM threads WHERE source = 'responses'
    )
) AS t ON m.source = 'responses' AND t.source = m.source AND t.endpoint = m.endpoint AND t.thread_id = m.thread_id
LEFT JOIN ( -- the last that was given to it: what stands before is repeated from earlier completions
    SELECT asked.*, created_at FROM (
        SELECT source, endpoint, thread_id, max(seq) AS seq
        FROM messages WHERE source = 'completions' AND message_id IS NOT NULL GROUP BY ALL
    ) AS asked JOIN threads USING (source, endpoint, thread_id)
) AS c ON m.source = 'completions' AND m.role = 'user' AND c.source = m.source AND c.endpoint = m.endpoint
    AND c.thread_id = m.thread_id AND c.seq = m.seq
WHERE m.role IN ('user', 'assistant') AND m.parent_id IS NULL
