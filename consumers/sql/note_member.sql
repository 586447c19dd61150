-- Write down that a member read as its group just now.
--
-- Params   group_id, name
-- Returns  nothing, also when the group was deleted meanwhile
-- Locks    the member's row; the group's against deletion
-- Plan     consumers_consumergroup_pkey, groupmember_name_unique_in_group
INSERT INTO consumers_groupmember (group_id, name, last_seen_at)
SELECT id, %(name)s::text, now() FROM consumers_consumergroup WHERE id = %(group_id)s FOR KEY SHARE
    ON CONFLICT (group_id, name) DO UPDATE SET last_seen_at = excluded.last_seen_at;
