-- name: ListRoutes :many
SELECT r.*, s.name AS script FROM routes r JOIN scripts s ON s.app_id = r.app_id AND s.id = r.script_id
WHERE r.app_id = @app_id AND r.id > @after ORDER BY r.id LIMIT @max::int;

-- name: AllRoutes :many
SELECT r.*, s.name AS script FROM routes r JOIN scripts s ON s.app_id = r.app_id AND s.id = r.script_id;

-- name: RouteByID :one
SELECT r.*, s.name AS script FROM routes r JOIN scripts s ON s.app_id = r.app_id AND s.id = r.script_id
WHERE r.app_id = @app_id AND r.id = @id;

-- name: InsertRoute :exec
INSERT INTO routes (app_id, id, script_id, method, host, path, dispatch, rate_limit)
VALUES (@app_id, @id, @script_id, @method, @host, @path, @dispatch, @rate_limit);

-- name: UpdateRoute :exec
UPDATE routes SET script_id = @script_id, method = @method, host = @host, path = @path, dispatch = @dispatch,
    rate_limit = @rate_limit
WHERE app_id = @app_id AND id = @id;

-- name: DeleteRoute :execrows
DELETE FROM routes WHERE app_id = @app_id AND id = @id;
