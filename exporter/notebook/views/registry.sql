-- The threads we know of, as the catalog has them: whose they are, how their last visit ended, when each is due and
-- until when it has to be visited.
SELECT * FROM catalog_threads
