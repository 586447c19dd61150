-- Count a sign-in that is about to be tried, for each of its subjects, before its password is looked at.
--
-- Whoever tries at the same moment waits for the row, so no number of parallel tries passes the limit.
--
-- Params   subjects (in the same order everywhere), window_seconds
-- Returns  subject, how often it was tried in its window including now, seconds until the window ends
-- Locks    one row for each subject, until the end of this statement
-- Plan     accounts_signinattempts_pkey
INSERT INTO accounts_signinattempts AS known (subject, tries, ends_at)
SELECT subject, 1, clock_timestamp() + make_interval(secs => %(window_seconds)s)
  FROM unnest(%(subjects)s::text[]) AS given (subject)
    ON CONFLICT (subject) DO UPDATE
   SET tries = CASE WHEN known.ends_at > clock_timestamp() THEN known.tries + 1 ELSE 1 END,
       ends_at = CASE WHEN known.ends_at > clock_timestamp() THEN known.ends_at ELSE EXCLUDED.ends_at END
RETURNING subject, tries, ceil(extract(epoch FROM ends_at - clock_timestamp()))::integer;
