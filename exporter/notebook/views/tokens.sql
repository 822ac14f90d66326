-- Tokens per model and day, and of how many runs, turns, responses and completions.
SELECT model, CAST(ts AS DATE) AS day, TRY_CAST(coalesce(sum(input_tokens), 0) AS BIGINT) AS input_tokens,
    TRY_CAST(coalesce(sum(output_tokens), 0) AS BIGINT) AS output_tokens, count(*) AS runs
FROM usage
GROUP BY ALL
ORDER BY day, model
