-- Write down what became of a message; one that is done with stays as it is.
--
-- Params   id, status ('sent' or 'failed'), error
-- Returns  nothing
-- Locks    the message's row
-- Plan     observability_alertnotification_pkey
UPDATE observability_alertnotification
   SET status = %(status)s,
       last_error = left(%(error)s::text, 300),
       ended_at = now()
 WHERE id = %(id)s
   AND status = 'waiting';
