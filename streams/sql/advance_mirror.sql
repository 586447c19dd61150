-- Move the positions of a mirror, for whoever has it.
--
-- Params   mirror_id, lease_token; numbers, positions, topic_ends, copied, lost, doubled: one element for each
--          partition, the last three what is added
-- Returns  one row if the mirror is theirs, none if it is not any more: then nothing was changed
-- Locks    the mirror, then the positions of those partitions
-- Plan     streams_mirror_pkey, streams_mirrorposition_pkey
WITH held AS (
    SELECT id
      FROM streams_mirror
     WHERE id = %(mirror_id)s
       AND lease_token = %(lease_token)s::uuid
       FOR NO KEY UPDATE
), moved AS (
    INSERT INTO streams_mirrorposition AS known
           (mirror_id, number, position, topic_end, copied_count, lost_count, doubled_count)
    SELECT held.id, news.number, news.position, news.topic_end, news.copied, news.lost, news.doubled
      FROM held,
           unnest(%(numbers)s::smallint[], %(positions)s::bigint[], %(topic_ends)s::bigint[], %(copied)s::bigint[],
                  %(lost)s::bigint[], %(doubled)s::bigint[])
           AS news (number, position, topic_end, copied, lost, doubled)
        ON CONFLICT (mirror_id, number) DO UPDATE
       SET position = greatest(known.position, excluded.position),
           topic_end = excluded.topic_end,
           copied_count = known.copied_count + excluded.copied_count,
           lost_count = known.lost_count + excluded.lost_count,
           doubled_count = known.doubled_count + excluded.doubled_count
)
SELECT id FROM held;
