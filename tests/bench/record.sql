-- A million events, as an earlier version of stint recorded them, into the state of state_v6.sql:
-- stintd makes links of them when it starts. As long as events of checks are, no two alike.
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
INSERT INTO record (at, boot_id, event, message, fields)
SELECT
    1767225600000000 + n * 30000000,
    'a5f5f0d21c0e4d3c8a3a3f0d5a0c6e11',
    'check.allowed',
    printf('user%d passes sudo by admin (g%07d)', n % 1000, n),
    printf('{"STINT_DECISION":"allowed","STINT_EVENT":"check.allowed","STINT_GRANT":"g%07d",'
        || '"STINT_ROLE":"admin","STINT_SERVICE":"sudo","STINT_UID":"%d","STINT_USER":"user%d"}',
        n, 1000 + n % 1000, n % 1000)
FROM numbers;
