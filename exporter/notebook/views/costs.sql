-- What the tokens cost by the table `prices`, which is yours to fill; null where it has no such model. A model with a date
-- at its end has the price of the one without, if it has none of its own.
SELECT t.model, t.day,
    (t.input_tokens * coalesce(p.input, q.input) + t.output_tokens * coalesce(p.output, q.output)) / 1e6 AS cost
FROM tokens AS t
LEFT JOIN prices AS p ON p.model = t.model
LEFT JOIN prices AS q ON q.model = regexp_replace(t.model, '-\d{4}-\d{2}-\d{2}$', '') AND p.model IS NULL
ORDER BY t.day, t.model
