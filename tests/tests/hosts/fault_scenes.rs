//! What the fault tests do to a host: each scene from a known state on, by a command or by the
//! start of the daemon. What must hold after it is the judge's; what goes wrong in it the rounds'.

/// The standing members of the groups that roles give: nobody may take these away.
pub const STANDING: [(&str, &str); 2] = [("alice", "video"), ("bob", "operator")];

/// The groups that a role gives, in every policy here.
pub fn groups_of(role: &str) -> &'static [&'static str] {
    match role {
        "both" => &["audio", "video"],
        "screen" => &["video"],
        other => panic!("no scene has a role {other}"),
    }
}

/// Whether a role opens sudo, in every policy here.
pub fn opens_sudo(role: &str) -> bool {
    role == "both"
}

/// How memberships are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Files,
    Userdb,
}

impl Backend {
    fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Userdb => "userdb",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Files => Self::Userdb,
            Self::Userdb => Self::Files,
        }
    }

    /// The policy of most scenes.
    pub fn policy(self) -> String {
        policy(self, ("bob", "screen"))
    }

    /// The one that a reload brings: one entry of `[[grants]]` is gone, another has come.
    pub fn next_policy(self) -> String {
        policy(self, ("carol", "both"))
    }

    /// The one that moves memberships to the other backend.
    pub fn moving_policy(self) -> String {
        self.other().policy()
    }
}

fn policy(backend: Backend, (user, role): (&str, &str)) -> String {
    format!(
        "[groups]\nbackend = \"{}\"\n\
         [roles.both]\nsudo = [{{ commands = [\"ALL\"] }}]\ngroups = [\"audio\", \"video\"]\n\
         password = false\ngrace = \"1s\"\n\
         [roles.screen]\ngroups = [\"video\"]\ngrace = \"1s\"\n\
         [[grants]]\nuser = \"{user}\"\nrole = \"{role}\"\nfrom = 2026-01-01T00:00:00Z\n\
         until = 2056-01-01T00:00:00Z\nreason = \"for a test\"\n",
        backend.name()
    )
}

/// What begins a scene.
#[derive(Clone, Copy, Debug)]
pub enum Trigger {
    /// A line of shell, as root, which may fail.
    Command(&'static str),
    /// The start of the daemon.
    Start,
}

/// One scene.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    pub name: &'static str,
    /// Lines of shell that make the state it begins from, once: with a daemon that runs, and is
    /// killed at their end. Nothing: a state that is empty.
    pub made_by: Option<&'static str>,
    /// A line of shell before each round, while nothing is counted yet.
    pub before: &'static str,
    pub trigger: Trigger,
    /// Whether alice holds nothing in the end, whatever happens.
    pub ends: bool,
    /// Whether somebody who is refused will ask again: a policy that is on the disk and was not
    /// taken is taken at the next start.
    pub again: bool,
}

const PLAIN: Scene = Scene {
    name: "",
    made_by: Some("true"),
    before: "true",
    trigger: Trigger::Start,
    ends: false,
    again: false,
};

const HELD: &str = "stint grant alice both --for 1h --reason x && \
                    stint grant carol screen --for 1h --reason x";

/// A process of alice's that carries what she was given.
const CARRIER: &str = "setpriv --reuid alice --regid alice --init-groups \
                       sleep 600 >/dev/null 2>&1 </dev/null &";

/// All scenes.
pub const SCENES: [Scene; 11] = [
    Scene { name: "first start", made_by: None, ..PLAIN },
    Scene {
        name: "start with an end overdue",
        made_by: Some(
            "stint grant alice both --for 1h --reason x && \
             stint grant carol both --for 1s --reason x; \
             systemctl kill -s KILL stintd.service; sleep 1.2",
        ),
        ..PLAIN
    },
    Scene {
        name: "start after a stop",
        made_by: Some(
            "stint grant alice both --for 1h --reason x && \
             stint grant carol both --for 1s --reason x; \
             systemctl stop stintd.service; sleep 1.2",
        ),
        ..PLAIN
    },
    Scene {
        name: "grant",
        trigger: Trigger::Command("stint grant alice both --for 1h --reason x"),
        ..PLAIN
    },
    Scene {
        name: "scheduled grant",
        before: "stint grant alice both --at +1s --for 1h --reason x",
        trigger: Trigger::Command("sleep 1.2"),
        ..PLAIN
    },
    Scene {
        name: "expiry",
        before: "stint grant alice both --for 1s --reason x",
        trigger: Trigger::Command("sleep 1.2"),
        ends: true,
        ..PLAIN
    },
    Scene {
        name: "revocation",
        made_by: Some(HELD),
        before: CARRIER,
        trigger: Trigger::Command("stint revoke --user alice --reason x"),
        ..PLAIN
    },
    Scene {
        name: "drop",
        made_by: Some(HELD),
        trigger: Trigger::Command("setpriv --reuid alice --regid alice --init-groups stint drop"),
        ..PLAIN
    },
    Scene {
        name: "reload",
        made_by: Some(HELD),
        trigger: Trigger::Command("cp /root/next.toml /etc/stint/policy.toml && stint reload"),
        again: true,
        ..PLAIN
    },
    Scene {
        name: "other backend",
        made_by: Some(HELD),
        trigger: Trigger::Command("cp /root/moving.toml /etc/stint/policy.toml && stint reload"),
        again: true,
        ..PLAIN
    },
    Scene {
        name: "stop",
        made_by: Some(HELD),
        before: "stint grant alice screen --for 1h --reason x",
        trigger: Trigger::Command("systemctl stop stintd.service"),
        ..PLAIN
    },
];
