//! The page of an access review, looked at in a real browser: whole at any width, in light and in
//! dark, on paper; it asks the network for nothing and runs nothing, whatever somebody typed.
//!
//! What it looks like is for people: the pictures are in `target/review/`.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use stint_tests::{Browser, Host, Suite};

use crate::common::builder;
use crate::workflow::{approve, call, pending, text};

const POLICY: &str = r#"
[approvals]
authenticate = false

[roles.admin]
sudo = [{ run_as = "root", commands = ["ALL"] }]
eligible = ["alice", "%staff"]
approvers = ["bob"]

[roles.containers]
groups = ["games"]
eligible = ["bob", "carol"]
approvals = 0

[roles.rescue]
groups = ["video"]
eligible = ["alice", "carol"]
approvers = ["bob"]
break_glass = true
"#;

/// Where the pictures are.
fn folder() -> PathBuf {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let folder = target.map_or_else(|| top.join("target"), |target| top.join(target));
    let folder = folder.join("review");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// What somebody could type to be more than text.
const HOSTILE: [&str; 4] = [
    "\"><img src=x onerror=alert(1)><script>alert(2)</script>",
    "</title></svg></td><style>*{display:none}</style>&lt;&amp;",
    "\u{202e}rtl\u{2066} \u{200b}hidden\u{1b}[2J",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
];

/// A quarter of a year of grants, which no test can wait for, after half a year of older ones: more
/// than one answer holds.
fn a_quarter(host: &Host) {
    host.ok("systemctl stop stintd.socket stintd.service");
    let state = Connection::open(host.root().join("var/lib/stint/state.sqlite")).unwrap();
    let now: i64 = host.ok("date +%s").trim().parse().unwrap();
    let people = [("alice", 1000), ("bob", 1001), ("carol", 1002)];
    let ends = ["expired", "dropped", "revoked", "policy", "expired"];
    for number in 0..640_i64 {
        let at = usize::try_from(number).unwrap();
        let (user, uid) = people[at % 3];
        let (role, origin) = match at % 7 {
            0 | 3 => ("containers", "admin"),
            5 if at % 5 == 0 => ("rescue", "break-glass"),
            6 => ("containers", "policy"),
            _ => ("admin", "request"),
        };
        let back = match number {
            0..400 => 280 * 86_400 - number * 40_000,
            later => 89 * 86_400 - (later - 400) * 31_000,
        };
        let start = (now - back) * 1_000_000;
        let end = start + (1 + number % 9) * 2_400_000_000;
        let id: String = format!("{number:04}")
            .bytes()
            .map(|d| char::from(b"abcdefghjk"[usize::from(d - b'0')]))
            .collect();
        let reason = match at % 40 {
            0 => HOSTILE[at / 40 % HOSTILE.len()],
            _ => "the disk of the database is full again, and the logs have to go somewhere",
        };
        let request = (origin == "request").then(|| format!("r{id}"));
        state.execute(
            "INSERT INTO grants (id, user, uid, role, state, starts_at, expires_at, boot_id, boot_deadline,
                ended_at, end_reason, origin, reason, ticket, granted_by, request, approvals)
             VALUES (?1, ?2, ?3, ?4, 'ended', ?5, ?6, 'b', 0, ?6, ?7, ?8, ?9, ?10, ?11, ?12, '[]')",
            params![id, user, uid, role, start, end, ends[at % 5], origin, reason,
                (at % 3 == 0).then(|| format!("CHG-{number}")), if origin == "policy" { "policy" } else { "root" }, request],
        ).unwrap();
        let Some(request) = request else { continue };
        let approvals = format!(
            "[{{\"user\":\"bob\",\"uid\":1001,\"at\":{},\"note\":null}}]",
            start - 60_000_000
        );
        state.execute(
            "INSERT INTO requests VALUES (?1, ?2, ?3, ?4, 'approved', 3600, NULL, ?5, NULL, NULL, ?6, ?6, '[]',
                '{}', ?7, ?8, 'bob', NULL, ?9)",
            params![request, user, uid, role, reason, start - 120_000_000, approvals, start, id],
        ).unwrap();
    }
    drop(state);
    host.ok("systemctl start stintd.socket stintd.service");
}

