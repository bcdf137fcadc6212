//! The rounds of the fault tests: from a scene's known state, through its trigger with a fault at
//! one call, to a daemon that runs again. One booted host serves them all. What a scene is and
//! what must hold after it is told elsewhere.

use crate::common::SOON;
use crate::fault_judge::{Judge, Verdict};
use crate::fault_scenes::{Backend, Scene, Trigger};
use std::fs;
use std::thread;
use std::time::Duration;
use stint_tests::{Call, Deadline, Host, HostBuilder, Output, Plan, Suite, Trace, eventually};

/// When no call that changes something has come for so long, a scene is over: the state's batch
/// of events waits 50 ms.
const QUIET: Duration = Duration::from_millis(150);

/// The unit as it is shipped, but that the daemon may be held before its first instruction, and
/// that nobody but the rounds starts it again.
const DROP_IN: &str = r"[Service]
Restart=no
ExecStart=
ExecStart=/bin/sh -c 'if test -p /run/hold; then >/run/held; read -r go </run/hold; fi; exec /usr/sbin/stintd'
";

/// The socket lives on while the daemon is dead, and a connection that nobody had taken yet when it died
/// (its own, by which it sees whether its door answers, may be one) would have systemd start the next
/// daemon at once.
const SOCKET_DROP_IN: &str = "[Socket]\nFlushPending=yes\n";

/// Where a host is kept on which stint has given nothing.
const BASE: &str = "/root/base";
/// Where what a scene begins from is kept.
const SCENE: &str = "/root/scene";

/// Keeps the daemon's state and files in the folder `$kept`.
const KEEP: &str = r#"
systemctl kill -s KILL stintd.service; systemctl stop stintd.service 2>/dev/null
set -e
rm -rf $kept && mkdir -p $kept/userdb $kept/rules
cp -a /var/lib/stint $kept/state
cp -a /etc/group /etc/gshadow $kept/
cp -a /run/userdb/. $kept/userdb/ 2>/dev/null || true
cp -a /etc/sudoers.d/stint $kept/rules/ 2>/dev/null || true
"#;

