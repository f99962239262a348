//! A rule set: every rule is asked, and the strictest answer wins.

use super::matcher::{Matcher, Seen};
use super::parse::RuleFile;
use super::spec::RuleSpec;
use super::traits::Traits;
use crate::event::PolicyEvent;
use agentprov_model::special::Severity as SecretLevel;
use agentprov_model::{ClassExtension, ClassTable, MatchedRule, RuleMode, Severity, Verdict};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// Rules that are ready to judge.
#[derive(Clone, Debug)]
pub struct RuleSet {
    rules: Vec<(RuleSpec, Matcher)>,
    /// What each rule needs, side by side: most rules are passed over for it.
    needs: Vec<Traits>,
    classes: ClassExtension,
    table: ClassTable,
    digest: String,
}

/// What a rule set says about an event.
#[derive(Clone, Debug)]
pub struct Judgement<'r> {
    /// The verdict that applies.
    pub verdict: Verdict,
    /// The verdict if everything were enforced.
    pub intended: Verdict,
    /// The rule that decided; none where no rule matched.
    pub rule: Option<&'r RuleSpec>,
    /// Every rule that matched, in the order of the file.
    pub matched: Vec<&'r RuleSpec>,
    /// The heaviest severity of the rules that matched.
    pub severity: Severity,
    /// How secret the table says what the event names is.
    pub(crate) secret: Option<SecretLevel>,
    mode: RuleMode,
}

impl Judgement<'_> {
    /// The rules that matched, with their verdicts, as a decision keeps them.
    pub fn matched_rules(&self) -> Vec<MatchedRule> {
        let under = |rule: &&RuleSpec| MatchedRule {
            rule: rule.id.clone(),
            verdict: effective(rule, self.mode),
            intended: rule.decision,
            severity: rule.severity,
        };
        self.matched.iter().map(under).collect()
    }
}

fn effective(rule: &RuleSpec, mode: RuleMode) -> Verdict {
    rule.decision.under(rule.mode.min(mode))
}

impl RuleSet {
    /// Compiles the rules of a file.
    ///
    /// # Errors
    /// When a pattern is too large.
    pub fn new(file: RuleFile) -> Result<Self, regex::Error> {
        let digest = digest(&file);
        let RuleFile { rules, classes } = file;
        let compile = |rule: RuleSpec| Matcher::new(&rule.when).map(|matcher| (rule, matcher));
        let rules = rules.into_iter().map(compile).collect::<Result<Vec<_>, _>>()?;
        let needs = rules.iter().map(|(_, matcher)| matcher.needs()).collect();
        Ok(Self { rules, needs, table: ClassTable::with(classes.clone()), classes, digest })
    }

    /// SHA-256 over the canonical form of the rules and the classification table's extensions, in hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The rules, in order.
    pub fn rules(&self) -> impl Iterator<Item = &RuleSpec> {
        self.rules.iter().map(|(rule, _)| rule)
    }

    /// The table of special places, with what the file adds to it.
    pub fn table(&self) -> &ClassTable {
        &self.table
    }

    /// What the file adds to the table of special places.
    pub fn classes(&self) -> &ClassExtension {
        &self.classes
    }

    /// Asks every rule. In mode `detect` no verdict is stricter than `audit`.
    pub fn judge(&self, event: &PolicyEvent, mode: RuleMode) -> Judgement<'_> {
        let seen = Seen::new(event, &self.table);
        let askable = self.rules.iter().zip(&self.needs).filter(|(_, needs)| seen.has(**needs));
        let fitting = askable.filter(|((_, matcher), _)| matcher.matches(&seen));
        let matched: Vec<&RuleSpec> = fitting.map(|((rule, _), _)| rule).collect();
        // The first of equals decides: `max_by_key` keeps the last, so the order is turned round.
        let decisive = matched.iter().rev().max_by_key(|rule| (effective(rule, mode), rule.decision)).copied();
        Judgement {
            verdict: decisive.map_or(Verdict::Allow, |rule| effective(rule, mode)),
            intended: matched.iter().map(|rule| rule.decision).max().unwrap_or(Verdict::Allow),
            severity: matched.iter().map(|rule| rule.severity).max().unwrap_or(Severity::Info),
            rule: decisive,
            secret: seen.in_table(),
            matched,
            mode,
        }
    }
}

fn digest(file: &RuleFile) -> String {
    let canonical = serde_json::to_vec(&(&file.rules, &file.classes)).unwrap_or_default();
    HEXLOWER.encode(&Sha256::digest(canonical))
}
