//! One table for everybody who asks what an address, a host name or a path is: receivers, rules, taints and views.
//!
//! Users add entries and exemptions. The first match in this order wins: their exemptions, their entries, built-in
//! exemptions, built-in entries, words in the name of a file.

mod address;
mod builtin;
mod destination;
mod path_index;
mod path_pattern;

pub use address::{DestinationClass, Network, NetworkError, embedded_v4};
pub use destination::Destination;
pub use path_pattern::{PathPattern, PatternError};

use crate::os_bytes::OsBytes;
use path_index::PathIndex;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::OnceLock;

/// Kinds of special objects.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectClass {
    /// A file that holds secrets.
    SecretPath,
    /// A cloud metadata service.
    Metadata,
    /// A private, carrier-grade NAT or link-local address.
    PrivateCidr,
}

impl ObjectClass {
    /// True for files that hold secrets.
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::SecretPath)
    }
}

/// How much a match weighs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth a tag.
    Low,
    /// Worth a look.
    Medium,
    /// Worth an answer.
    High,
}

impl Severity {
    /// All of them, the lightest first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The name as it stands in documents and rule files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// The entry that an object matched.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct ClassMatch {
    /// Id of the entry.
    pub entry: String,
    /// Its class.
    pub class: ObjectClass,
    /// Its weight.
    pub severity: Severity,
}

/// A path pattern with its meaning.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathEntry {
    /// Id, put into what matched.
    pub id: String,
    /// The pattern, see [`PathPattern`].
    pub pattern: PathPattern,
    /// Its weight; absent for an exemption: what matches is no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

/// A network with its class.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkEntry {
    /// Id, put into what matched.
    pub id: String,
    /// An address or CIDR.
    pub network: Network,
    /// What kind of place it is.
    pub class: DestinationClass,
}

/// A host name with its class.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostEntry {
    /// Id, put into what matched.
    pub id: String,
    /// The name, in any case; with a leading `*.` every name below it.
    pub host: String,
    /// What kind of place it is.
    pub class: DestinationClass,
}

/// What a user adds to the built-in table.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassExtension {
    /// Paths and exemptions.
    pub paths: Vec<PathEntry>,
    /// Networks.
    pub networks: Vec<NetworkEntry>,
    /// Host names.
    pub hosts: Vec<HostEntry>,
}

impl ClassExtension {
    /// True where it adds nothing.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.networks.is_empty() && self.hosts.is_empty()
    }
}

/// The table.
#[derive(Clone, Debug)]
pub struct ClassTable {
    user_exemptions: PathIndex,
    user_paths: PathIndex,
    exemptions: PathIndex,
    paths: PathIndex,
    networks: Vec<NetworkEntry>,
    hosts: Vec<HostEntry>,
}

impl Default for ClassTable {
    fn default() -> Self {
        Self::builtin().clone()
    }
}

impl ClassTable {
    /// The built-in table.
    pub fn builtin() -> &'static Self {
        static TABLE: OnceLock<ClassTable> = OnceLock::new();
        TABLE.get_or_init(|| Self::with(ClassExtension::default()))
    }

    /// The built-in table and what a user adds to it.
    pub fn with(extension: ClassExtension) -> Self {
        let (user_exempt, user_secret): (Vec<_>, Vec<_>) =
            extension.paths.into_iter().partition(|entry| entry.severity.is_none());
        let (exempt, secret): (Vec<_>, Vec<_>) =
            builtin::path_entries().into_iter().partition(|entry| entry.severity.is_none());
        let mut networks = extension.networks;
        networks.extend(builtin::network_entries());
        let mut hosts = extension.hosts;
        hosts.extend(builtin::host_entries());
        for host in &mut hosts {
            host.host = host.host.trim_end_matches('.').to_ascii_lowercase();
        }
        Self {
            user_exemptions: PathIndex::new(user_exempt),
            user_paths: PathIndex::new(user_secret),
            exemptions: PathIndex::new(exempt),
            paths: PathIndex::new(secret),
            networks,
            hosts,
        }
    }

    /// The secret that a path names, if any. Its segments are compared as they stand: `..` is not resolved.
    pub fn path(&self, path: &OsBytes) -> Option<ClassMatch> {
        let name = path_index::Segments::of(path.as_bytes());
        if self.user_exemptions.find(&name).is_some() {
            return None;
        }
        // What a user names is special even where the built-in table would let it pass.
        if let Some(entry) = self.user_paths.find(&name) {
            return secret(&entry.id, entry.severity?);
        }
        // An exemption is final: a public key is no secret by its name either.
        if self.exemptions.find(&name).is_some() {
            return None;
        }
        match self.paths.find(&name) {
            Some(entry) => secret(&entry.id, entry.severity?),
            None if builtin::is_secret_by_name(&name) => secret(builtin::BY_NAME, Severity::Medium),
            None => None,
        }
    }

    /// What kind of place an address is. IPv4 inside IPv6 (mapped, NAT64, 6to4) counts as the IPv4 address.
    pub fn address(&self, ip: IpAddr) -> (DestinationClass, Option<ClassMatch>) {
        let ip = embedded_v4(ip);
        let entry = self.networks.iter().find(|entry| entry.network.contains(ip));
        match entry {
            Some(entry) => (entry.class, class_match(&entry.id, entry.class)),
            None => {
                let class = DestinationClass::by_range(ip);
                (class, class_match(class.name(), class))
            }
        }
    }

    /// What kind of place a host name is.
    pub fn host(&self, host: &str) -> (DestinationClass, Option<ClassMatch>) {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let fits = |entry: &&HostEntry| match entry.host.strip_prefix("*.") {
            Some(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')),
            None => entry.host == host,
        };
        match self.hosts.iter().find(fits) {
            Some(entry) => (entry.class, class_match(&entry.id, entry.class)),
            None => (DestinationClass::Named, None),
        }
    }

    /// What kind of place a destination is: by address where there is one, and by name; metadata wins.
    pub fn destination(&self, destination: &Destination) -> (DestinationClass, Option<ClassMatch>) {
        let by_host = destination.host.as_deref().map(|host| self.host(host));
        let by_address = destination.ip.map(|ip| self.address(ip));
        match (by_address, by_host) {
            (_, Some(found @ (DestinationClass::Metadata, _))) => found,
            (Some(found), _) | (None, Some(found)) => found,
            (None, None) => (DestinationClass::Named, None),
        }
    }
}

fn secret(entry: &str, severity: Severity) -> Option<ClassMatch> {
    Some(ClassMatch { entry: entry.to_owned(), class: ObjectClass::SecretPath, severity })
}

fn class_match(entry: &str, class: DestinationClass) -> Option<ClassMatch> {
    let (class, severity) = match class {
        DestinationClass::Metadata => (ObjectClass::Metadata, Severity::High),
        class if class.is_private_cidr() => (ObjectClass::PrivateCidr, Severity::Medium),
        _ => return None,
    };
    Some(ClassMatch { entry: entry.to_owned(), class, severity })
}

#[cfg(test)]
mod tests;
