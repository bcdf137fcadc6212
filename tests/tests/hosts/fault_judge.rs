//! What must hold after every fault: before the daemon is back, and once it is. It looks at the
//! host's files, at what its own tools say of them, at the state, and at what new processes get;
//! it changes nothing.

use crate::fault_scenes::{STANDING, groups_of, opens_sudo};
use rusqlite::Connection;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use stint_proto::Timestamp;
use stint_record::{Verifier, rows};
use stint_tests::{Host, USERS};

type Pair = (String, String);

/// What is wrong, if anything is.
pub type Verdict = Result<(), String>;

/// A host's files as they were before stint gave anything.
pub struct Judge {
    root: PathBuf,
    group: String,
    gshadow: String,
}

/// The line of shell that asks the host's own checkers. Both can read the files in any case.
const CHECKERS: &str = "grpck -r >/tmp/said 2>&1 || { echo grpck; cat /tmp/said; }; \
                        visudo -c >/tmp/said 2>&1 || { echo visudo; cat /tmp/said; }";

/// What is asked of a host whose daemon is back. `sudo` asks nobody, as a person without a
/// terminal; its answer is a number where it lets in.
const LOOK: &str = r#"
stint status --json >/tmp/status || exit 1
date -u +%Y-%m-%dT%H:%M:%S.%3NZ
stint list --all --json | tr -d '\n'; echo
for user in alice bob carol; do
    as="setpriv --reuid $user --regid $user --init-groups"
    echo "$user $($as sudo -n id -u 2>/dev/null) : $($as id -Gn)"
done
tr -d '\n' </tmp/status; echo
"#;

/// What a running daemon and its host say.
struct Look {
    now: String,
    grants: Vec<Value>,
    /// Of each user: whether sudo lets them in, and the groups of a new process.
    people: BTreeMap<String, (bool, BTreeSet<String>)>,
    alarms: Value,
}

/// What the state says, read from a copy or beside the daemon.
struct State {
    /// By id: state, user, role.
    grants: BTreeMap<String, (String, String, String)>,
    owned: BTreeSet<Pair>,
}

impl Judge {
    /// Of a host on which stint has given nothing.
    pub fn of(host: &Host) -> Self {
        let root = PathBuf::from(format!("/proc/{}/root", host.leader()));
        let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
        Self { group: read("etc/group"), gshadow: read("etc/gshadow"), root }
    }

    /// What must hold while the daemon is dead: no more is given than the durable list says.
    pub fn dead(&self, host: &Host) -> Verdict {
        let said = host.run(CHECKERS).text();
        expect(said.is_empty(), || said)?;
        let state = self.state(host)?;
        let given = self.given()?;
        let unlisted: Vec<_> = given.difference(&state.owned).collect();
        expect(unlisted.is_empty(), || format!("given, and not in the list: {unlisted:?}"))?;
        for id in self.ruled() {
            let known = state.grants.get(&id).is_some_and(|(stage, ..)| stage != "scheduled");
            expect(known, || format!("a rule of a grant that the state does not know: {id}"))?;
        }
        Ok(())
    }

    /// What must hold while something fails, and the daemon lives: nobody is let in who holds
    /// nothing, what is still given without right is told, and no file is broken.
    /// What begins or ends between two of the questions is no fault: what is wrong is so twice.
    pub fn meanwhile(&self, host: &Host) -> Verdict {
        self.holds_now(host).or_else(|_| self.holds_now(host))
    }

    fn holds_now(&self, host: &Host) -> Verdict {
        let look = look(host)?;
        let said = host.run(CHECKERS).text();
        expect(said.is_empty(), || said)?;
        let running = look.running();
        for user in USERS {
            let (let_in, _) = &look.people[user];
            let may = running.iter().any(|(holder, role)| holder == user && opens_sudo(role));
            expect(may || !let_in, || format!("{user} is let in and holds {running:?}"))?;
        }
        let (given, wanted) = (self.given()?, wanted(&running));
        let told = look.alarms != Value::Array(Vec::new());
        expect(told || given == wanted, || {
            format!("no alarm, but given {given:?}, of right {wanted:?}")
        })
    }

