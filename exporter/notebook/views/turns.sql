-- Each time a user said something, with the next answer: `asked_at` is the first message since the last answer,
-- `seconds` is null where nothing was answered or the server tells no times.
WITH spoken AS (
    SELECT *, lag(role) OVER history AS before,
        lead(CASE role WHEN 'assistant' THEN seq END IGNORE NULLS) OVER history AS answer_seq,
        lead(CASE role WHEN 'assistant' THEN struct_pack(said_at := said_at) END IGNORE NULLS) OVER history AS answer
    FROM dialogue
    WINDOW history AS (PARTITION BY source, endpoint, thread_id ORDER BY seq)
)
SELECT
    thread_id, seq, said_at AS asked_at, answer.said_at AS answered_at,
    date_diff('microsecond', said_at, answer.said_at) / 1e6 AS seconds,
    answer_seq, user, customer, source, endpoint
FROM spoken
WHERE role = 'user' AND before IS DISTINCT FROM 'user'
ORDER BY source, endpoint, thread_id, seq
