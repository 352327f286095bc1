-- Finds the lanes of a target that are due, and nothing else. By the bare column the planner also took it to look a lane up by target and user, since on
-- a table that is mostly empty every index looks as good as another: then it read all lanes of the target for each one.
DROP INDEX notification.lanes_due;
CREATE INDEX lanes_due ON notification.lanes ((target || ''), due_at);
