//! Names and places that more than one program has to agree on. Constants only.

// Those that the module needs too.
pub use stint_wire::{INTERFACE, INVOKER_SERVICES, OBJECT_PATH, PAM_SOCKET};

/// The well-known name that `stintd` owns on the system bus.
pub const BUS_NAME: &str = "org.stint.Stint1";
/// The policy's first file; [`POLICY_DROP_IN_DIR`] follows in name order.
pub const POLICY_FILE: &str = "/etc/stint/policy.toml";
/// The policy's drop-in folder.
pub const POLICY_DROP_IN_DIR: &str = "/etc/stint/policy.d";
/// Who may sign what: keys of people, in OpenSSH's own form.
pub const SIGNERS_FILE: &str = "/etc/stint/allowed_signers";
/// The account that brings signed documents and may do nothing else.
pub const SYNC_ACCOUNT: &str = "stint-sync";
/// Where stint-sync fetches from.
pub const SYNC_FILE: &str = "/etc/stint/sync.toml";
/// State that survives a reboot (0700).
pub const STATE_DIR: &str = "/var/lib/stint";
/// State of this boot.
pub const RUNTIME_DIR: &str = "/run/stint";
/// The sudo rule file, replaced whole or not at all.
pub const SUDO_RULE_FILE: &str = "/etc/sudoers.d/stint";
/// The polkit rules of the grants that are active.
pub const POLKIT_RULE_FILE: &str = "/etc/polkit-1/rules.d/40-stint.rules";
/// The module's file name, as PAM files name it.
pub const MODULE_FILE: &str = "pam_stint.so";
/// The services that a role with sudo rules opens.
pub const SUDO_SERVICES: [&str; 2] = ["sudo", "sudo-i"];
/// The most characters a typed reason, ticket or note may have.
pub const TEXT_LIMIT: usize = 512;
