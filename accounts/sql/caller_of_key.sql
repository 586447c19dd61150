-- What is known of an API key and of the user behind it.
--
-- One that was revoked is, whenever its row says: the clock of the server that did so may be ahead.
--
-- Params   key_id
-- Returns  one row, none if there is no such key: secret_hash, is_usable (its user is active, and it was neither
--          revoked nor has expired), user_id, email, is_superuser, names of the user's groups, ids of their teams,
--          scopes, stream_names, addresses
-- Locks    none
-- Plan     accounts_apikey_pkey, accounts_user_pkey, the user's rows of the two tables of memberships
SELECT known.secret_hash,
       owner.is_active
           AND known.revoked_at IS NULL
           AND (known.expires_at IS NULL OR known.expires_at > clock_timestamp()),
       owner.id, owner.email, owner.is_superuser,
       ARRAY(SELECT held.name
               FROM accounts_user_groups AS membership
               JOIN auth_group AS held ON held.id = membership.group_id
              WHERE membership.user_id = owner.id),
       ARRAY(SELECT membership.team_id FROM accounts_team_members AS membership WHERE membership.user_id = owner.id),
       known.scopes, known.stream_names, known.addresses
  FROM accounts_apikey AS known
  JOIN accounts_user AS owner ON owner.id = known.user_id
 WHERE known.key_id = %(key_id)s;
