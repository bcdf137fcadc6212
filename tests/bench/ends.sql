-- Fills stint's state with :count running grants of the role bench-ends, while stintd is stopped.
-- The first of them ends :first microseconds after the epoch, each of the others :step later.
--
--   sqlite3 -cmd '.parameter set :count 10000' -cmd '.parameter set :first 1797…' \
--       -cmd '.parameter set :step 0' state.sqlite <ends.sql
--
-- Grant n is of the account filler-n, whose uid is 300000 + n. An id is yy and six hexadecimal
-- digits, with the two that no id may hold (0, 1) replaced. The boot id is no boot's, so that
-- stintd reckons each end on the boot clock anew when it starts. What an earlier filling left is
-- taken out; its events stay, as the record is a chain.
BEGIN IMMEDIATE;
DELETE FROM grants WHERE role = 'bench-ends';
WITH RECURSIVE filler (n) AS (
    SELECT 1 WHERE CAST(:count AS INTEGER) > 0
    UNION ALL
    SELECT n + 1 FROM filler WHERE n < CAST(:count AS INTEGER)
)
INSERT INTO grants (id, user, uid, role, state, starts_at, expires_at, boot_id, boot_deadline,
                    origin, reason, granted_by)
SELECT 'yy' || replace(replace(printf('%06x', n), '0', 'x'), '1', 'y'),
       'filler-' || n,
       300000 + n,
       'bench-ends',
       'active',
       CAST(strftime('%s', 'now') AS INTEGER) * 1000000,
       CAST(:first AS INTEGER) + (n - 1) * CAST(:step AS INTEGER),
       'no boot',
       0,
       'admin',
       'ends while it is timed',
       'root'
FROM filler;
COMMIT;
