//! A rule as it was written, with every default filled in. Its JSON is what the digest of a rule set covers.

use crate::glob::PathGlob;
use agentprov_model::{ResponseKind, RuleMode, Severity, Verdict};
use serde::Serialize;

/// A rule.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RuleSpec {
    /// Its name; no two rules of a set share one.
    pub id: String,
    /// When it applies.
    #[serde(rename = "match")]
    pub when: MatchSpec,
    /// What it says when it does.
    pub decision: Verdict,
    /// Whether that is acted on.
    pub mode: RuleMode,
    /// How much it weighs.
    pub severity: Severity,
    /// Why, for people.
    pub reason: String,
    /// What is done.
    pub response: Vec<ResponseKind>,
    /// Tags of controls that it serves.
    pub controls: Vec<String>,
    /// Its documentation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
}

macro_rules! match_spec {
    ($($(#[$doc:meta])* $field:ident: $kind:ty,)*) => {
        /// Conditions. All that are given must hold; of the values of one condition any.
        #[derive(Clone, PartialEq, Debug, Default, Serialize)]
        pub struct MatchSpec {
            $($(#[$doc])* #[serde(skip_serializing_if = "Unset::unset")] pub $field: $kind,)*
        }

        impl MatchSpec {
            /// Names of all conditions.
            pub const KEYS: &[&str] = &[$(stringify!($field)),*];

            /// True without any condition.
            pub fn is_empty(&self) -> bool {
                $(self.$field.unset())&&*
            }
        }
    };
}

/// Whether a condition was not given.
trait Unset {
    fn unset(&self) -> bool;
}

impl<T> Unset for Vec<T> {
    fn unset(&self) -> bool {
        self.is_empty()
    }
}

impl<T> Unset for Option<T> {
    fn unset(&self) -> bool {
        self.is_none()
    }
}

match_spec! {
    /// Who reported the event.
    source: Vec<String>,
    /// Its type.
    event_type: Vec<String>,
    /// Destination address; also found in the text of the arguments.
    dst_ip: Vec<String>,
    /// Whether the destination is in a private range.
    private_cidr: Option<bool>,
    /// Parts of a path. Beside `args_contains` either is enough.
    path_contains: Vec<String>,
    /// Parts of the joined arguments.
    args_contains: Vec<String>,
    /// Class of the destination or path: `metadata`, `loopback`, `private`, `public`, `secret`.
    class: Vec<Class>,
    /// Class of a host that the arguments name.
    argv_class: Vec<Class>,
    /// How sure the table must be that the path is a secret: one of these levels.
    secret_level: Vec<String>,
    /// Path globs.
    path: Vec<PathGlob>,
    /// Destination ranges.
    cidr: Vec<Cidr>,
    /// Destination ports and ranges of them.
    port: Vec<PortRange>,
    /// Destination host names, `*` allowed.
    host: Vec<String>,
    /// Commands, as words.
    argv: Vec<String>,
    /// Regular expressions over the joined arguments.
    args_regex: Vec<String>,
    /// Numeric user ids.
    user: Vec<u32>,
    /// Programs among the ancestors, `*` allowed.
    ancestor: Vec<String>,
    /// Application context, `*` allowed.
    scope: Option<ScopeSpec>,
    /// `read` or `write`.
    access: Vec<Access>,
    /// `succeeded` (or not known to have failed) or `failed`.
    outcome: Option<Outcome>,
    /// Whether the process holds something of a secret that was read before.
    tainted: Option<bool>,
    /// Any of these must hold too.
    any: Vec<MatchSpec>,
    /// None of these may hold.
    except: Vec<MatchSpec>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// The names of all values.
            pub const NAMES: &[&str] = &[$($text),*];

            /// The value of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words!(
    /// What a destination or path is.
    Class {
        /// A cloud metadata service.
        Metadata = "metadata",
        /// This host.
        Loopback = "loopback",
        /// Private and link-local ranges.
        Private = "private",
        /// Any other address.
        Public = "public",
        /// A path that holds secrets.
        Secret = "secret",
    }
);

words!(
    /// What is done to a file.
    Access {
        /// Its bytes can be read.
        Read = "read",
        /// It, or its name, can be changed.
        Write = "write",
    }
);

words!(
    /// How a call ended.
    Outcome {
        /// Not known to have failed.
        Succeeded = "succeeded",
        /// Known to have failed.
        Failed = "failed",
    }
);

/// Application context.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct ScopeSpec {
    /// Runs.
    pub run: Vec<String>,
    /// Sessions.
    pub session: Vec<String>,
    /// Attempts.
    pub attempt: Vec<String>,
    /// Tool calls.
    pub tool_call: Vec<String>,
}

/// An address range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Cidr {
    address: std::net::IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Reads `10.0.0.0/8`, or an address for itself.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: std::net::IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(longest), |text| text.parse().ok())?;
        (prefix <= longest).then_some(Self { address, prefix })
    }

    /// True where the address lies in the range; IPv4-mapped ones count as IPv4.
    pub fn contains(&self, ip: std::net::IpAddr) -> bool {
        use std::net::IpAddr::{V4, V6};
        match (self.address, ip.to_canonical()) {
            (V4(range), V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                range.to_bits() & mask == ip.to_bits() & mask
            }
            (V6(range), V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                range.to_bits() & mask == ip.to_bits() & mask
            }
            _ => false,
        }
    }
}

/// Ports from `first` to `last`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct PortRange {
    /// First.
    pub first: u16,
    /// Last.
    pub last: u16,
}

impl PortRange {
    /// Reads `80` or `8000-8099`.
    pub fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let range = Self { first: first.trim().parse().ok()?, last: last.trim().parse().ok()? };
        (range.first <= range.last).then_some(range)
    }
}
