//! `allowed_signers`: who may sign what, from when until when. A line that cannot be read lets nobody
//! sign and takes nothing from the others; what is wrong with it is told.

use jiff::tz::TimeZone;
use ssh_key::certificate::CertType;
use ssh_key::public::KeyData;
use ssh_key::{Certificate, Fingerprint, HashAlg};
use stint_policy::text::harmless;

use crate::Times;
use crate::lines::{self, Line};
use crate::pattern::means;
use crate::signature::By;

/// Who may sign.
#[derive(Clone, Debug, Default)]
pub struct Signers {
    path: String,
    pub(crate) lines: Vec<Line>,
    problems: Vec<String>,
}

impl Signers {
    /// Reads the text of such a file; `zone` is the host's, for times without one.
    #[must_use]
    pub fn read(path: &str, text: &str, zone: &TimeZone) -> Self {
        let mut signers = Self { path: path.to_owned(), ..Self::default() };
        for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
            match lines::read(number, line, zone) {
                Ok(line) => signers.lines.extend(line),
                Err(why) => {
                    signers.problems.push(format!("{}:{number}: {why}", harmless(path)));
                }
            }
        }
        signers
    }

    /// How the file is named.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong with it, a line of the file a line.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// How many lines let somebody sign.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether nobody may sign.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// As whom whoever made such a signature may sign for this; why not, if so.
    pub(crate) fn allowed(&self, by: &By, namespace: &str, times: Times) -> Result<String, String> {
        let mut why = format!("the key {} stands in no line", by.fingerprint());
        for line in &self.lines {
            let Some(judged) = judge(line, by, times) else { continue };
            match judged.and_then(|whom| in_time(line, namespace, times).map(|()| whom)) {
                Ok(whom) => return Ok(whom),
                Err(found) => {
                    why = format!("the key {}, line {}: {found}", by.fingerprint(), line.number);
                }
            }
        }
        Err(why)
    }

    /// Whether a key may sign this in that name; why not, if so. Certificates are not looked at.
    pub(crate) fn speaks_for(
        &self,
        key: &KeyData,
        name: &str,
        namespace: &str,
        times: Times,
    ) -> Result<(), String> {
        let shown = Fingerprint::new(HashAlg::Sha256, key);
        let mut why = format!("the key {shown} stands in no line");
        let lines = self.lines.iter().filter(|line| !line.options.authority && line.key == *key);
        for line in lines {
            let found = match means(&line.principals, name) {
                true => in_time(line, namespace, times),
                false => Err(format!(
                    "it speaks for {}, not for {}",
                    harmless(&line.principals),
                    harmless(name)
                )),
            };
            match found {
                Ok(()) => return Ok(()),
                Err(found) => why = format!("the key {shown}, line {}: {found}", line.number),
            }
        }
        Err(why)
    }
}

/// Whose signature it is by this line; `None` if the line is about another key.
pub(crate) fn judge(line: &Line, by: &By, times: Times) -> Option<Result<String, String>> {
    match by {
        By::Key(key) if !line.options.authority && *key == line.key => {
            Some(Ok(line.principals.clone()))
        }
        By::Certificate(certificate)
            if line.options.authority && *certificate.signature_key() == line.key =>
        {
            Some(certified(line, certificate, times))
        }
        By::Key(_) | By::Certificate(_) => None,
    }
}

/// Whom a certificate of this authority speaks for.
fn certified(line: &Line, certificate: &Certificate, times: Times) -> Result<String, String> {
    if certificate.cert_type() != CertType::User {
        return Err("its certificate is a host's".to_owned());
    }
    if !certificate.critical_options().is_empty() {
        return Err("its certificate is limited by critical options".to_owned());
    }
    let at = |seconds: i64| u64::try_from(seconds).unwrap_or_default();
    let authority = Fingerprint::new(HashAlg::Sha256, &line.key);
    let valid = |seconds| certificate.validate_at(at(seconds), [&authority]).is_ok();
    if !valid(times.wall_seconds()) || !valid(times.latest_seconds()) {
        return Err("its certificate is not valid now, or not signed by that authority".to_owned());
    }
    let named = certificate.valid_principals();
    let meant = named.iter().find(|name| means(&line.principals, name));
    meant.cloned().ok_or_else(|| {
        let names: Vec<String> = named.iter().map(|name| harmless(name)).collect();
        format!("its certificate is for {}, which the line does not mean", shown(&names))
    })
}

fn shown(names: &[String]) -> String {
    if names.is_empty() { "nobody by name".to_owned() } else { names.join(", ") }
}

pub(crate) fn in_time(line: &Line, namespace: &str, times: Times) -> Result<(), String> {
    let options = &line.options;
    if options.namespaces.as_ref().is_some_and(|list| !means(list, namespace)) {
        return Err(format!("it may not sign as {namespace}"));
    }
    if options.valid_after.is_some_and(|after| times.wall_seconds() < after) {
        return Err("it may not sign yet".to_owned());
    }
    if options.valid_before.is_some_and(|before| times.latest_seconds() > before) {
        return Err("it may not sign any more".to_owned());
    }
    Ok(())
}
