//! stintd(8).

use stint_proto::{BUS_NAME, PAM_SOCKET, POLICY_FILE, SIGNERS_FILE, STATE_DIR, SUDO_RULE_FILE};

use super::roff::Page;

/// The page.
pub fn page() -> String {
    let mut page = Page::new("stintd", 8, "holds the grants of a host, and ends them in time");
    page.heading("SYNOPSIS");
    page.example("stintd\nstintd --end-all REASON\nstintd --sweep\nstintd --help | --version");
    page.heading("DESCRIPTION");
    page.text(
        "stintd decides for pam_stint(8) who gets in, and does for stint(1) what root orders. A \
         grant is recorded durably first; then its end is armed, then its memberships and sudo \
         rules are applied. At the end they are taken back. Only what stint added is taken back, \
         with the last grant that needs it. It is started by systemd, by its service or its \
         socket.",
    );
    page.text(
        "A deadline is kept on the wall clock and on the boot clock, whichever comes first: a \
         clock that is set back lengthens no grant. What cannot be taken back now, such as a \
         membership in a locked file, is tried again until it is done, and is an alarm in stint \
         status and stint doctor until then.",
    );
    page.text(
        "What an administrator changes by hand stands. A membership or a rule file that was taken \
         away is not given again to the grants that run, an edit of the rule file stays until the \
         next change of grants, and both are recorded and shown by stint doctor. An account that is \
         deleted, renamed or re-numbered holds nothing any more.",
    );
    page.heading("OPTIONS");
    page.term(
        "--end-all REASON",
        "End every grant, take back everything, and exit. Only while stintd is stopped; the \
         package's removal does this. Where the state cannot be used, by the list alone.",
    );
    page.term(
        "--sweep",
        "Take back what is over, by the list of what was given, and exit; where a stintd runs, \
         nothing is done. What cannot be taken back is named, with status 1.",
    );
    page.term("--help, --version", "Say how it is called, or which version it is, and exit.");
    page.heading("WITHOUT STINTD");
    page.text(
        "What is given on this host is listed in /var/lib/stint/applied: written before it is \
         given, struck out after it was taken back, gone when nothing is given. While there is a \
         list, stint-sweep.path has stint-sweep.timer run stintd --sweep every minute; \
         stint-sweep.service runs it at boot too, before anybody can log in. So what is over is \
         taken back although stintd is dead, masked, or without its database: rules, memberships, \
         tickets, sessions. What still runs keeps what it has, until its own end.",
    );
    page.text("Each line of the list is one item, its last word a sum over the rest:");
    page.term("clock", "When it was written, and in which boot.");
    page.term(
        "grant ID",
        "A grant that runs: whose, until when by the wall clock (until) and by \
         the boot clock in microseconds (at, in that boot), how it ends what runs under it.",
    );
    page.term(
        "member USER",
        "A membership that stint has added: to which group, how, by which \
         grants, and which processes had the group before.",
    );
    page.term(
        "session ID",
        "A session under this grant that its control group's name does not \
         tell of.",
    );
    page.term("owed-sessions, owed-carriers", "What is still to be ended of what is over.");
    page.term("rules taken", "stint-sweep had to remove all sudo rules; stintd gives them back.");
    page.text(
        "In an emergency, by hand: take each member out of its group (gpasswd -d USER GROUP, or \
         rm /run/userdb/USER:GROUP.membership), and remove /etc/sudoers.d/stint and \
         /etc/polkit-1/rules.d/40-stint.rules. A line that is \
         torn or was edited counts no more, is named at every run, and stays until stintd writes \
         the list anew.",
    );
    page.heading("SIGNALS");
    page.term("SIGHUP", "Reads the policy again, as stint reload does.");
    page.term("SIGTERM", "Ends; grants stay in the state and end in time when it runs again.");
    page.heading("RECORD");
    page.text(
        "Every decision is one entry in the journal with the identifier stintd and the fields \
         STINT_EVENT, STINT_DECISION, STINT_USER, STINT_UID, STINT_ROLE, STINT_GRANT, \
         STINT_ACTOR, STINT_SERVICE, STINT_REASON and STINT_TICKET; where there is no journal, \
         one line to /dev/log. To read it:",
    );
    page.example("journalctl -t stintd\njournalctl -t stintd STINT_EVENT=check.denied -x");
    page.text(
        "Where the kernel's audit is on, grants, their ends and memberships are there too, as \
         ROLE_ASSIGN, ROLE_REMOVE and USER_MGMT. To read them:",
    );
    page.example("ausearch -i -m ROLE_ASSIGN,ROLE_REMOVE,USER_MGMT");
    page.heading("FILES");
    for (path, what) in [
        (POLICY_FILE, "The policy: stint-policy(5)."),
        (
            SIGNERS_FILE,
            "Who may sign documents for this host, and which (policy@stint, grant@stint, \
             revocation@stint): ALLOWED SIGNERS in ssh-keygen(1). Root's, and writable by nobody \
             else. What a signed document may do is in [remote] of the policy.",
        ),
        (STATE_DIR, "The state, root's alone."),
        ("/var/lib/stint/applied", "The list of what is given, for stint-sweep and for people."),
        (
            "/var/lib/stint/checkpoint.key",
            "By what checkpoints of the record are signed, where the policy has them signed \
             (audit.sign); made if it is not there. Root's, and readable by nobody else: others \
             are not used. stint audit key prints the public half.",
        ),
        (PAM_SOCKET, "Where pam_stint(8) asks, root's alone."),
        (SUDO_RULE_FILE, "The sudo rules of active grants; replaced whole, after visudo -c."),
        (BUS_NAME, "Its name on the system bus."),
    ] {
        page.term(path, what);
    }
    page.finish(
        "stint(1), stint-sync(8), pam_stint(8), stint-policy(5), sudoers(5), journalctl(1), ausearch(8)",
    )
}
