-- Tokens of each run, turn, stored response and stored completion, where the server tells them.
WITH told AS (
    SELECT r.source, r.endpoint, r.thread_id, r.run_id, r.ts,
        coalesce(
            r.model, CASE WHEN r.parent_id IS NULL AND json_valid(t.extra_json) THEN t.extra_json ->> '$.agent.model' END
        ) AS model,
        r.usage_json AS usage
    FROM runs AS r
    LEFT JOIN (SELECT source, endpoint, thread_id, extra_json FROM threads WHERE source = 'agents') AS t
        USING (source, endpoint, thread_id)
    WHERE r.usage_json IS NOT NULL AND r.type IS DISTINCT FROM 'agent.session.subagent'
    UNION ALL
    SELECT source, endpoint, thread_id, NULL, ts, extra_json ->> '$.model', extra_json -> '$.usage'
    FROM threads
    WHERE source IN ('responses', 'completions') AND json_valid(extra_json)
)
SELECT thread_id, run_id, model, ts, input_tokens, output_tokens, source, endpoint
FROM (
    SELECT *,
        TRY_CAST(coalesce(usage ->> '$.input_tokens', usage ->> '$.prompt_tokens') AS BIGINT) AS input_tokens,
        TRY_CAST(coalesce(usage ->> '$.output_tokens', usage ->> '$.completion_tokens') AS BIGINT) AS output_tokens
    FROM told WHERE json_valid(usage)
)
WHERE input_tokens IS NOT NULL OR output_tokens IS NOT NULL
