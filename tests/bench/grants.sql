-- Fills stint's state with :count running grants, while stintd is stopped. Each is of another
-- account, fillerN with the uid 100000 + N, which has to be there, and of the role bench-filler, which confers nothing on the host
-- but one more open door, so that stintd holds them all in its index and enforces nothing. Grants
-- of other roles stay as they are.
--
--   sqlite3 -cmd '.parameter set :count 100000' state.sqlite <grants.sql
--
-- An id is zz and six hexadecimal digits, with the two that no id may hold (0, 1) replaced. The
-- boot id is no boot's, so that stintd reckons each end on the boot clock anew when it starts.
BEGIN IMMEDIATE;
DELETE FROM grants WHERE role = 'bench-filler';
WITH RECURSIVE filler (n) AS (
    SELECT 1 WHERE CAST(:count AS INTEGER) > 0
    UNION ALL
    SELECT n + 1 FROM filler WHERE n < CAST(:count AS INTEGER)
)
INSERT INTO grants (id, user, uid, role, state, starts_at, expires_at, boot_id, boot_deadline,
                    origin, reason, granted_by)
SELECT 'zz' || replace(replace(printf('%06x', n), '0', 'x'), '1', 'y'),
       'filler' || n,
       100000 + n,
       'bench-filler',
       'active',
       CAST(strftime('%s', 'now') AS INTEGER) * 1000000,
       CAST(strftime('%s', 'now', '+1 day') AS INTEGER) * 1000000 + n,
       'no boot',
       0,
       'admin',
       'fills the state',
       'root'
FROM filler;
COMMIT;