/// A host that has been lived in, with its page at a path of the machine.
fn a_page(host: &Host) -> PathBuf {
    host.ok("usermod -aG staff bob");
    a_quarter(host);
    for reason in HOSTILE {
        let reason = reason.replace('\u{1b}', "");
        let quoted = format!("'{reason}'");
        let entries: &[_] = &[("role", "s", "admin"), ("reason", "s", quoted.as_str())];
        let asked = call(host, "alice", "Request", entries).unwrap();
        approve(host, "bob", &asked).unwrap();
        call(host, "alice", "Drop", &[]).unwrap();
        let word =
            format!("stint review {} --attest keep --note {quoted}", text(&approved(host), "id"));
        host.ok(&word);
    }
    pending(host, "alice", "admin");
    host.ok("stint grant carol containers --for 1h --reason 'for the pictures'");
    host.ok(
        "umask 000; mkdir -m 0755 /root/pages; cd /root/pages; stint review --html review.html",
    );
    host.root().join("root/pages/review.html")
}

/// The last grant of alice's.
fn approved(host: &Host) -> serde_json::Value {
    let all = crate::common::document(&host.ok("stint list --all --user alice --json"));
    all.as_array().unwrap().last().unwrap().clone()
}

/// What must hold of the page at any size: no text is lost beside it, or too faint, or too small.
const WHOLE: &str = r"(() => {
    const wrong = [];
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    if (wide > 0) wrong.push('the page is ' + wide + ' px too wide');
    const channel = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    const parse = c => c.match(/[\d.]+/g).map(Number);
    const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
    const behind = e => {
        for (; e; e = e.parentElement) {
            const c = parse(getComputedStyle(e).backgroundColor);
            if (c.length < 4 || c[3] > 0) return c;
        }
        return [255, 255, 255];
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const e = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || ['STYLE', 'TITLE', 'DESC', 'title', 'desc'].includes(e.tagName)) continue;
        const s = getComputedStyle(e), box = e.getBoundingClientRect();
        if (s.display === 'none' || !box.width) continue;
        const ink = light(parse(e.ownerSVGElement ? s.fill : s.color)), paper = light(behind(e));
        const contrast = (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05);
        const what = e.tagName + ' ' + walker.currentNode.data.trim().slice(0, 30);
        if (contrast < 4.5) wrong.push('contrast ' + contrast.toFixed(2) + ': ' + what);
        if (parseFloat(s.fontSize) < 12) wrong.push('too small: ' + what);
        if (box.right > innerWidth + 1 && !e.closest('.skip, thead')) wrong.push('beyond the edge: ' + what);
    }
    return wrong.slice(0, 20);
})()";

/// What who cannot see the page is told of it.
const TOLD: &str = r"(() => {
    const wrong = [];
    const all = s => [...document.querySelectorAll(s)];
    if (document.documentElement.lang !== 'en') wrong.push('no language');
    for (const one of ['header', 'nav', 'main', 'footer', 'h1'])
        if (all(one).length !== 1) wrong.push(all(one).length + ' of ' + one);
    let before = 0;
    for (const h of all('h1,h2,h3,h4')) {
        const level = +h.tagName[1];
        if (level > before + 1) wrong.push('heading out of order: ' + h.textContent);
        before = level;
    }
    for (const t of all('table')) {
        if (!t.caption || !t.caption.textContent.trim()) wrong.push('a table without a caption');
        if ([...t.querySelectorAll('th')].some(h => !h.scope)) wrong.push('a heading without a scope');
    }
    const ids = all('[id]').map(e => e.id);
    if (new Set(ids).size !== ids.length) wrong.push('an id is there twice');
    for (const a of all('a')) if (!document.getElementById(a.hash.slice(1))) wrong.push('a dead link: ' + a.hash);
    const picture = document.querySelector('svg[role=img]');
    const names = picture.getAttribute('aria-labelledby').split(' ').map(id => document.getElementById(id));
    if (names.length !== 2 || names.some(n => !n || !n.textContent.trim())) wrong.push('a picture without words');
    if (document.scripts.length || all('img,iframe,object,embed,link,form,audio,video').length) wrong.push('something from elsewhere');
    if (all('*').some(e => [...e.attributes].some(a => a.name.startsWith('on') || a.name === 'style'))) wrong.push('an attribute that runs or styles');
    return wrong;
})()";

