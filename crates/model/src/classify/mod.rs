//! One table for everybody who asks what an address, a host name or a path is.
//!
//! Sensor, receivers, rules and taint share it, so that what one of them forwards the next one knows.

mod host;
mod secret;

pub use host::{Host, embedded_v4};
pub use secret::{PathPattern, SecretEntry, SecretLevel, SecretMatch};

use crate::network::Destination;
use serde::Serialize;
use std::net::IpAddr;

/// The table, and what a user added to it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Classifier {
    /// Secret paths beside the built-in ones. They come first, so a user can raise or lower a built-in entry.
    pub secrets: Vec<SecretEntry>,
    /// Paths that are no secrets whatever the table says.
    pub not_secret: Vec<PathPattern>,
    /// Metadata addresses beside the built-in ones.
    pub metadata_ips: Vec<IpAddr>,
    /// Metadata host names beside the built-in ones, in lower case.
    pub metadata_hosts: Vec<String>,
}

impl Classifier {
    /// What kind of place the address is.
    pub fn ip(&self, ip: IpAddr) -> Destination {
        if self.metadata_ips.iter().any(|known| known.to_canonical() == ip.to_canonical()) {
            return Destination::Metadata;
        }
        Destination::of(ip)
    }

    /// What kind of place a destination written as text is: an address in any of its spellings, or a host name.
    /// `None` for a name that says nothing about where it leads.
    pub fn destination(&self, text: &str) -> Option<Destination> {
        match Host::parse(text)? {
            Host::Ip(ip) => Some(self.ip(ip)),
            Host::Name(name) if self.metadata_hosts.contains(&name) => Some(Destination::Metadata),
            Host::Name(name) => host::class_of_name(&name),
        }
    }

    /// What the path would give away, if it is a secret.
    pub fn secret(&self, path: &[u8]) -> Option<SecretMatch<'_>> {
        let path = secret::Segments::new(path);
        if self.not_secret.iter().any(|pattern| pattern.matches(&path)) {
            return None;
        }
        let added = self.secrets.iter().find(|entry| entry.matches(&path));
        match added {
            Some(entry) => Some(SecretMatch { id: &entry.id, level: entry.level }),
            None => secret::built_in(&path),
        }
    }
}

#[cfg(test)]
mod tests;
