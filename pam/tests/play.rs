//! Plays PAM: loads the built module with the real libpam, as sudo would, in a process with one
//! thread, and looks at what it says and at what it leaves behind. Needs no root and no stintd; a
//! machine on which stintd runs is no place for it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test, in a form that clippy does not take for one"
)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::ptr;

const PAM_SUCCESS: c_int = 0;
const PAM_SERVICE_ERR: c_int = 3;
const PAM_PERM_DENIED: c_int = 6;
const PAM_SESSION_ERR: c_int = 14;
const PAM_CONV_ERR: c_int = 19;
const PAM_ERROR_MSG: c_int = 3;
const PAM_SILENT: c_int = 0x8000;
const PAM_RUSER: c_int = 8;
const PAM_TTY: c_int = 3;

#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

type Converse = extern "C" fn(c_int, *mut *const Message, *mut *mut c_void, *mut c_void) -> c_int;

#[repr(C)]
struct Conversation {
    converse: Converse,
    data: *mut c_void,
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start_confdir(
        service: *const c_char,
        user: *const c_char,
        conversation: *const Conversation,
        folder: *const c_char,
        handle: *mut *mut c_void,
    ) -> c_int;
    fn pam_set_item(handle: *mut c_void, item: c_int, value: *const c_void) -> c_int;
    fn pam_acct_mgmt(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_authenticate(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_setcred(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_chauthtok(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_open_session(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_close_session(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_end(handle: *mut c_void, status: c_int) -> c_int;
}

/// Writes down what it is told, style and text, and answers as an application does.
extern "C" fn listen(
    _: c_int,
    messages: *mut *const Message,
    responses: *mut *mut c_void,
    data: *mut c_void,
) -> c_int {
    // SAFETY: libpam passes one message that lives for the call, a place for the response, and the
    // data given to pam_start: the Vec below, to which nobody else refers meanwhile. The response
    // is freed by the module, so it comes from calloc.
    unsafe {
        let message = &**messages;
        let text = CStr::from_ptr(message.text).to_string_lossy().into_owned();
        (*data.cast::<Vec<(c_int, String)>>()).push((message.style, text));
        *responses = libc::calloc(1, 16);
    }
    PAM_SUCCESS
}

/// As sudo-rs without a terminal.
extern "C" fn refuse(
    _: c_int,
    _: *mut *const Message,
    _: *mut *mut c_void,
    _: *mut c_void,
) -> c_int {
    PAM_CONV_ERR
}

/// The folder in which cargo builds.
fn target() -> PathBuf {
    let me = std::env::current_exe().unwrap();
    me.ancestors().nth(3).unwrap().to_owned()
}

/// Builds the module in its own profile, with these options of rustc's.
fn build(options: &[&str]) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["rustc", "--quiet", "--locked", "--package", "stint-pam", "--profile", "module"]);
    // In English, and where it is looked for.
    cargo.env("LC_ALL", "C").env("CARGO_TARGET_DIR", target());
    cargo.arg("--").args(options);
    cargo
}

/// The promise that a panic never happens is the linker's: here is one that could.
fn a_module_that_could_panic_does_not_link() {
    let mut cargo = build(&["--cfg", "pam_stint_panics"]);
    let built = cargo.env("CARGO_TARGET_DIR", target().join("panics")).output().unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(!built.status.success(), "it links");
    assert!(said.contains("undefined reference to `pam_stint_could_panic'"), "{said}");
}

struct Stage {
    folder: tempfile::TempDir,
    module: PathBuf,
}

struct Played {
    code: c_int,
    said: Vec<(c_int, String)>,
}

impl Stage {
    fn new() -> Self {
        // The module as it is packaged: cargo's lock is free while tests run.
        let built = build(&[]).status();
        assert!(built.unwrap().success(), "the module does not build");
        let module = target().join("module/libpam_stint.so");
        assert!(module.exists(), "{module:?}");
        Self { folder: tempfile::tempdir().unwrap(), module }
    }

    /// One transaction of alice's with one line of options in every phase.
    fn play(
        &self,
        options: &str,
        converse: Converse,
        act: impl FnOnce(*mut c_void) -> c_int,
    ) -> Played {
        let lines: String = ["auth", "account", "password", "session"]
            .map(|phase| format!("{phase} required {} {options}\n", self.module.display()))
            .concat();
        fs::write(self.folder.path().join("door"), lines).unwrap();
        let folder = CString::new(self.folder.path().to_str().unwrap()).unwrap();
        let mut said: Vec<(c_int, String)> = Vec::new();
        let conversation = Conversation { converse, data: (&raw mut said).cast() };
        let mut handle = ptr::null_mut();
        // SAFETY: all strings are NUL-terminated and outlive the call; the conversation and what
        // it refers to outlive pam_end below; the handle is used only between start and end.
        let code = unsafe {
            let started = pam_start_confdir(
                c"door".as_ptr(),
                c"alice".as_ptr(),
                &raw const conversation,
                folder.as_ptr(),
                &raw mut handle,
            );
            assert_eq!(started, PAM_SUCCESS);
            pam_set_item(handle, PAM_RUSER, c"alice".as_ptr().cast());
            let code = act(handle);
            pam_end(handle, code);
            code
        };
        Played { code, said }
    }

    fn account(&self, options: &str) -> Played {
        // SAFETY: play passes a live handle.
        self.play(options, listen, |handle| unsafe { pam_acct_mgmt(handle, PAM_SILENT) })
    }
}

fn no_daemon_denies_and_says_so(stage: &Stage) {
    let played = stage.account("timeout=1 debug prompt");
    assert_eq!(played.code, PAM_PERM_DENIED);
    let line = "stint: door is gated by stint, and stintd does not answer, so nobody is let in. \
                root: systemctl status stintd";
    assert_eq!(played.said, [(PAM_ERROR_MSG, line.to_owned())]);
}

fn a_mistake_in_the_line_denies(stage: &Stage) {
    for options in ["sufficient", "timeout=0", "timeout=61", "timeout=x", "quiet please"] {
        let played = stage.account(options);
        assert_eq!(played.code, PAM_PERM_DENIED, "{options}");
        assert!(played.said.iter().any(|(_, line)| line.contains("mistake")), "{options}");
    }
}

fn quiet_denies_without_a_word(stage: &Stage) {
    let played = stage.account("quiet");
    assert_eq!((played.code, played.said), (PAM_PERM_DENIED, vec![]));
}

fn items_that_are_no_text_deny(stage: &Stage) {
    let long = CString::new("x".repeat(257)).unwrap();
    for value in [c"pts/0\n", c"\x1b[2J", c"\xff\xfe", &long] {
        // SAFETY: the handle is live, the value NUL-terminated; libpam copies it.
        let played = stage.play("", listen, |handle| unsafe {
            pam_set_item(handle, PAM_TTY, value.as_ptr().cast());
            pam_acct_mgmt(handle, 0)
        });
        assert_eq!(played.code, PAM_PERM_DENIED, "{value:?}");
        assert!(played.said[0].1.contains("cannot use"), "{value:?}");
    }
}

fn a_conversation_that_fails_changes_nothing(stage: &Stage) {
    // SAFETY: play passes a live handle.
    let played = stage.play("", refuse, |handle| unsafe { pam_acct_mgmt(handle, 0) });
    assert_eq!(played.code, PAM_PERM_DENIED);
}

fn phases_that_are_not_served_fail(stage: &Stage) {
    type Phase = unsafe extern "C" fn(*mut c_void, c_int) -> c_int;
    for phase in [pam_authenticate as Phase, pam_setcred, pam_chauthtok] {
        // SAFETY: play passes a live handle.
        let played = stage.play("", listen, |handle| unsafe { phase(handle, 0) });
        assert_eq!(played.code, PAM_SERVICE_ERR);
    }
}

fn a_session_nobody_hears_of_is_an_error_and_its_end_is_not(stage: &Stage) {
    // SAFETY: play passes a live handle.
    let opened = stage.play("", listen, |handle| unsafe { pam_open_session(handle, 0) });
    assert_eq!(opened.code, PAM_SESSION_ERR);
    // SAFETY: play passes a live handle.
    let closed = stage.play("", listen, |handle| unsafe { pam_close_session(handle, 0) });
    assert_eq!((closed.code, closed.said), (PAM_SUCCESS, vec![]));
}

/// A descriptor's number and what it refers to.
type Descriptor = (String, Option<PathBuf>);

/// Descriptors, threads and signal dispositions of this process.
fn traces() -> (Vec<Descriptor>, usize, Vec<String>) {
    let mut descriptors: Vec<_> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_link(entry.path()).ok()))
        .collect();
    descriptors.sort();
    let threads = fs::read_dir("/proc/self/task").unwrap().count();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    // Not SigQ: it counts what is queued for all processes of this user together.
    let kinds = ["SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"];
    let signals = status.lines().filter(|line| kinds.iter().any(|kind| line.starts_with(kind)));
    (descriptors, threads, signals.map(str::to_owned).collect())
}

fn nothing_is_left_behind(stage: &Stage) {
    // libc opens its own connection to the log at the first line and keeps it: not ours to count.
    stage.account("debug");
    let before = traces();
    for _ in 0..200 {
        stage.account("debug");
        // SAFETY: play passes a live handle.
        stage.play("debug", listen, |handle| unsafe {
            pam_open_session(handle, 0);
            pam_close_session(handle, 0)
        });
    }
    assert_eq!(traces(), before);
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    assert!(!maps.contains("libpam_stint.so"), "pam_end could not unload the module");
}

fn every_descriptor_is_closed_on_exec(stage: &Stage) {
    stage.account("debug");
    for (name, target) in traces().0 {
        let number: c_int = name.parse().unwrap();
        // SAFETY: F_GETFD takes any number and only answers.
        let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
        let own = target.is_some_and(|target| target.to_string_lossy().starts_with("socket:"));
        assert!(number <= 2 || !own || flags & libc::FD_CLOEXEC != 0, "descriptor {number} leaks");
    }
}

fn main() {
    let stage = Stage::new();
    no_daemon_denies_and_says_so(&stage);
    a_mistake_in_the_line_denies(&stage);
    quiet_denies_without_a_word(&stage);
    items_that_are_no_text_deny(&stage);
    a_conversation_that_fails_changes_nothing(&stage);
    phases_that_are_not_served_fail(&stage);
    a_session_nobody_hears_of_is_an_error_and_its_end_is_not(&stage);
    nothing_is_left_behind(&stage);
    every_descriptor_is_closed_on_exec(&stage);
    a_module_that_could_panic_does_not_link();
    println!("the module plays its part");
}
