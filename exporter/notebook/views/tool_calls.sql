-- Tools that were called, how often and in how many threads: in histories, in the messages of stored completions, in the
-- steps of runs. A call that several stored completions repeat counts once.
WITH listed AS (
    SELECT source, endpoint, thread_id, concat('m', seq) AS place,
        unnest(TRY_CAST(extra_json -> '$.tool_calls' AS JSON[])) AS call
    FROM messages WHERE role = 'assistant' AND extra_json LIKE '%"tool_calls"%' AND json_valid(extra_json)
    UNION ALL
    SELECT source, endpoint, thread_id, concat('s', run_id, step_id, seq),
        unnest(TRY_CAST(details_json -> '$.tool_calls' AS JSON[]))
    FROM steps WHERE type = 'tool_calls' AND json_valid(details_json)
),
called AS (
    SELECT source, endpoint, thread_id, place, call ->> '$.id' AS id, coalesce(call ->> '$.type', 'function') AS type,
        coalesce(call ->> '$.function.name', call ->> '$.custom.name', call ->> '$.name') AS name
    FROM listed
    UNION ALL
    SELECT source, endpoint, thread_id, concat('m', parent_id, seq), message_id, type,
        CASE WHEN json_valid(extra_json) THEN extra_json ->> '$.name' END
    FROM messages WHERE type LIKE '%\_call' ESCAPE '\' OR type IN ('command_execution', 'mcp_approval_request')
),
each AS (
    SELECT source, endpoint, thread_id, type, coalesce(name, type) AS name,
        CASE WHEN source = 'completions' AND id IS NOT NULL THEN id ELSE concat(thread_id, ' ', place, ' ', id) END AS key
    FROM called
)
SELECT name, type, count(DISTINCT (source, endpoint, key)) AS calls, count(DISTINCT (source, endpoint, thread_id)) AS threads
FROM each
GROUP BY ALL
ORDER BY calls DESC, name, type
