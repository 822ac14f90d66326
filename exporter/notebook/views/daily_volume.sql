-- Messages per day, source and role; what has no time of its own counts on the day on which it was first seen.
SELECT CAST(ts AS DATE) AS day, source, role, count(*) AS messages
FROM messages
GROUP BY ALL
ORDER BY ALL
