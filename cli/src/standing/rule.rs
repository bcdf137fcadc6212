//! Rules of sudo made comments, and made rules again: on the text of a file, line by line.

/// What stands before each line of a rule that was adopted.
pub const MARK: &str = "# stint standing: ";

/// The file without this rule, which begins at that line (from 1) and reads like this; `None` if it
/// does not.
pub fn commented(text: &str, line: u32, rule: &str) -> Option<String> {
    let first = usize::try_from(line).ok()?.checked_sub(1)?;
    let wanted: Vec<&str> = rule.split('\n').collect();
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let found = lines.get_mut(first..first.checked_add(wanted.len())?)?;
    if found.iter().map(String::as_str).ne(wanted.iter().copied()) {
        return None;
    }
    for line in found {
        line.insert_str(0, MARK);
    }
    Some(lines.join("\n"))
}

/// The file with every rule that was adopted in it again.
pub fn uncommented(text: &str) -> String {
    let lines = text.split('\n').map(|line| line.strip_prefix(MARK).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_goes_and_comes_back_to_the_byte_and_another_is_left_alone() {
        let text = "# x\nalice ALL=\\\n  ALL\n\nbob ALL=ALL";
        let without = commented(text, 2, "alice ALL=\\\n  ALL").unwrap();
        assert_eq!(
            without,
            "# x\n# stint standing: alice ALL=\\\n# stint standing:   ALL\n\nbob ALL=ALL"
        );
        assert_eq!(uncommented(&without), text);
        assert_eq!(
            commented(text, 5, "bob ALL=ALL").map(|t| uncommented(&t)).as_deref(),
            Some(text)
        );
        for (line, rule) in
            [(1, "alice ALL=\\"), (2, "alice ALL=ALL"), (5, "bob ALL=ALL\n"), (9, "x"), (0, "")]
        {
            assert_eq!(commented(text, line, rule), None, "{line}");
        }
    }
}
