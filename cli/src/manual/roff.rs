//! A man page being written: headings, paragraphs, terms. Escapes what roff would read.

/// A page.
#[derive(Clone, Debug)]
pub struct Page(String);

/// The text as roff prints it.
pub fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let lines = text.lines().map(|line| {
        if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
    });
    lines.collect::<Vec<_>>().join("\n")
}

impl Page {
    /// A page of this name and section.
    pub fn new(name: &str, section: u8, what: &str) -> Self {
        let title = name.to_uppercase();
        let version = env!("CARGO_PKG_VERSION");
        let mut page =
            Self(format!(".TH \"{title}\" {section} \"\" \"stint {version}\" \"stint\"\n"));
        page.heading("NAME");
        page.0.push_str(&format!("{} \\- {}\n", escape(name), escape(what)));
        page
    }

    /// A section.
    pub fn heading(&mut self, text: &str) {
        self.0.push_str(&format!(".SH \"{}\"\n", escape(text)));
    }

    /// A section within a section.
    pub fn subheading(&mut self, text: &str) {
        self.0.push_str(&format!(".SS \"{}\"\n", escape(text)));
    }

    /// A paragraph.
    pub fn text(&mut self, text: &str) {
        self.0.push_str(&format!(".PP\n{}\n", escape(text)));
    }

    /// A term and what it means.
    pub fn term(&mut self, term: &str, meaning: &str) {
        self.0.push_str(&format!(".TP\n\\fB{}\\fR\n{}\n", escape(term), escape(meaning)));
    }

    /// Lines as they are.
    pub fn example(&mut self, text: &str) {
        self.0.push_str(&format!(".PP\n.nf\n.RS\n{}\n.RE\n.fi\n", escape(text)));
    }

    /// What is roff already.
    pub fn raw(&mut self, roff: &str) {
        self.0.push_str(roff);
    }

    /// The page with its last section.
    pub fn finish(mut self, see_also: &str) -> String {
        self.heading("SEE ALSO");
        self.0.push_str(&escape(see_also));
        self.0.push('\n');
        self.0
    }
}