    /// Which grants there are, and what became of them.
    pub fn grants(&self, host: &Host) -> Result<Vec<Pair>, String> {
        let grants = look(host)?.grants;
        let mut grants: Vec<Pair> = grants
            .iter()
            .map(|grant| (text(grant, "id"), format!("{} {}", grant["state"], grant["end_reason"])))
            .collect();
        grants.sort();
        Ok(grants)
    }

    /// What must hold once the daemon is back and quiet.
    pub fn alive(&self, host: &Host, ends: bool) -> Verdict {
        let look = look(host)?;
        expect(look.alarms == Value::Array(Vec::new()), || format!("alarms: {}", look.alarms))?;
        let said = host.run(CHECKERS).text();
        expect(said.is_empty(), || said)?;
        let running = look.running();
        for grant in look.grants.iter().filter(|grant| grant["state"] == "active") {
            let over = text(grant, "expires_at") <= look.now;
            expect(!over, || format!("it is {} and this runs: {grant}", look.now))?;
        }
        let held = running.iter().any(|(user, _)| user == "alice");
        expect(!(ends && held), || "alice's grant is not over".to_owned())?;
        self.only_what_runs(&look, &running)?;
        let state = self.state(host)?;
        let given = self.given()?;
        expect(state.owned == given, || format!("owned {:?}, given {given:?}", state.owned))?;
        for grant in &look.grants {
            let known = state.grants.get(&text(grant, "id"));
            let same = known.is_some_and(|(stage, ..)| *stage == text(grant, "state"));
            expect(same, || format!("the state says {known:?} of {grant}"))?;
        }
        self.nothing_left(host)
    }

    fn only_what_runs(&self, look: &Look, running: &[Pair]) -> Verdict {
        let wanted = wanted(running);
        let given = self.given()?;
        expect(given == wanted, || format!("given {given:?}, of right {wanted:?}"))?;
        let ids: BTreeSet<String> = look
            .grants
            .iter()
            .filter(|grant| grant["state"] == "active")
            .filter(|grant| grant["role"].as_str().is_some_and(opens_sudo))
            .filter_map(|grant| grant["id"].as_str().map(str::to_owned))
            .collect();
        let ruled = self.ruled();
        expect(ruled == ids, || format!("rules of {ruled:?}, of right {ids:?}"))?;
        for user in USERS {
            let (let_in, groups) = &look.people[user];
            let may = running.iter().any(|(holder, role)| holder == user && opens_sudo(role));
            expect(*let_in == may, || format!("{user}: sudo {let_in}, of right {may}"))?;
            for group in ["audio", "video", "operator"] {
                let is = groups.contains(group);
                let of_right = STANDING.contains(&(user, group))
                    || wanted.contains(&(user.to_owned(), group.to_owned()));
                expect(is == of_right, || format!("{user} in {group}: {is}, of right {of_right}"))?;
            }
        }
        Ok(())
    }

