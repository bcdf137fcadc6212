-- How late the end of each grant of the role bench-ends was, in microseconds, one a line: when its
-- holder's membership was found to be taken back (group.removed), after the time it should have
-- ended at.
SELECT removed.at - grants.expires_at
FROM grants
JOIN record AS removed
    ON removed.event = 'group.removed'
    AND json_extract(removed.fields, '$.STINT_USER') = grants.user
    AND removed.at >= grants.starts_at
WHERE grants.role = 'bench-ends' AND grants.state = 'ended'
ORDER BY 1;
