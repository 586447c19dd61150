-- What the hot verbs need to know of a stream.
--
-- Params   name; most_stored_bytes: what its owner may store, or NULL for no limit
-- Returns  a row for each of its grants, one if there are none, none if there is no such stream: id, visibility,
--          is_paused, whether its owner has stored as much as they may, ids of its partitions by number, owner_id,
--          owner_team_id; and of the grant user_id, team_id, rights, all NULL without one
-- Locks    none
-- Plan     streams_stream_name_key, partition_number_unique_in_stream, streamgrant_once_per_user
SELECT stream.id, stream.visibility, stream.is_paused,
       CASE WHEN %(most_stored_bytes)s::bigint IS NULL THEN false
            ELSE (SELECT coalesce(sum(kept.stored_bytes), 0) >= %(most_stored_bytes)s::bigint
                    FROM streams_stream AS owned
                    JOIN streams_partition AS kept ON kept.stream_id = owned.id
                   WHERE owned.owner_id = stream.owner_id OR owned.owner_team_id = stream.owner_team_id)
       END,
       ARRAY(SELECT lane.id FROM streams_partition AS lane WHERE lane.stream_id = stream.id ORDER BY lane.number),
       stream.owner_id, stream.owner_team_id,
       given.user_id, given.team_id, given.rights
  FROM streams_stream AS stream
  LEFT JOIN streams_streamgrant AS given ON given.stream_id = stream.id
 WHERE stream.name = %(name)s
 ORDER BY given.id;