    /// What stint has given, in either way; that all the rest is as it was; that gshadow agrees
    /// where it must.
    fn given(&self) -> Result<BTreeSet<Pair>, String> {
        let mut given = self.added("etc/group", &self.group)?;
        self.added("etc/gshadow", &self.gshadow)?;
        for entry in fs::read_dir(self.root.join("run/userdb")).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let pair = name.strip_suffix(".membership").and_then(|name| name.split_once(':'));
            let (user, group) = pair.ok_or_else(|| format!("/run/userdb/{name}"))?;
            given.insert((user.to_owned(), group.to_owned()));
        }
        Ok(given)
    }

    fn added(&self, name: &str, before: &str) -> Result<BTreeSet<Pair>, String> {
        let now = fs::read_to_string(self.root.join(name)).map_err(|e| format!("{name}: {e}"))?;
        let mut added = BTreeSet::new();
        expect(now.lines().count() == before.lines().count(), || format!("{name}: {now}"))?;
        for (old, new) in before.lines().zip(now.lines()) {
            let split =
                |line: &str| line.rsplit_once(':').map(|(a, b)| (a.to_owned(), b.to_owned()));
            let (Some((old_start, old_members)), Some((start, members))) = (split(old), split(new))
            else {
                return Err(format!("{name}: {new}"));
            };
            let (old_members, members) = (set(&old_members), set(&members));
            let whole = old_start == start && old_members.is_subset(&members);
            expect(whole, || format!("{name} was {old:?} and is {new:?}"))?;
            let group = start.split(':').next().unwrap_or_default();
            let new = members.difference(&old_members);
            added.extend(new.map(|user| (user.clone(), group.to_owned())));
        }
        Ok(added)
    }

    /// The grants that have rules in the file that sudo reads, and that it is whole.
    fn ruled(&self) -> BTreeSet<String> {
        let text = fs::read_to_string(self.root.join("etc/sudoers.d/stint")).unwrap_or_default();
        let ids = text.lines().filter_map(|line| line.strip_prefix("# grant "));
        ids.filter_map(|rest| Some(rest.split_once(':')?.0.to_owned())).collect()
    }

    /// No half-made file and no lock is left, and nobody carries what was taken from them.
    fn nothing_left(&self, host: &Host) -> Verdict {
        let left = host
            .ok("ls -d /etc/group.* /etc/gshadow.* /etc/*.lock /etc/.*stint* /etc/sudoers.d/.* \
             /run/userdb/.*.new 2>/dev/null | grep -v '/\\.*$' || true");
        expect(left.is_empty(), || format!("left: {left}"))?;
        let carried = host.ok("pgrep -u alice,bob,carol -a sleep || true");
        expect(carried.is_empty() || self.still_holds("alice", "audio"), || {
            format!("a group is carried on: {carried}")
        })
    }

    fn still_holds(&self, user: &str, group: &str) -> bool {
        self.given().is_ok_and(|given| given.contains(&(user.to_owned(), group.to_owned())))
    }

    /// What the state says, from a copy: a daemon that had no room for shared memory lets nobody
    /// else read it. A copy that is made while it writes does not hold together, and is made again.
    fn state(&self, host: &Host) -> Result<State, String> {
        let copy = std::env::temp_dir().join(format!("stint-faults-{}", host.leader()));
        fs::create_dir_all(&copy).unwrap();
        for name in ["state.sqlite", "state.sqlite-wal"] {
            match fs::read(self.root.join("var/lib/stint").join(name)) {
                Ok(bytes) => fs::write(copy.join(name), bytes).unwrap(),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => panic!("{name}: {error}"),
            }
        }
        let state = read_state(&copy.join("state.sqlite"));
        fs::remove_dir_all(&copy).unwrap();
        state
    }
}

impl Look {
    /// Who holds which role.
    fn running(&self) -> Vec<Pair> {
        let active = self.grants.iter().filter(|grant| grant["state"] == "active");
        active.map(|grant| (text(grant, "user"), text(grant, "role"))).collect()
    }
}

fn text(grant: &Value, field: &str) -> String {
    grant[field].as_str().unwrap_or_default().to_owned()
}

/// What stint has to give for what is held: who is in a group without it gets nothing.
fn wanted(running: &[Pair]) -> BTreeSet<Pair> {
    let given = running.iter().flat_map(|(user, role)| {
        groups_of(role).iter().map(|group| (user.clone(), (*group).to_owned()))
    });
    given.filter(|(user, group)| !STANDING.contains(&(user.as_str(), group.as_str()))).collect()
}

fn expect(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(what()) }
}