/// Whether what somebody typed is on the page as text, in its cell and in the picture.
fn shown_as_text(browser: &mut Browser) {
    let cells = browser.look(
        "[...document.querySelectorAll('#grants ~ table td')].map(e => e.textContent).join('\\n')",
    );
    let cells = cells.as_str().unwrap();
    for wanted in [HOSTILE[0], HOSTILE[1], HOSTILE[3], "\\u{202e}rtl\\u{2066} \\u{200b}hidden"] {
        assert!(cells.contains(wanted), "{wanted}");
    }
    let titles = browser.look("[...document.querySelectorAll('svg.timeline g title')].map(e => e.textContent).join('\\n')");
    assert!(titles.as_str().unwrap().contains(HOSTILE[0]));
    let marks = browser.look(r"(document.documentElement.outerHTML.match(/[\u061c\u200b-\u200f\u202a-\u202e\u2066-\u2069\u001b]/g) || []).length");
    assert_eq!(marks, 0, "what turns or hides text is not on the page");
}

#[test]
fn a_page_is_whole_in_a_real_browser_at_any_width_and_runs_nothing_that_somebody_typed() {
    let host = builder(Suite::Trixie, POLICY).boot();
    let file = a_page(&host);
    written_with_care(&host);
    let folder = folder();
    let page = folder.join("review.html");
    fs::copy(&file, &page).unwrap();
    let mut browser = Browser::start(&folder);
    browser.show(1440, 900, false);
    browser.open(&page);
    shown_as_text(&mut browser);
    assert_eq!(browser.look(TOLD), serde_json::json!([]));
    let bars = browser.look("document.querySelectorAll('svg.timeline rect').length");
    let listed = browser.look("document.querySelectorAll('#grants ~ table tbody tr').length");
    assert_eq!((bars.as_u64(), listed.as_u64()), (Some(245), Some(245)), "a bar a grant");
    let approvals =
        browser.look("document.querySelectorAll('svg.timeline use[href=\"#m-approval\"]').length");
    assert!(approvals.as_u64() > Some(100), "{approvals}");
    for (width, height) in [(360, 740), (800, 1100), (1440, 900)] {
        for (dark, name) in [(false, "light"), (true, "dark")] {
            browser.show(width, height, dark);
            assert_eq!(browser.look(WHOLE), serde_json::json!([]), "{width} {name}");
            let file = folder.join(format!("{width}-{name}.png"));
            browser.picture(&file, "body", 2_600);
            let file = folder.join(format!("{width}-{name}-timeline.png"));
            browser.picture(&file, "#timeline", 900);
        }
        let file = folder.join(format!("{width}-grants.png"));
        browser.picture(&file, "#grants", 1_800);
    }
    browser.show_print();
    // Print is finer than a screen.
    let finer = WHOLE.replace("< 12)", "< 10)");
    assert_eq!(browser.look(&finer), serde_json::json!([]), "on paper");
    let paper = browser.look("getComputedStyle(document.body).backgroundColor");
    assert_eq!(paper, "rgb(255, 255, 255)", "ink is spared");
    let pages = browser.print(&folder.join("review.pdf"));
    assert!(pages > 2, "{pages}");
    let complaints: &[String] = &[];
    assert_eq!(browser.complaints(), complaints, "the page did something by itself");
}

/// The page is whole, its maker's alone, and takes nothing's place unless that is said.
fn written_with_care(host: &Host) {
    let page = "/root/pages/review.html";
    assert_eq!(host.ok(&format!("stat -c '%a %U' {page}")), "600 root\n");
    let before = host.ok(&format!("sha256sum {page}"));
    let again = host.run(&format!("stint review --html {page}"));
    assert_eq!(again.status, 2, "{again}");
    assert!(again.stderr.contains("is there already: add --replace"), "{again}");
    assert_eq!(host.ok(&format!("sha256sum {page}")), before);
    host.ok("ln -s /etc/passwd /root/pages/link");
    let link = host.run("stint review --replace --html /root/pages/link");
    assert!(link.status == 2 && link.stderr.contains("no ordinary file"), "{link}");
    host.ok("mkdir /root/pages/full && mount -t tmpfs -o size=16k none /root/pages/full");
    let full = host.run("stint review --html /root/pages/full/review.html");
    assert_eq!(full.status, 1, "{full}");
    assert_eq!(host.ok("ls -A /root/pages/full"), "", "a part of it was left");
    host.ok(&format!("stint review --often 4 --replace --html {page}"));
    assert_eq!(host.ok("ls -A /root/pages | sort | tr '\\n' ' '"), "full link review.html ");
}
