//! What changed on a host while grants were held, in a table and in a line.

use stint_proto::{Finding, Grant, Residue};

use super::table::table;

/// How many things of one grant are named, and how many lines there are at the most.
const NAMED: usize = 10;
const LINES: usize = 100;

/// What changed while these grants were held; nothing where nothing is known to have.
pub fn changes(grants: &[Grant]) -> Option<String> {
    let mut rows = Vec::new();
    let mut unnamed = 0;
    for grant in grants {
        let Some(residue) = &grant.residue else { continue };
        let room = NAMED.min(LINES.saturating_sub(rows.len()));
        let named = residue.found.iter().take(room);
        rows.extend(named.map(|one| {
            let (change, kind) = (one.change.to_string(), one.kind.to_string());
            vec![grant.id.to_string(), change, kind, place(one)]
        }));
        unnamed += more(residue, room);
    }
    if rows.is_empty() {
        return None;
    }
    let mut text = format!(
        "Changed on this host while grants were held, by whomever:\n{}",
        table(&["GRANT", "CHANGE", "WHAT", "WHERE"], &rows)
    );
    if unnamed > 0 {
        text.push_str(&format!("\n  and {unnamed} more:  stint list --all --json"));
    }
    Some(text)
}

/// The same of one grant, in a line.
pub fn in_a_line(residue: &Residue) -> String {
    let named = residue.found.iter().take(NAMED);
    let named = named.map(|one| format!("{} {} {}", one.change, one.kind, place(one)));
    let mut parts: Vec<String> = named.collect();
    match more(residue, NAMED) {
        0 => {}
        more => parts.push(format!("and {more} more")),
    }
    if parts.is_empty() {
        parts.push("nothing that stint can see".to_owned());
    }
    if residue.late {
        parts.push("looked at only after it began".to_owned());
    }
    parts.extend(residue.unseen.iter().map(|line| format!("not looked at: {line}")));
    parts.join("; ")
}

fn place(one: &Finding) -> String {
    if one.entry.is_empty() { one.path.clone() } else { format!("{}: {}", one.path, one.entry) }
}

/// How much is not among the first of what was found.
fn more(residue: &Residue, named: usize) -> usize {
    let count = usize::try_from(residue.count).unwrap_or(usize::MAX);
    count.saturating_sub(residue.found.len().min(named))
}

#[cfg(test)]
mod tests {
    use stint_proto::{ResidueChange, ResidueKind};

    use super::*;
    use crate::look::grants::tests::example;

    fn residue(count: usize) -> Residue {
        let finding = |number: usize| Finding {
            kind: ResidueKind::Sudo,
            path: format!("/etc/sudoers.d/{number}\n\u{1b}[2J"),
            entry: String::new(),
            change: ResidueChange::New,
        };
        Residue {
            since: "2026-11-23T14:02:00Z".parse().unwrap(),
            late: false,
            until: "2026-11-23T14:32:00Z".parse().unwrap(),
            files: 900,
            micros: 4_000,
            count: u32::try_from(count).unwrap(),
            found: (0..count.min(20)).map(finding).collect(),
            unseen: Vec::new(),
        }
    }

    fn shown(residue: Option<Residue>) -> Option<String> {
        let changed = changes(&[Grant { residue, ..example() }]);
        changed.map(|text| anstream::adapter::strip_str(&text).to_string())
    }

    #[test]
    fn what_changed_is_named_and_moves_no_cursor() {
        assert_eq!(shown(None), None);
        assert_eq!(shown(Some(residue(0))), None);
        assert_eq!(
            shown(Some(residue(1))).unwrap(),
            "Changed on this host while grants were held, by whomever:\n  \
               GRANT  CHANGE  WHAT  WHERE\n  \
               g4t9   new     sudo  /etc/sudoers.d/0\\n\\u{1b}[2J"
        );
        let many = shown(Some(residue(300))).unwrap();
        assert!(many.ends_with("\n  and 290 more:  stint list --all --json"), "{many}");
    }

    #[test]
    fn one_line_says_what_was_not_seen_too() {
        assert_eq!(in_a_line(&residue(0)), "nothing that stint can see");
        let mut of = residue(1);
        of.late = true;
        of.unseen = vec!["/home/bob: it is on nfs".to_owned()];
        assert!(
            in_a_line(&of).ends_with(
                "; looked at only after it began; not looked at: /home/bob: it is on nfs"
            )
        );
    }
}
