-- How long the first question of each thread waited for its answer; null where nothing was answered, or no time is known.
SELECT thread_id, seconds, asked_at, user, customer, source, endpoint
FROM turns
QUALIFY row_number() OVER (PARTITION BY source, endpoint, thread_id ORDER BY seq) = 1
ORDER BY source, endpoint, thread_id
