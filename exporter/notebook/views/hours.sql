-- What users said per weekday (1 is Monday) and hour, in UTC, where the server tells when.
SELECT isodow(said_at) AS weekday, hour(said_at) AS hour, count(*) AS messages
FROM dialogue
WHERE role = 'user' AND said_at IS NOT NULL
GROUP BY ALL
ORDER BY ALL
