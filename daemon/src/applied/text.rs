//! The text of the list: one line an item, each with a sum of its own, so that a line which is torn
//! or was edited is seen, and the others still count. Pure: values in, text out, and back.

use std::fmt::{Display, Write};
use std::str::FromStr;

use sha2::{Digest, Sha256};
use stint_proto::{Length, Timestamp, Uid};

use super::{Applied, Given, Held, Owed, Spot, key_of};
use crate::clock::Moment;
use crate::domain::control_group::Group;
use crate::domain::deadline::{Deadline, Kept, Mark};
use crate::domain::human::Process;
use crate::domain::manner::Manner;
use crate::store::{Backend, Eviction, EvictionOf, Membership};

const HEADER: &str = "\
# What stint has given on this host and not taken back yet. stintd writes it, stint-sweep goes by
# it where stintd cannot: stintd(8). A line that is edited counts no more.
";
const NONE: &str = "-";

/// What is wrong with a line of the list, or with all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {} {}", self.line, self.why)
    }
}

/// The text of a list.
#[must_use]
pub fn render(applied: &Applied) -> String {
    let mut lines = Lines { text: HEADER.to_owned(), count: 0 };
    if let Some(Mark { boot_id, at }) = &applied.mark {
        lines.put(&format!("clock boot={boot_id} at={} wall={}", at.boot, time(at.wall)));
    }
    for (id, held) in &applied.grants {
        let Held { user, uid, role, until: Kept { deadline, boot_id }, manner } = held;
        lines.put(&format!(
            "grant {id} user={user} uid={uid} role={role} until={} boot={boot_id} at={} {}",
            time(deadline.wall),
            deadline.boot,
            manner_text(*manner)
        ));
    }
    for (Membership { user, group, backend }, Given { grants, carried }) in &applied.members {
        let (grants, carried) = (listed(grants.iter()), processes(carried));
        lines.put(&format!(
            "member {user} group={group} backend={backend} grants={grants} carried={carried}"
        ));
    }
    for (grant, spot) in &applied.sessions {
        match spot {
            Spot::Group(group) => lines.put(&format!("session {grant} group={}", group.as_str())),
            Spot::Process(process) => {
                lines.put(&format!("session {grant} process={}", processes(&[*process])));
            }
        }
    }
    for Owed { eviction: Eviction { of, user, leave, grace }, carried } in applied.owed.values() {
        let manner = manner_text(Manner { leave: *leave, grace: *grace });
        lines.put(&match of {
            EvictionOf::Sessions { grant, role, uid } => {
                format!("owed-sessions {grant} user={user} uid={uid} role={role} {manner}")
            }
            EvictionOf::Group { group, uid } => {
                let (uid, carried) = (listed(uid.iter()), processes(carried));
                format!("owed-carriers {user} uid={uid} group={group} carried={carried} {manner}")
            }
        });
    }
    if applied.rules_taken {
        lines.put("rules taken");
    }
    for line in &applied.unread {
        lines.text.push_str(line);
        lines.text.push('\n');
    }
    let count = lines.count;
    lines.put(&format!("end {count}"));
    lines.text
}

struct Lines {
    text: String,
    count: usize,
}

impl Lines {
    fn put(&mut self, line: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{line} #{}", sum(line));
        self.count += 1;
    }
}

/// Reads a list. What cannot be read is left out and named; the rest counts.
#[must_use]
pub fn parse(text: &str) -> (Applied, Vec<Problem>) {
    let mut applied = Applied::default();
    let mut problems = Vec::new();
    let (mut count, mut end) = (0, None);
    for (number, line) in text.lines().enumerate() {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let mut problem = |why| problems.push(Problem { line: number + 1, why });
        let whole = line.rsplit_once(" #").filter(|(body, found)| sum(body) == *found);
        let Some((body, _)) = whole else {
            problem("is torn or was edited");
            applied.unread.insert(line.to_owned());
            continue;
        };
        let mut words = Words(body.split(' '));
        let kind = words.0.next().unwrap_or_default();
        if kind == "end" {
            end = words.next::<usize>();
            continue;
        }
        if take(&mut applied, kind, &mut words).is_none() {
            problem("is not understood");
            applied.unread.insert(line.to_owned());
            continue;
        }
        count += 1;
    }
    if end != Some(count) {
        let line = text.lines().count();
        problems.push(Problem { line, why: "is not the end of what was written" });
    }
    (applied, problems)
}

