//! pam_stint(8).

use stint_proto::MODULE_FILE;

use super::roff::Page;

/// The module's options, as its page tells them.
const OPTIONS: [(&str, &str); 4] = [
    (
        "timeout=SECONDS",
        "How long stintd may take to answer before the module denies: 1 to 60, 3 if not given.",
    ),
    ("quiet", "Tell the person nothing."),
    (
        "prompt",
        "Ask the person for what is missing there and then. Accepted, and not in effect yet.",
    ),
    ("debug", "Log every step to the system log."),
];

/// The page.
pub fn page() -> String {
    let mut page = Page::new("pam_stint", 8, "lets in who holds a grant");
    page.heading("SYNOPSIS");
    let options = OPTIONS.map(|(name, _)| format!("[{name}]")).join(" ");
    page.example(&format!(
        "account requisite {MODULE_FILE} {options}\nsession optional {MODULE_FILE} {options}"
    ));
    page.heading("DESCRIPTION");
    page.text(
        "In the account phase the module asks stintd(8) whether an active grant opens this \
         service for this person, and denies if not. The account phase also runs where no \
         password is asked for. In the session phase it reports sessions. Root passes always, \
         without a question. Everything else that goes wrong denies: no daemon, no answer in \
         time, an answer that makes no sense, an option that is not known.",
    );
    page.text(
        "For sudo, su and doas the person is who typed the command, as the kernel knows them; \
         for logins it is who logs in. Nothing in the environment has any influence.",
    );
    page.text(
        "Let stint(1) write the lines: they belong before every other account rule, and a line \
         before them that may end the stack would go past them.",
    );
    page.example("stint gate on sudo --dry-run\nstint gate on sudo");
    page.heading("OPTIONS");
    for (name, meaning) in OPTIONS {
        page.term(name, meaning);
    }
    page.heading("RETURN VALUES");
    page.term("PAM_SUCCESS", "A grant is active that opens the service; or root.");
    page.term("PAM_PERM_DENIED", "In every other case.");
    page.finish("stint(1), stintd(8), stint-policy(5), pam.conf(5), pam_succeed_if(8)")
}
