//! Following one address: what is asked, what becomes of what came, how long to wait, and what is
//! told to whom. Pure: time, chance and results come in as values; it fetches and says nothing.

mod pace;

use std::time::Duration;

use stint_proto::Length;

use pace::Pace;

/// After so long a whole document is asked for although nothing seems new: stintd may have lost it.
const ANEW: Duration = Duration::from_secs(3600);
/// A trouble that lasts is reported to stintd again after so long.
const REPORT_AGAIN: Duration = Duration::from_secs(3600);
/// The most characters of an ETag; a longer one is not remembered.
const TAG_LIMIT: usize = 256;

/// What a server calls a version of a document (RFC 9110, ETag).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(String);

impl Tag {
    /// Takes it as a header has it, if it can be sent back.
    pub fn new(header: &str) -> Option<Self> {
        let fits = header.len() <= TAG_LIMIT
            && header.bytes().all(|byte| byte.is_ascii_graphic())
            && header.trim_start_matches("W/").len() >= 2
            && header.trim_start_matches("W/").starts_with('"')
            && header.ends_with('"');
        fits.then(|| Self(header.to_owned()))
    }

    /// As the server wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// A document.
    New {
        /// As it came; never empty.
        document: Vec<u8>,
        /// What the server calls it.
        tag: Option<Tag>,
    },
    /// The one of the tag that was sent is still the newest.
    Unchanged,
}

/// What stintd made of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in force now; stintd's words for it.
    Taken(String),
    /// It was in force already.
    Known,
    /// It counts for nothing, and why.
    Refused(String),
    /// stintd could not judge it, and why; it may be offered again as it is.
    Failed(String),
    /// stintd did not say, and why.
    Away(String),
}

/// How one look ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing came, and why.
    Failed(String),
    /// Nothing new.
    Unchanged,
    /// Something came, and this is what stintd made of it.
    Delivered {
        /// What the server calls it.
        tag: Option<Tag>,
        /// What stintd made of it.
        outcome: Outcome,
    },
}

/// What is told of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tidings {
    /// What came of it, in one line.
    pub line: String,
    /// Whether that is another thing than the time before: only then is it logged.
    pub news: bool,
    /// Whether stintd holds what the server has.
    pub well: bool,
    /// What stintd is told of the source: empty if it answers.
    pub report: Option<String>,
}

/// What is known of one address.
#[derive(Clone, Debug)]
pub struct Follower {
    pace: Pace,
    /// What stintd has taken, and when.
    held: Option<(Tag, Duration)>,
    /// The trouble that was told last and is not over.
    trouble: Option<String>,
    /// What stintd was told of it, and when.
    reported: Option<(String, Duration)>,
}

impl Follower {
    /// Nothing is known yet.
    pub fn new(every: Length) -> Self {
        Self {
            pace: Pace::new(Duration::from_secs(every.seconds())),
            held: None,
            trouble: None,
            reported: None,
        }
    }

    /// The tag to send: only of what stintd has taken, and not for ever.
    pub fn tag(&self, now: Duration) -> Option<&Tag> {
        let (tag, since) = self.held.as_ref()?;
        (now.saturating_sub(*since) < ANEW).then_some(tag)
    }

    /// Takes note of how a look ended.
    pub fn ended(&mut self, end: End, now: Duration) -> Tidings {
        match end {
            End::Failed(why) => {
                self.pace.missed();
                let report = self.report(&why, now);
                Tidings { report, ..self.bad(why) }
            }
            End::Unchanged => {
                self.pace.went_well();
                self.reported = None;
                let report = Some(String::new());
                Tidings { report, ..self.good("nothing new".to_owned(), false) }
            }
            End::Delivered { tag, outcome } => self.delivered(tag, outcome, now),
        }
    }

    /// stintd knows of a document that was handed to it; it is told no more.
    fn delivered(&mut self, tag: Option<Tag>, outcome: Outcome, now: Duration) -> Tidings {
        // Whoever does not answer may have forgotten what it held.
        self.held = None;
        match outcome {
            Outcome::Taken(words) => {
                self.took(tag, now);
                self.good(format!("taken: {words}"), true)
            }
            Outcome::Known => {
                self.took(tag, now);
                self.good("nothing new".to_owned(), false)
            }
            Outcome::Refused(why) => {
                self.pace.missed();
                self.reported = None;
                self.bad(format!("stintd refuses it: {why}"))
            }
            Outcome::Failed(why) | Outcome::Away(why) => {
                self.pace.not_delivered();
                self.bad(format!("fetched, and not handed over: {why}"))
            }
        }
    }

    fn took(&mut self, tag: Option<Tag>, now: Duration) {
        self.pace.went_well();
        self.reported = None;
        self.held = tag.map(|tag| (tag, now));
    }

    fn good(&mut self, line: String, news: bool) -> Tidings {
        let over = self.trouble.take().is_some();
        let line = if over && !news { "it is well again".to_owned() } else { line };
        Tidings { line, news: news || over, well: true, report: None }
    }

    fn bad(&mut self, line: String) -> Tidings {
        let news = self.trouble.as_ref() != Some(&line);
        self.trouble = Some(line.clone());
        Tidings { line, news, well: false, report: None }
    }

    /// What stintd is told of a trouble: once, and again while it lasts.
    fn report(&mut self, why: &str, now: Duration) -> Option<String> {
        if let Some((told, at)) = &self.reported
            && told == why
            && now.saturating_sub(*at) < REPORT_AGAIN
        {
            return None;
        }
        self.reported = Some((why.to_owned(), now));
        Some(why.to_owned())
    }

    /// stintd did not hear a report: it is made again, and stintd may have forgotten what it held.
    pub fn not_heard(&mut self) {
        self.held = None;
        self.reported = None;
    }

    /// How long to wait until the next look. `chance` is any number, all of them alike likely.
    pub fn pause(&self, chance: u32) -> Duration {
        self.pace.pause(chance)
    }
}

/// How long to wait before the very first look, so that hosts which start together do not ask
/// together. `chance` is any number, all of them alike likely.
pub fn first_pause(chance: u32) -> Duration {
    Duration::from_millis(u64::from(chance % 5_000))
}

#[cfg(test)]
mod tests;
