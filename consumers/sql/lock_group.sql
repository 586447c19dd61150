-- Keep other leases of a group out until this one is committed: it may not pass max_in_flight.
--
-- Params   group_id
-- Returns  one row
-- Locks    the group's row
-- Plan     consumers_consumergroup_pkey
SELECT id FROM consumers_consumergroup WHERE id = %(group_id)s FOR NO KEY UPDATE;