/// Puts back what is in `$kept`. The daemon is not running afterwards.
const PUT_BACK: &str = r#"
systemctl kill -s KILL stintd.service 2>/dev/null
systemctl stop stintd.service
pkill -KILL -u alice,bob,carol sleep
set -e
rm -rf /var/lib/stint/* /run/userdb/* /run/userdb/.*.new /etc/sudoers.d/stint
rm -rf /etc/sudoers.d/.stint* /etc/.*stint* /etc/group.* /etc/gshadow.* /etc/*.lock
cp -a $kept/state/. /var/lib/stint/
cp -a $kept/group $kept/gshadow /etc/
mkdir -p /run/userdb && cp -a $kept/userdb/. /run/userdb/
cp -a $kept/rules/. /etc/sudoers.d/
cp /root/policy.toml /etc/stint/policy.toml
"#;

/// Starts the daemon, and waits until it is on the bus.
const START: &str = "systemctl start stintd.service || exit 1; n=0
until stint status >/dev/null 2>&1; do n=$((n + 1)); test $n -lt 600 || exit 1; sleep 0.02; done";

/// A gated host whose daemon can be held before it starts.
pub fn builder(suite: Suite, backend: Backend) -> HostBuilder {
    Host::builder(suite)
        .file("/etc/stint/policy.toml", 0o644, backend.policy())
        .file("/root/policy.toml", 0o644, backend.policy())
        .file("/root/next.toml", 0o644, backend.next_policy())
        .file("/root/moving.toml", 0o644, backend.moving_policy())
        .file("/etc/systemd/system/stintd.service.d/faults.conf", 0o644, DROP_IN)
        .file("/etc/systemd/system/stintd.socket.d/faults.conf", 0o644, SOCKET_DROP_IN)
        .file("/etc/sudoers.d/standing", 0o440, "alice ALL=(ALL:ALL) NOPASSWD: ALL\n")
}

/// What a round came to.
pub struct Round {
    /// All calls that change something, in their order.
    pub calls: Vec<Call>,
    /// The one at which the fault came, if the scene got so far.
    pub hit: Option<Call>,
    /// What came of the trigger's command, where it has one.
    pub output: Option<Output>,
}

impl Round {
    /// Where the fault came.
    pub fn place(&self, scene: &Scene) -> String {
        let before = self.calls.iter().rev().skip(1).take(4).map(ToString::to_string);
        let before = before.collect::<Vec<_>>().join(", ");
        match &self.hit {
            Some(call) => format!(
                "{}: call {}, {call} (before it, the latest first: {before})",
                scene.name,
                self.calls.len()
            ),
            None => format!("{}: after the last call", scene.name),
        }
    }
}

/// A host with one scene's beginning kept on it.
pub struct Stage<'a> {
    pub host: &'a Host,
    pub judge: Judge,
}

impl<'a> Stage<'a> {
    /// Makes ready a host that has booted and given nothing yet but what its policy says.
    pub fn new(host: &'a Host) -> Self {
        // Nobody but the rounds starts it: the bus would, for a question that was on its way.
        host.ok("rm /usr/share/dbus-1/system-services/org.stint.Stint1.service; \
                 systemctl reload dbus.service");
        host.ok("stint gate on sudo; stint revoke --all --reason 'a clean beginning'; \
                 gpasswd -a alice video; gpasswd -a bob operator; \
                 systemctl stop stintd.service; rm -rf /var/lib/stint/state*");
        host.ok(&format!("kept={BASE}; {KEEP}"));
        Self { judge: Judge::of(host), host }
    }

    /// Makes what a scene begins from.
    pub fn set(&self, scene: &Scene) {
        self.host.ok(&format!("kept={BASE}; {PUT_BACK}"));
        if let Some(made_by) = scene.made_by {
            self.host.ok(&format!("{START}\n{made_by}"));
        }
        self.host.ok(&format!("kept={SCENE}; {KEEP}"));
    }

    /// Plays the scene, with this fault if there is one, until it is over or the daemon is dead.
    /// What lasts is lifted by whoever holds the trace, which is given to `meanwhile`.
    pub fn play(&self, scene: &Scene, plan: Option<Plan>, meanwhile: impl FnOnce(&Trace)) -> Round {
        self.host.ok(&format!("kept={SCENE}; {PUT_BACK}"));
        let (trace, output) = match scene.trigger {
            Trigger::Start => (self.start_traced(plan), None),
            Trigger::Command(line) => {
                let before = scene.before;
                self.host.ok(&format!("{START}\n{before}"));
                let trace = Trace::begin(self.process(), plan, false);
                let output = thread::scope(|scope| {
                    let command = scope.spawn(|| self.host.run(line));
                    eventually("the end of the trigger", SOON, || {
                        (command.is_finished() || trace.ended()).then_some(())
                    });
                    command.join().unwrap()
                });
                (trace, Some(output))
            }
        };
        eventually("the end of the scene", SOON, || {
            (trace.ended() || trace.quiet_for() > QUIET).then_some(())
        });
        meanwhile(&trace);
        Round { calls: trace.calls(), hit: trace.hit(), output }
    }

    /// One round with a death in it: kills, judges, starts again, judges.
    ///
    /// # Errors
    /// What does not hold, and after which call.
    pub fn kill(&self, scene: &Scene, plan: Plan) -> Result<Round, String> {
        let round = self.play(scene, Some(plan), |_| ());
        if round.hit.is_none() {
            self.host.ok("systemctl kill -s KILL stintd.service 2>/dev/null || true");
        }
        eventually("the death of stintd", SOON, || self.dead().then_some(()));
        let dead = self.judge.dead(self.host);
        dead.map_err(|why| format!("{}, before the next start: {why}", round.place(scene)))?;
        let started = self.host.run("systemctl start stintd.service");
        let alive = if started.ok() { self.holds(scene) } else { Err(started.to_string()) };
        alive.map_err(|why| format!("{}: {why}", round.place(scene)))?;
        Ok(round)
    }

    /// One round in which calls fail: judges while they do, lifts it, and waits until all is as it
    /// must be without anybody's help. Then a new daemon has to say the same.
    ///
    /// # Errors
    /// What does not hold, and at which call it began.
    pub fn fail(&self, scene: &Scene, plan: Plan) -> Result<Round, String> {
        let mut verdict = Ok(());
        let round = self.play(scene, Some(plan), |trace| {
            let answers = || self.host.run("stint status").ok();
            eventually("an answer, or the end", SOON, || {
                (trace.ended() || answers()).then_some(())
            });
            if !trace.ended() {
                verdict = self.judge.meanwhile(self.host);
            }
            trace.lift();
        });
        let place = |when: &'static str| {
            let place = round.place(scene);
            move |why: String| format!("{:?}, {place}, {when}: {why}", plan.fault)
        };
        verdict.map_err(place("meanwhile"))?;
        let again = |way: &str| self.host.ok(&format!("systemctl {way} stintd.service"));
        self.wake();
        let refused = round.output.as_ref().is_some_and(|output| !output.ok());
        if let (true, true, Trigger::Command(line)) = (refused, scene.again, scene.trigger) {
            eventually("an answer", SOON, || self.host.run(line).ok().then_some(()));
        }
        self.holds(scene).map_err(place("when it works again"))?;
        let before = self.judge.grants(self.host).map_err(place("when it works again"))?;
        again("restart");
        self.holds(scene).map_err(place("after another start"))?;
        let after = self.judge.grants(self.host).map_err(place("after another start"))?;
        if before != after {
            return Err(place("after another start")(format!("{before:?} became {after:?}")));
        }
        Ok(round)
    }

    /// Starts the daemon if a scene has ended it.
    pub fn wake(&self) {
        if self.dead() {
            self.host.ok("systemctl start stintd.service");
        }
    }

    /// Waits until all is as it must be.
    ///
    /// # Errors
    /// What is wrong at the end of a patience.
    pub fn holds(&self, scene: &Scene) -> Verdict {
        let patience = Deadline::after(SOON);
        loop {
            match self.judge.alive(self.host, scene.ends) {
                Err(_) if !patience.passed() => {}
                verdict => return verdict,
            }
        }
    }

    /// Starts the daemon so that not one of its calls is missed.
    fn start_traced(&self, plan: Option<Plan>) -> Trace {
        self.host.ok("rm -f /run/hold /run/held && mkfifo /run/hold && \
                      systemctl start --no-block stintd.service");
        let pid = eventually("the held daemon", SOON, || {
            // Before it is there, the process is one of systemd's own.
            let held = self.host.run("test -e /run/held").ok();
            held.then(|| self.maybe_process()).flatten()
        });
        let trace = Trace::begin(pid, plan, true);
        self.host.ok("echo go >/run/hold; rm /run/hold");
        eventually("the start, or the end", SOON, || {
            let state = self.host.ok("systemctl show -P ActiveState stintd.service");
            (trace.ended() || state.trim() != "activating").then_some(())
        });
        trace
    }

    fn dead(&self) -> bool {
        self.host.ok("systemctl show -P MainPID stintd.service").trim() == "0"
    }

    fn process(&self) -> i32 {
        eventually("stintd's process", SOON, || self.maybe_process())
    }

    /// The machine's number of the daemon's process.
    fn maybe_process(&self) -> Option<i32> {
        let leader = self.host.leader();
        let group =
            format!("/proc/{leader}/root/sys/fs/cgroup/system.slice/stintd.service/cgroup.procs");
        let own = |pid: &i32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let after = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned());
            after.and_then(|rest| rest.split(' ').nth(1)?.parse().ok()) == Some(leader)
        };
        let pids = fs::read_to_string(group).ok()?;
        pids.lines().filter_map(|line| line.parse().ok()).find(own)
    }
}
