-- name: Hold :one
-- Why events and schedules stand still, empty if they do not; and when they last began to run again.
SELECT hold, released FROM installation;

-- name: ForgetNodes :exec
-- The nodes and leases of the installation that a copy was made of.
WITH gone AS (DELETE FROM nodes) DELETE FROM leases;

-- name: SetHold :exec
UPDATE installation SET hold = @hold, released = CASE WHEN @hold = '' AND hold <> '' THEN clock_timestamp() ELSE released END;
