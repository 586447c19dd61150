-- Count a sign-in that is about to be tried, for each of its subjects that has a try left.
--
-- Whoever tries at the same moment waits for the row, so no number of parallel tries passes the limit. A subject
-- without a try left is not written and not returned: its caller takes back the others.
--
-- Params   subjects (in the same order everywhere) and limits, of the same length; window_seconds
-- Returns  the subjects that were counted
-- Locks    one row for each subject, until the end of the transaction
-- Plan     accounts_signinattempts_pkey
INSERT INTO accounts_signinattempts AS known (subject, tries, ends_at)
SELECT subject, 1, clock_timestamp() + make_interval(secs => %(window_seconds)s)
  FROM unnest(%(subjects)s::text[]) WITH ORDINALITY AS given (subject, place)
 ORDER BY place
    ON CONFLICT (subject) DO UPDATE
   SET tries = CASE WHEN known.ends_at > clock_timestamp() THEN known.tries + 1 ELSE 1 END,
       ends_at = CASE WHEN known.ends_at > clock_timestamp() THEN known.ends_at ELSE EXCLUDED.ends_at END
 WHERE known.ends_at <= clock_timestamp()
    OR known.tries < (%(limits)s::integer[])[array_position(%(subjects)s::text[], known.subject::text)]
RETURNING subject;