/// Takes one line in; `None` if it is not understood.
fn take(applied: &mut Applied, kind: &str, words: &mut Words<'_>) -> Option<()> {
    match kind {
        "clock" => {
            let boot_id = words.key("boot")?;
            let (boot, wall) = (words.key("at")?, words.key("wall")?);
            words.end()?;
            applied.mark = Some(Mark { boot_id, at: Moment { wall, boot } });
        }
        "grant" => {
            let id = words.next()?;
            let (user, uid) = (words.key("user")?, Uid(words.key("uid")?));
            let (role, wall): (_, Timestamp) = (words.key("role")?, words.key("until")?);
            let (boot_id, boot) = (words.key("boot")?, words.key("at")?);
            let until = Kept { deadline: Deadline { wall, boot }, boot_id };
            let held = Held { user, uid, role, until, manner: words.manner()? };
            words.end()?;
            applied.grants.insert(id, held);
        }
        "member" => {
            let (user, group) = (words.next()?, words.key("group")?);
            let backend = Backend::from_word(&words.key::<String>("backend")?)?;
            let grants = words.list("grants", |id| id.parse().ok())?;
            let carried = words.list("carried", process)?;
            let given = Given { grants, carried };
            words.end()?;
            applied.members.insert(Membership { user, group, backend }, given);
        }
        "session" => {
            let (grant, spot) = (words.next()?, words.next::<String>()?);
            let spot = match spot.split_once('=')? {
                ("group", path) => Spot::Group(Group::parse(path)?),
                ("process", one) => Spot::Process(process(one)?),
                _ => return None,
            };
            words.end()?;
            applied.sessions.insert((grant, spot));
        }
        "owed-sessions" => {
            let grant = words.next()?;
            let (user, uid, role) = (words.key("user")?, words.key("uid")?, words.key("role")?);
            let of = EvictionOf::Sessions { grant, role, uid: Uid(uid) };
            let manner = words.manner()?;
            words.end()?;
            applied.owe(of, user, Vec::new(), manner);
        }
        "rules" => {
            (words.next::<String>()? == "taken").then_some(())?;
            words.end()?;
            applied.rules_taken = true;
        }
        "owed-carriers" => {
            let user = words.next()?;
            let uid: Vec<Uid> = words.list("uid", |uid| uid.parse().ok().map(Uid))?;
            let group = words.key("group")?;
            let carried = words.list("carried", process)?;
            let manner = words.manner()?;
            words.end()?;
            let uid = uid.first().copied();
            applied.owe(EvictionOf::Group { group, uid }, user, carried, manner);
        }
        _ => return None,
    }
    Some(())
}

impl Applied {
    fn owe(
        &mut self,
        of: EvictionOf,
        user: stint_proto::UserName,
        carried: Vec<Process>,
        manner: Manner,
    ) {
        let eviction = Eviction { of, user, leave: manner.leave, grace: manner.grace };
        self.owed.insert(key_of(&eviction), Owed { eviction, carried });
    }
}

/// The words of a line, in their order.
struct Words<'a>(std::str::Split<'a, char>);

impl Words<'_> {
    fn next<T: FromStr>(&mut self) -> Option<T> {
        self.0.next()?.parse().ok()
    }

    fn key<T: FromStr>(&mut self, key: &str) -> Option<T> {
        self.0.next()?.strip_prefix(key)?.strip_prefix('=')?.parse().ok()
    }

    fn list<T, C: FromIterator<T>>(
        &mut self,
        key: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<C> {
        let text: String = self.key(key)?;
        let items = text.split(',').filter(|item| *item != NONE);
        items.map(read).collect()
    }

    fn end(&mut self) -> Option<()> {
        self.0.next().is_none().then_some(())
    }

    fn manner(&mut self) -> Option<Manner> {
        let leave = match self.key::<String>("end")?.as_str() {
            "terminate" => false,
            "leave" => true,
            _ => return None,
        };
        Some(Manner { leave, grace: Length::from_seconds(self.key("grace")?)? })
    }
}

fn manner_text(manner: Manner) -> String {
    let end = if manner.leave { "leave" } else { "terminate" };
    format!("end={end} grace={}", manner.grace.seconds())
}

fn listed<T: Display>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    if items.is_empty() { NONE.to_owned() } else { items.join(",") }
}

fn processes(all: &[Process]) -> String {
    listed(all.iter().map(|one| format!("{}:{}", one.pid, one.started)))
}

fn process(text: &str) -> Option<Process> {
    let (pid, started) = text.split_once(':')?;
    Some(Process { pid: pid.parse().ok()?, started: started.parse().ok()? })
}

/// To the microsecond: what is read back is what was written.
fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.micros())
        .map_or_else(|_| at.to_string(), |time| format!("{time:.6}"))
}

