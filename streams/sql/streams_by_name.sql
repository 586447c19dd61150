-- What the hot verbs need to know of streams.
--
-- Params   names; most_stored_bytes: what an owner may store, or NULL for no limit
-- Returns  a row for each grant of each stream, one if it has none, none if there is no such stream: name, id,
--          visibility, is_paused, whether its owner has stored as much as they may, ids of its partitions by number,
--          owner_id, owner_team_id; of the grant user_id, team_id, rights, all NULL without one; and validation,
--          deduplicate_ids_seconds, and the epochs of its partitions, each as an array that begins with the id of the
--          partition, or NULL without any
-- Locks    none
-- Plan     streams_stream_name_key, partition_number_unique_in_stream, streamgrant_once_per_user; and streams_epoch_pkey where there are epochs
WITH wanted AS (
    SELECT id, name, visibility, is_paused, owner_id, owner_team_id, validation, deduplicate_ids_seconds, has_epochs
      FROM streams_stream
     WHERE name = ANY (%(names)s::text[])
), full_owners AS (
    -- Each owner once, however many of the streams are theirs; none at all without a limit.
    SELECT owner.owner_id, owner.owner_team_id
      FROM (SELECT DISTINCT owner_id, owner_team_id FROM wanted WHERE %(most_stored_bytes)s::bigint IS NOT NULL) AS owner
     WHERE (SELECT coalesce(sum(kept.stored_bytes), 0) >= %(most_stored_bytes)s::bigint
              FROM streams_stream AS owned
              JOIN streams_partition AS kept ON kept.stream_id = owned.id
             WHERE owned.owner_id = owner.owner_id OR owned.owner_team_id = owner.owner_team_id)
)
SELECT stream.name, stream.id, stream.visibility, stream.is_paused,
       EXISTS (
           SELECT FROM full_owners
            WHERE full_owners.owner_id IS NOT DISTINCT FROM stream.owner_id
              AND full_owners.owner_team_id IS NOT DISTINCT FROM stream.owner_team_id
       ),
       ARRAY(SELECT lane.id FROM streams_partition AS lane WHERE lane.stream_id = stream.id ORDER BY lane.number),
       stream.owner_id, stream.owner_team_id,
       given.user_id, given.team_id, given.rights,
       stream.validation, stream.deduplicate_ids_seconds,
       CASE WHEN stream.has_epochs THEN (
           SELECT json_agg(
                      json_build_array(
                          epoch.partition_id, epoch.number, epoch.engine, epoch.topic, epoch.topic_id,
                          epoch.first_offset, epoch.last_offset, epoch.base, epoch.quarantine,
                          epoch.is_external, epoch.is_read_only
                      ) ORDER BY epoch.partition_id, epoch.number
                  )
             FROM streams_partition AS lane
             JOIN streams_epoch AS epoch ON epoch.partition_id = lane.id
            WHERE lane.stream_id = stream.id
       ) END
  FROM wanted AS stream
  LEFT JOIN streams_streamgrant AS given ON given.stream_id = stream.id
 ORDER BY stream.id, given.id;
