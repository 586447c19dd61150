-- Take ids for partitions whose rows are made later.
--
-- Params   count
-- Returns  a row for each: id
-- Locks    none
-- Plan     no table
SELECT nextval(pg_get_serial_sequence('streams_partition', 'id'))
  FROM generate_series(1, %(count)s::integer);
