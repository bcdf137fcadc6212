//! What a terminal shows after what a program wrote to it: just enough of one for full-screen
//! programs, with the other screen that they take and give back. Looks are left out.

/// Lines of cells, each with one letter.
type Cells = Vec<Vec<char>>;
/// A line and a column, from 0.
type Place = (usize, usize);

/// A terminal's screens, the one that is shown and the one behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    shown: Cells,
    behind: Option<(Cells, Place)>,
    at: Place,
    rest: String,
}

impl Screen {
    /// An empty one.
    #[must_use]
    pub fn new(lines: usize, columns: usize) -> Self {
        Self {
            shown: vec![vec![' '; columns]; lines],
            behind: None,
            at: (0, 0),
            rest: String::new(),
        }
    }

    /// Its lines, without the blanks at their ends.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let line = |cells: &Vec<char>| cells.iter().collect::<String>().trim_end().to_owned();
        self.shown.iter().map(line).collect()
    }

    /// Whether a program has taken the screen and not given it back.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.behind.is_some()
    }

    /// Takes in what was written. A sequence that is cut off waits for its end.
    ///
    /// # Panics
    /// At a sequence that moves or erases in a way which is not known here.
    pub fn write(&mut self, text: &str) {
        self.rest.push_str(text);
        let all = std::mem::take(&mut self.rest);
        let mut rest = all.as_str();
        while let Some(first) = rest.chars().next() {
            if first != '\x1b' {
                self.put(first);
                rest = &rest[first.len_utf8()..];
                continue;
            }
            let Some(length) = sequence(rest) else { break };
            self.obey(&rest[1..length]);
            rest = &rest[length..];
        }
        rest.clone_into(&mut self.rest);
    }

    fn put(&mut self, letter: char) {
        match letter {
            '\r' => self.at.1 = 0,
            '\n' if self.at.0 + 1 < self.shown.len() => self.at.0 += 1,
            '\n' => {
                let first = self.shown.remove(0);
                self.shown.push(vec![' '; first.len()]);
            }
            '\x08' => self.at.1 = self.at.1.saturating_sub(1),
            letter if letter.is_control() => {}
            letter => {
                let (line, column) = self.at;
                if let Some(cell) = self.shown[line].get_mut(column) {
                    *cell = letter;
                }
                self.at.1 += 1;
            }
        }
    }

    fn obey(&mut self, sequence: &str) {
        let Some(body) = sequence.strip_prefix('[') else { return };
        let (words, what) = body.split_at(body.len() - 1);
        let number = |at: usize, otherwise: usize| {
            let word = words.split(';').nth(at).unwrap_or_default();
            word.parse().unwrap_or(otherwise)
        };
        match what {
            "H" => {
                let last = (self.shown.len() - 1, self.shown[0].len() - 1);
                self.at = ((number(0, 1) - 1).min(last.0), (number(1, 1) - 1).min(last.1));
            }
            "J" if number(0, 0) == 2 => self.shown.iter_mut().for_each(|line| line.fill(' ')),
            "K" if number(0, 0) == 0 => {
                let (line, column) = self.at;
                self.shown[line].iter_mut().skip(column).for_each(|cell| *cell = ' ');
            }
            "h" if words == "?1049" => {
                let blank = vec![vec![' '; self.shown[0].len()]; self.shown.len()];
                self.behind = Some((std::mem::replace(&mut self.shown, blank), self.at));
            }
            "l" if words == "?1049" => {
                if let Some((shown, at)) = self.behind.take() {
                    (self.shown, self.at) = (shown, at);
                }
            }
            // Looks, modes and questions.
            "m" | "h" | "l" | "n" | "c" | "u" | "t" | "q" => {}
            _ => panic!("a terminal of the tests does not know {sequence:?}"),
        }
    }
}

/// How long the sequence is with which the text begins; `None` where it is cut off.
fn sequence(text: &str) -> Option<usize> {
    let kind = text[1..].chars().next()?;
    if kind != '[' {
        return Some(1 + kind.len_utf8());
    }
    text[2..].find(|letter: char| ('@'..='~').contains(&letter)).map(|end| end + 3)
}

#[cfg(test)]
mod tests {
    use super::Screen;

    #[test]
    fn a_program_takes_the_screen_and_gives_it_back() {
        let mut screen = Screen::new(3, 10);
        screen.write("one\r\ntwo");
        let before = screen.clone();
        screen.write("\x1b[?1049h\x1b[2J\x1b[2;3H\x1b[1mbo");
        screen.write("ard\x1b[");
        screen.write("0m\x1b[1;1Hx");
        assert!(screen.is_taken());
        assert_eq!(screen.lines(), ["x", "  board", ""]);
        screen.write("\x1b[2;4H\x1b[K");
        assert_eq!(screen.lines(), ["x", "  b", ""]);
        screen.write("\x1b[?1049l");
        assert_eq!(screen, before);
        screen.write("\r\nthree\r\nfour");
        assert_eq!(screen.lines(), ["two", "three", "four"]);
    }
}
