-- What is known of a session that has not ended, and of the user whose it is.
--
-- Params   session_id
-- Returns  one row, none if there is no such session: user_id, email, is_active, is_superuser, password (its hash), names
--          of the user's groups, ids of their teams
-- Locks    none
-- Plan     accounts_usersession_pkey, accounts_user_pkey, the user's rows of the two tables of memberships
SELECT owner.id, owner.email, owner.is_active, owner.is_superuser, owner.password,
       ARRAY(SELECT held.name
               FROM accounts_user_groups AS membership
               JOIN auth_group AS held ON held.id = membership.group_id
              WHERE membership.user_id = owner.id),
       ARRAY(SELECT membership.team_id FROM accounts_team_members AS membership WHERE membership.user_id = owner.id)
  FROM accounts_usersession AS session
  JOIN accounts_user AS owner ON owner.id = session.user_id
 WHERE session.id = %(session_id)s
   AND session.ended_at IS NULL;
