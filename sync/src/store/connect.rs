//! A connection to a store: https alone, the authorities of a file alone, a certificate of our own, and
//! bounds of size and time. Asks the store for nothing but whether it speaks with us.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use etcd_client::{Certificate, Channel, Client, ConnectOptions, GetOptions, Identity, TlsOptions};
use stint_hostfiles::{ReadError, read_plain};
use stint_policy::sync::{EndpointUrl, Etcd};
use stint_policy::text::harmless;
use stint_proto::fleet;
use tonic::transport::Endpoint;

use super::trouble;
use crate::{certificates, chance};

/// The most bytes of one answer; a larger one is an error of that call's. gRPC's own usual bound.
pub const SIZE_LIMIT: usize = 4 * 1024 * 1024;
/// How long a connection may take, the name and TLS included.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long an answer may take to begin.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// So long after the last word of the store it is asked whether it is there; etcd takes it amiss when it
/// is asked more often than every 5 s.
const ALIVE: Duration = Duration::from_secs(10);
/// How long it may take to say so.
const ALIVE_LIMIT: Duration = Duration::from_secs(10);
/// The most bytes of an answer's head.
const HEAD_LIMIT: u32 = 16 * 1024;

/// Connects to a member of the store: to the first that is there, beginning anywhere, so that many hosts
/// spread over them. A connection whose other end is gone without a word is noticed within 20 s, and what is
/// asked then fails; whoever holds it connects again.
///
/// # Errors
/// With one line that says why, in words for people; where there are several members, of each.
pub async fn connect(etcd: &Etcd) -> Result<Client, String> {
    let tls = tls(etcd)?;
    let mut troubles: Vec<String> = Vec::new();
    for endpoint in in_turn(&etcd.endpoints, chance()) {
        match connect_to(prepared(endpoint, &tls, etcd)?).await {
            Ok(client) => return Ok(client),
            Err(why) if etcd.endpoints.len() == 1 => return Err(why),
            Err(why) => troubles.push(format!("{endpoint}: {why}")),
        }
    }
    troubles.sort();
    Err(troubles.join("; "))
}

/// All of them once, beginning anywhere.
fn in_turn(endpoints: &[EndpointUrl], chance: u32) -> impl Iterator<Item = &EndpointUrl> {
    let many = endpoints.len();
    let first = usize::try_from(chance).unwrap_or_default() % many.max(1);
    endpoints.iter().cycle().skip(first).take(many)
}

/// A member as it is to be connected to.
fn prepared(endpoint: &EndpointUrl, tls: &TlsOptions, etcd: &Etcd) -> Result<Endpoint, String> {
    let endpoint = Endpoint::from_shared(endpoint.as_str().to_owned())
        .and_then(|built| built.user_agent(concat!("stint-sync/", env!("CARGO_PKG_VERSION"))))
        .map_err(|error| trouble::of(&error))?;
    // The certificates could be read, so it is the key.
    let endpoint = endpoint.tls_config(tls.clone()).map_err(|_| {
        let name = harmless(&etcd.key_file.to_string_lossy());
        format!("key_file: {name}: it is no key to the certificate of cert_file (PEM)")
    })?;
    Ok(endpoint
        .connect_timeout(CONNECT_LIMIT)
        .timeout(ANSWER_LIMIT)
        .http2_keep_alive_interval(ALIVE)
        .keep_alive_timeout(ALIVE_LIMIT)
        .keep_alive_while_idle(true)
        .http2_max_header_list_size(HEAD_LIMIT))
}

async fn connect_to(endpoint: Endpoint) -> Result<Client, String> {
    let too_long = || "connecting took longer than 10 s".to_owned();
    let channel = tokio::time::timeout(CONNECT_LIMIT, endpoint.connect())
        .await
        .map_err(|_| too_long())?
        .map_err(|error| trouble::of(&error))?;
    // A member that is cut off from the others says so, where it would else only be silent.
    let options = ConnectOptions::new().with_require_leader(true);
    let client = Client::from_channel(Channel::Tonic(channel), Some(options)).await;
    let client = client.map_err(|error| trouble::words(&error))?;
    let known = tokio::time::timeout(CONNECT_LIMIT, is_known(&client));
    known.await.map_err(|_| too_long())?.map(|()| client)
}

/// Whether the store speaks with us at all: that it does not believe our certificate it says, in TLS 1.3, only
/// when we are connected, and by ending that. Any answer will do, a refusal too.
async fn is_known(client: &Client) -> Result<(), String> {
    let options = GetOptions::new().with_count_only();
    match client.kv_client().get(fleet::ROOT, Some(options)).await {
        Err(error) if trouble::is_cut(&error) => Err(
            "the store ends the connection when it has seen our certificate (cert_file): it may have \
             expired, or be signed by nobody whom the store believes"
                .to_owned(),
        ),
        Err(error) if trouble::is_lost(&error) => Err(trouble::words(&error)),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Whom to believe, and who we are; read anew for each connection, so that what was replaced counts.
fn tls(etcd: &Etcd) -> Result<TlsOptions, String> {
    certificates::read_named(&etcd.ca_file, "ca_file")?;
    certificates::read_named(&etcd.cert_file, "cert_file")?;
    let authorities = pem(&etcd.ca_file, "ca_file")?;
    let certificate = pem(&etcd.cert_file, "cert_file")?;
    let key = pem(&etcd.key_file, "key_file")?;
    judge_key(&etcd.key_file)?;
    Ok(TlsOptions::new()
        .ca_certificate(Certificate::from_pem(authorities))
        .identity(Identity::from_pem(certificate, key)))
}

/// Whether connecting can be tried at all: the files are there and are what they should be.
///
/// # Errors
/// As [`connect`].
pub fn check(etcd: &Etcd) -> Result<(), String> {
    let tls = tls(etcd)?;
    for endpoint in &etcd.endpoints {
        prepared(endpoint, &tls, etcd)?;
    }
    Ok(())
}

fn pem(path: &Path, key: &str) -> Result<String, String> {
    let read = read_plain(path).map_err(|error| match error {
        ReadError::TooBig { path } => {
            format!("{}: it is larger than 1 MiB", harmless(&path.to_string_lossy()))
        }
        other => other.to_string(),
    });
    read.map(|file| file.text).map_err(|why| format!("{key}: {why}"))
}

/// A key that everybody can read is nobody's.
fn judge_key(path: &Path) -> Result<(), String> {
    let name = harmless(&path.to_string_lossy());
    let mode = std::fs::metadata(path).map(|found| found.permissions().mode() & 0o7777);
    match mode {
        Ok(mode) if mode & 0o007 != 0 => Err(format!(
            "key_file: {name}: everybody can use it (mode {mode:04o}); mend it with: chmod o= {name}"
        )),
        Ok(_) => Ok(()),
        Err(error) => Err(format!("key_file: {name}: {}", trouble::of(&error))),
    }
}
