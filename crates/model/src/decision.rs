//! What was decided about an event, what risk that is, and what was done about it.
//!
//! The three are facts of their own, linked by event ids: a decision names the event that was judged, a risk its
//! decision, a response both. Words are truthful: `requested` is a wish, only `confirmed` says that it happened.

use crate::ids::EventId;
use crate::os_bytes::OsBytes;
use crate::process::ProcessKey;
use crate::time::EventTime;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! ordered {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every value, least first.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name as it stands in documents and rule files.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The value of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

ordered!(
    /// A verdict. Later ones are stricter, and the strictest of all that apply wins.
    Verdict {
        /// Nothing speaks against it.
        Allow = "allow",
        /// It is to be looked at.
        Audit = "audit",
        /// It must not happen.
        Deny = "deny",
        /// What did it must stand still.
        Quarantine = "quarantine",
        /// What did it must end.
        Kill = "kill",
    }
);

ordered!(
    /// Whether a verdict is acted on.
    RuleMode {
        /// Only recorded: the verdict is at most `audit`.
        Detect = "detect",
        /// Acted on.
        Enforce = "enforce",
    }
);

ordered!(
    /// How much a risk weighs.
    Severity {
        /// For completeness.
        Info = "info",
        /// Worth a look.
        Low = "low",
        /// Worth a look today.
        Medium = "medium",
        /// Worth an interruption.
        High = "high",
        /// Worth waking somebody.
        Critical = "critical",
    }
);

ordered!(
    /// What is done about a risk.
    ResponseKind {
        /// It is on record.
        Audit = "audit",
        /// A receiver was told.
        Notify = "notify",
        /// The evidence was written out.
        Export = "export",
        /// What the process makes from now on is marked.
        Taint = "taint",
        /// The call failed before it had an effect.
        Deny = "deny",
        /// The process tree was stopped and the run marked.
        Quarantine = "quarantine",
        /// The process was ended.
        Kill = "kill",
    }
);

ordered!(
    /// How far a response has come.
    ResponseState {
        /// It was asked for.
        Requested = "requested",
        /// It was tried; whether it worked is not known yet.
        Attempted = "attempted",
        /// It happened, and that was checked.
        Confirmed = "confirmed",
        /// It was tried and did not happen.
        Failed = "failed",
        /// It can't be done here.
        Unsupported = "unsupported",
    }
);

ordered!(
    /// What a risk signal stands on.
    RiskKind {
        /// A rule matched.
        PolicyViolation = "policy_violation",
        /// A count left its learned range.
        BaselineDeviation = "baseline_deviation",
    }
);

impl Verdict {
    /// The verdict under a mode: `detect` softens to `audit` at most, and never sharpens.
    #[must_use]
    pub fn under(self, mode: RuleMode) -> Self {
        match mode {
            RuleMode::Enforce => self,
            RuleMode::Detect => self.min(Self::Audit),
        }
    }

    /// The severity of a verdict for which none was given.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Kill | Self::Quarantine => Severity::High,
            Self::Deny => Severity::Medium,
            Self::Audit => Severity::Low,
            Self::Allow => Severity::Info,
        }
    }
}

/// Rules judge an attempt from here on. Without this fact an attempt was not judged, which is not the same as clean.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RulesApplied {
    /// SHA-256 of the rule set, in hex.
    pub ruleset: String,
    /// How many rules it has.
    pub rules: u64,
    /// The mode in which they run.
    pub mode: RuleMode,
}

/// A judgement of one event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// The event that was judged.
    pub event: EventId,
    /// SHA-256 of the rule set, in hex.
    pub ruleset: String,
    /// The verdict that applies.
    pub verdict: Verdict,
    /// The verdict that would apply if everything were enforced.
    pub intended: Verdict,
    /// The mode in which the rules ran.
    pub mode: RuleMode,
    /// The rule that decided: the strictest, of equals the first in the file.
    pub rule: String,
    /// Its reason.
    pub reason: String,
    /// The weight of that rule.
    pub severity: Severity,
    /// What the event acted on: path, address or command.
    pub object: OsBytes,
    /// Tags of controls that the rule serves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub controls: Vec<String>,
    /// Every rule that matched, in the order of the file.
    pub matched: Vec<MatchedRule>,
}

/// A rule that matched an event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MatchedRule {
    /// Id of the rule.
    pub rule: String,
    /// Its verdict under the mode in force.
    pub verdict: Verdict,
    /// Its verdict if it were enforced.
    pub intended: Verdict,
    /// Its severity.
    pub severity: Severity,
}

/// Something that speaks against a process: one per rule, process and object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RiskSignal {
    /// The event.
    pub event: EventId,
    /// The decision about it.
    pub decision: EventId,
    /// What it stands on.
    pub kind: RiskKind,
    /// The rule.
    pub rule: String,
    /// What the event acted on.
    pub object: OsBytes,
    /// How much it weighs.
    pub severity: Severity,
    /// Why, for people.
    pub reason: String,
    /// What the rule asks for, whatever the mode.
    pub recommended: Verdict,
}

/// One step of a response to a risk.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ResponseAction {
    /// The risk.
    pub risk: EventId,
    /// The decision behind it.
    pub decision: EventId,
    /// The fact with which this response was requested; absent in that fact itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<EventId>,
    /// What is done.
    pub action: ResponseKind,
    /// To whom or what.
    pub target: ResponseTarget,
    /// How far it has come.
    pub state: ResponseState,
    /// When this step was reached.
    pub reached: EventTime,
    /// What shows it, for people.
    pub evidence: String,
}

/// To whom or what something is done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseTarget {
    /// A process.
    Process(ProcessKey),
    /// The event itself.
    Event(EventId),
    /// Somebody outside, by name.
    Receiver(String),
    /// The process that did it is not known well enough to act on.
    UnknownProcess,
}

impl ResponseTarget {
    /// The contract's name for the kind of target.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Process(_) | Self::UnknownProcess => "process",
            Self::Event(_) => "event",
            Self::Receiver(_) => "receiver",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strictness_is_the_order_of_the_names() {
        let names: Vec<&str> = Verdict::ALL.iter().map(|verdict| verdict.name()).collect();
        assert_eq!(names, ["allow", "audit", "deny", "quarantine", "kill"]);
        assert!(Verdict::ALL.is_sorted());
    }

    #[test]
    fn detect_softens_to_audit_and_never_sharpens() {
        assert_eq!(Verdict::Kill.under(RuleMode::Detect), Verdict::Audit);
        assert_eq!(Verdict::Allow.under(RuleMode::Detect), Verdict::Allow);
        assert_eq!(Verdict::Deny.under(RuleMode::Enforce), Verdict::Deny);
    }
}
