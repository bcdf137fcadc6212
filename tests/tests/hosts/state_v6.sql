-- The state as stint of version 6 of its tables made it.
BEGIN TRANSACTION;
CREATE TABLE carriers (
        user     TEXT NOT NULL,
        "group"  TEXT NOT NULL,
        boot_id  TEXT NOT NULL,
        pid      INTEGER NOT NULL,
        started  INTEGER NOT NULL,
        PRIMARY KEY (user, "group", pid, started)
    ) STRICT;
CREATE TABLE clock (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        high_water INTEGER NOT NULL
    ) STRICT;
INSERT INTO "clock" VALUES(1,0);
CREATE TABLE evictions (
        boot_id  TEXT NOT NULL,
        kind     TEXT NOT NULL,
        id       TEXT NOT NULL,
        user     TEXT NOT NULL,
        uid      INTEGER,
        role     TEXT,
        leave    INTEGER NOT NULL,
        grace    INTEGER NOT NULL,
        PRIMARY KEY (kind, id, user)
    ) STRICT;
CREATE TABLE first_looks (
        grant_id TEXT PRIMARY KEY,
        digest   TEXT,
        since    INTEGER NOT NULL,
        late     INTEGER NOT NULL,
        boot_id  TEXT NOT NULL,
        over     INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
CREATE TABLE grants (
        id TEXT PRIMARY KEY,
        user TEXT NOT NULL,
        uid INTEGER NOT NULL,
        role TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('scheduled', 'active', 'ended')),
        starts_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        boot_id TEXT NOT NULL,
        boot_deadline INTEGER NOT NULL,
        ended_at INTEGER,
        end_reason TEXT,
        origin TEXT NOT NULL,
        reason TEXT NOT NULL,
        ticket TEXT,
        granted_by TEXT NOT NULL,
        policy_key TEXT, request TEXT, approvals TEXT NOT NULL DEFAULT '[]', reviewed_by TEXT, reviewed_at INTEGER, review_note TEXT,
        CHECK ((state = 'ended') = (ended_at IS NOT NULL)),
        CHECK ((state = 'ended') = (end_reason IS NOT NULL))
    ) STRICT;
CREATE TABLE hooks (
        name TEXT PRIMARY KEY,
        done INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
CREATE TABLE local_accounts (
        user   TEXT NOT NULL,
        uid    INTEGER NOT NULL,
        others TEXT NOT NULL,
        PRIMARY KEY (user, uid)
    ) STRICT, WITHOUT ROWID;
CREATE TABLE memberships (
        user TEXT NOT NULL,
        grp TEXT NOT NULL,
        backend TEXT NOT NULL CHECK (backend IN ('files', 'userdb')), seen TEXT,
        PRIMARY KEY (user, grp, backend)
    ) STRICT, WITHOUT ROWID;
CREATE TABLE outbox (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        event TEXT NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
CREATE TABLE pictures (
        digest   TEXT PRIMARY KEY,
        picture  TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
CREATE TABLE policy_in_force (
        ordinal INTEGER PRIMARY KEY,
        path TEXT NOT NULL,
        text TEXT NOT NULL
    ) STRICT;
CREATE TABLE record (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        boot_id TEXT NOT NULL,
        event TEXT NOT NULL,
        message TEXT NOT NULL,
        fields TEXT NOT NULL
    ) STRICT;
CREATE TABLE reports (
        digest   TEXT PRIMARY KEY,
        report   TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
CREATE TABLE requests (
        id TEXT PRIMARY KEY,
        user TEXT NOT NULL,
        uid INTEGER NOT NULL,
        role TEXT NOT NULL,
        state TEXT NOT NULL
            CHECK (state IN ('pending', 'approved', 'denied', 'cancelled', 'lapsed')),
        duration INTEGER NOT NULL,
        starts_at INTEGER,
        reason TEXT NOT NULL,
        ticket TEXT,
        extends TEXT,
        created_at INTEGER NOT NULL,
        lapses_at INTEGER NOT NULL,
        groups TEXT NOT NULL,
        terms TEXT NOT NULL,
        approvals TEXT NOT NULL,
        ended_at INTEGER,
        ended_by TEXT,
        note TEXT,
        grant_id TEXT,
        CHECK ((state = 'pending') = (ended_at IS NULL)),
        CHECK ((state = 'pending') = (ended_by IS NULL)),
        CHECK ((state = 'approved') = (grant_id IS NOT NULL))
    ) STRICT;
CREATE TABLE residues (
        grant_id TEXT PRIMARY KEY,
        digest   TEXT NOT NULL,
        since    INTEGER NOT NULL,
        late     INTEGER NOT NULL,
        until    INTEGER NOT NULL,
        files    INTEGER NOT NULL,
        micros   INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
CREATE TABLE ruled (grant_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        grant_id TEXT,
        user TEXT NOT NULL,
        uid INTEGER NOT NULL,
        service TEXT NOT NULL,
        tty TEXT NOT NULL,
        opened_at INTEGER NOT NULL,
        boot_id TEXT NOT NULL
    , pid INTEGER NOT NULL DEFAULT 0, pid_started INTEGER NOT NULL DEFAULT 0, cgroup TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE withdrawn (
        grant_id TEXT NOT NULL,
        user     TEXT NOT NULL,
        grp      TEXT NOT NULL,
        PRIMARY KEY (grant_id, grp)
    ) STRICT, WITHOUT ROWID;
CREATE INDEX grants_running ON grants (state) WHERE state <> 'ended';
CREATE INDEX grants_user ON grants (user);
CREATE INDEX requests_pending ON requests (state) WHERE state = 'pending';
CREATE INDEX requests_created ON requests (created_at);
CREATE INDEX grants_holder ON grants (uid, role);
CREATE INDEX outbox_at ON outbox (at);
CREATE INDEX first_looks_of ON first_looks (digest);
CREATE INDEX first_looks_over ON first_looks (over) WHERE over;
COMMIT;
PRAGMA user_version = 6;
