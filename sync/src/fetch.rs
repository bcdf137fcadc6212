//! One request over https, one answer, within bounds of size and time. It believes the answer
//! nothing: what came is handed on as it came.
//!
//! No redirect is followed: it could lead the host to ask anybody for anything, and the address of
//! a document is the administrator's to say.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use stint_policy::sync::{Settings, SourceUrl};
use stint_policy::text::quoted;
use ureq::http::{Response, StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy};

use crate::certificates;
use crate::follow::{Fetched, Tag};
use crate::trouble;

/// The most bytes of a document: 1 MiB.
pub const SIZE_LIMIT: u64 = 1024 * 1024;
/// The most bytes of an answer's head.
const HEAD_LIMIT: usize = 16 * 1024;
/// How long all of it may take, from the name to the last byte.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// How long a connection may take of that, the name included.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Asks for what is at this address, if it is another than the one of `tag`.
///
/// # Errors
/// With one line that says why nothing came, in words for people.
pub fn fetch(url: &SourceUrl, settings: &Settings, tag: Option<&Tag>) -> Result<Fetched, String> {
    let mut request = agent(settings)?.get(url.as_str());
    if let Some(tag) = tag {
        request = request.header(header::IF_NONE_MATCH, tag.as_str());
    }
    let mut response = request.call().map_err(|error| trouble::words(&error))?;
    match response.status() {
        StatusCode::OK => document(&mut response),
        StatusCode::NOT_MODIFIED if tag.is_some() => Ok(Fetched::Unchanged),
        StatusCode::NOT_MODIFIED => {
            Err("the server says that nothing is new, and was not asked that".to_owned())
        }
        status if status.is_redirection() => {
            let to = response.headers().get(header::LOCATION);
            let to = to.map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
            let to = to.map(|to| format!(" to {}", quoted(&to))).unwrap_or_default();
            Err(format!(
                "the server leads elsewhere ({}{to}), which is not followed",
                status.as_u16()
            ))
        }
        status => Err(format!("the server answers {status}")),
    }
}

/// Made anew each time: it keeps no connection, and reads whom to believe again.
fn agent(settings: &Settings) -> Result<Agent, String> {
    let authorities = certificates::read(settings.ca_file.as_deref())?;
    let proxy = match &settings.proxy {
        Some(proxy) => Some(Proxy::new(proxy.as_str()).map_err(|error| format!("proxy: {error}"))?),
        None => None,
    };
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(authorities)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = Agent::config_builder()
        .https_only(true)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // Not even the environment's: an answer must not depend on who has started this.
        .proxy(proxy)
        .tls_config(tls)
        .user_agent(concat!("stint-sync/", env!("CARGO_PKG_VERSION")))
        .accept("*/*")
        .max_response_header_size(HEAD_LIMIT)
        .max_idle_connections(0)
        .timeout_global(Some(TIME_LIMIT))
        .timeout_resolve(Some(CONNECT_LIMIT))
        .timeout_connect(Some(CONNECT_LIMIT))
        .build();
    Ok(config.new_agent())
}

fn document(response: &mut Response<Body>) -> Result<Fetched, String> {
    let tag = response.headers().get(header::ETAG);
    let tag = tag.and_then(|tag| tag.to_str().ok()).and_then(Tag::new);
    let announced = response.body().content_length();
    if announced.is_some_and(|length| length > SIZE_LIMIT) {
        return Err(too_big());
    }
    let mut document = Vec::new();
    let body = response.body_mut().as_reader().take(SIZE_LIMIT + 1);
    { body }
        .read_to_end(&mut document)
        .map_err(|error| trouble::words(&ureq::Error::from(error)))?;
    match u64::try_from(document.len()) {
        Ok(0) => Err("what the server has there is empty".to_owned()),
        Ok(1..=SIZE_LIMIT) => Ok(Fetched::New { document, tag }),
        _ => Err(too_big()),
    }
}

fn too_big() -> String {
    "what the server has there is larger than 1 MiB, the most a document may be".to_owned()
}