fn set(members: &str) -> BTreeSet<String> {
    members.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn look(host: &Host) -> Result<Look, String> {
    let output = host.run(LOOK);
    let odd = || format!("stintd does not answer: {output}");
    expect(output.ok(), odd)?;
    let mut lines = output.stdout.lines();
    let mut line = || lines.next().ok_or_else(odd);
    let now = line()?.to_owned();
    let read = |text: &str| serde_json::from_str::<Value>(text).map_err(|e| format!("{e}: {text}"));
    let Value::Array(grants) = read(line()?)? else { return Err(odd()) };
    let mut people = BTreeMap::new();
    for _ in USERS {
        let (person, groups) = line()?.split_once(':').ok_or_else(odd)?;
        let mut words = person.split_whitespace();
        let user = words.next().ok_or_else(odd)?.to_owned();
        let groups = groups.split_whitespace().map(str::to_owned).collect();
        people.insert(user, (words.next() == Some("0"), groups));
    }
    let alarms = read(line()?)?["alarms"].take();
    Ok(Look { now, grants, people, alarms })
}

/// Reads the state: that it is whole, that its record is, and what it lists.
fn read_state(path: &Path) -> Result<State, String> {
    let failed = |error: rusqlite::Error| format!("{}: {error}", path.display());
    let mut state = State { grants: BTreeMap::new(), owned: BTreeSet::new() };
    let connection = Connection::open(path).map_err(failed)?;
    let last_made = "SELECT count(*) FROM sqlite_schema WHERE name = 'chain'";
    let made: i64 = connection.query_row(last_made, [], |row| row.get(0)).map_err(failed)?;
    let verdict: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).map_err(failed)?;
    expect(verdict == "ok", || format!("the state: {verdict}"))?;
    // A state that is being made has fewer tables.
    if made == 0 {
        return Ok(state);
    }
    whole_record(&connection)?;
    let mut query =
        connection.prepare("SELECT id, state, user, role FROM grants").map_err(failed)?;
    let rows = query
        .query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?))))
        .map_err(failed)?;
    state.grants = rows.collect::<Result<_, _>>().map_err(failed)?;
    let mut query = connection.prepare("SELECT user, grp FROM memberships").map_err(failed)?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    state.owned = rows.collect::<Result<_, _>>().map_err(failed)?;
    Ok(state)
}

/// The record is one whole chain, and has each grant's beginning and end, once.
fn whole_record(connection: &Connection) -> Verdict {
    let ask = |sql: &str| -> Result<String, String> {
        let found: Option<String> =
            connection.query_row(sql, [], |row| row.get(0)).map_err(|e| format!("{sql}: {e}"))?;
        Ok(found.unwrap_or_default())
    };
    whole_chain(connection).map_err(|why| format!("the record is broken: {why}"))?;
    let odd = ask("SELECT group_concat(id || ' ' || state) FROM grants WHERE
         (state <> 'scheduled') <> (SELECT count(*) FROM record WHERE event = 'grant.activated'
            AND json_extract(fields, '$.STINT_GRANT') = grants.id) OR
         (state = 'ended') <> (SELECT count(*) FROM record WHERE event IN
            ('grant.expired', 'grant.revoked', 'grant.dropped')
            AND json_extract(fields, '$.STINT_GRANT') = grants.id)")?;
    expect(odd.is_empty(), || format!("the record does not have, once each, what befell: {odd}"))
}

/// Each link follows the one before, to the end that the state itself names.
fn whole_chain(connection: &Connection) -> Verdict {
    let failed = |error: rusqlite::Error| error.to_string();
    let end = rows::head(connection).map_err(failed)?.ok_or("the state names no end of it")?;
    let mut verifier = Verifier::new([end]);
    let mut after = i64::MIN;
    loop {
        let page = rows::page(connection, after, Timestamp(i64::MIN), 1_000).map_err(failed)?;
        for link in &page.links {
            verifier.take(link).map_err(|fault| fault.to_string())?;
        }
        match page.next {
            Some(next) => after = next,
            None => return verifier.end().map_err(|fault| fault.to_string()),
        }
    }
}
