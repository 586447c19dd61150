-- Make the statements since begin.sql durable: the outcome is known once this is answered.
--
-- Params   none
-- Returns  nothing
-- Locks    releases those of the transaction
-- Plan     no table
COMMIT;