/// Whether somebody has changed the line by accident; it keeps nobody from doing so on purpose.
pub(super) fn sum(line: &str) -> String {
    let digest = Sha256::digest(line.as_bytes());
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Applied {
        let mut applied = Applied {
            mark: Some(Mark {
                boot_id: "b-1".to_owned(),
                at: Moment { wall: Timestamp::from_micros(1_764_579_600_123_456), boot: 77 },
            }),
            rules_taken: true,
            ..Applied::default()
        };
        let grant = |text: &str| text.parse::<stint_proto::GrantId>().unwrap();
        for id in ["g4t9", "k2mf"] {
            let wall = Timestamp::from_micros(1_764_579_600_123_457);
            let until = Kept { deadline: Deadline { wall, boot: 99 }, boot_id: "b-1".to_owned() };
            let held = Held {
                user: "alice".parse().unwrap(),
                uid: Uid(1000),
                role: "admin".parse().unwrap(),
                until,
                manner: Manner { leave: id == "k2mf", ..Manner::default() },
            };
            applied.grants.insert(grant(id), held);
        }
        let carried = vec![Process { pid: 5, started: 7 }, Process { pid: 6, started: 8 }];
        for (group, grants, carried) in [
            ("docker", vec![grant("g4t9"), grant("k2mf")], carried.clone()),
            ("adm", vec![], vec![]),
        ] {
            let (user, group) = ("alice".parse().unwrap(), group.parse().unwrap());
            let membership = Membership { user, group, backend: Backend::Files };
            let given = Given { grants: grants.into_iter().collect(), carried };
            applied.members.insert(membership, given);
        }
        let login = Group::parse("/user.slice/user-1000.slice/session-3.scope").unwrap();
        applied.sessions.insert((grant("g4t9"), Spot::Group(login)));
        applied.sessions.insert((grant("k2mf"), Spot::Process(Process { pid: 9, started: 1 })));
        let of = EvictionOf::Sessions {
            grant: grant("z9"),
            role: "admin".parse().unwrap(),
            uid: Uid(7),
        };
        applied.owe(of, "bob".parse().unwrap(), Vec::new(), Manner::default());
        let of = EvictionOf::Group { group: "docker".parse().unwrap(), uid: Some(Uid(7)) };
        applied.owe(of, "bob".parse().unwrap(), carried, Manner::default());
        applied
    }

    #[test]
    fn what_is_written_is_read_back() {
        for applied in [Applied::default(), sample()] {
            assert_eq!(parse(&render(&applied)), (applied, Vec::new()));
        }
    }

    #[test]
    fn a_torn_or_edited_line_is_seen_and_the_others_count() {
        let text = render(&sample());
        let all = sample();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            for bad in [line[..line.len() / 2].to_owned(), line.replacen('e', "f", 1)] {
                if bad == line {
                    continue;
                }
                let (read, problems) = parse(&text.replacen(line, &bad, 1));
                assert!(problems.iter().any(|problem| problem.line == number + 1), "{bad}");
                let lost =
                    all.grants.len() + all.members.len() + all.sessions.len() + all.owed.len()
                        - read.grants.len()
                        - read.members.len()
                        - read.sessions.len()
                        - read.owed.len();
                assert!(lost <= 1, "{bad}: {problems:?}");
                // Whoever writes the rest again keeps it: it stands for something that was given.
                let (again, problems) = parse(&render(&read));
                assert_eq!(again, read);
                assert_eq!(problems.is_empty(), read.unread.is_empty(), "{bad}: {problems:?}");
            }
        }
    }

    #[test]
    fn a_list_that_was_cut_off_at_a_line_is_seen() {
        let text = render(&sample());
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for kept in 0..lines.len() {
            let (_, problems) = parse(&lines[..kept].concat());
            assert!(!problems.is_empty(), "{kept} lines");
        }
    }

    #[test]
    fn hostile_text_is_no_item_whatever_its_sum() {
        let hostile = [
            "member root group=shadow backend=files grants=- carried=-\nmember x",
            "member ../../etc group=x backend=files grants=- carried=-",
            "member alice group=a:b backend=files grants=- carried=-",
            "member alice group=adm backend=nis grants=- carried=-",
            "member alice group=adm backend=files grants=- carried=- more",
            "grant g4t9 user=alice uid=-1 role=admin until=never boot=b at=1 end=terminate grace=1",
            "session g4t9 group=/../..",
            "session g4t9 group=/",
            "owed-sessions g4t9 user=alice uid=0 role=admin end=kill grace=1",
            "owed-carriers alice group=adm carried=-1 end=terminate grace=1",
            "format /dev/sda",
        ];
        for line in hostile {
            let (read, problems) =
                parse(&format!("{line} #{}\nend 1 #{}\n", sum(line), sum("end 1")));
            let nothing = Applied { unread: read.unread.clone(), ..Applied::default() };
            assert_eq!(read, nothing, "{line}");
            assert!(!problems.is_empty(), "{line}");
        }
    }
}
