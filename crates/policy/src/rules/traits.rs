//! What an event must have for a rule to be worth asking: most rules are about things that most events do not have.

use super::spec::{Access, Class, MatchSpec};

/// Things that an event can have, as a set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Traits(u16);

impl Traits {
    /// It names paths.
    pub(super) const PATHS: Self = Self(1);
    /// One of them holds secrets.
    pub(super) const SECRET: Self = Self(1 << 1);
    /// It leads somewhere, and what kind of place that is, is known.
    pub(super) const DESTINATION: Self = Self(1 << 2);
    /// The destination has an address.
    pub(super) const ADDRESS: Self = Self(1 << 3);
    /// The destination has a port.
    pub(super) const PORT: Self = Self(1 << 4);
    /// Commands can be read from its arguments.
    pub(super) const COMMANDS: Self = Self(1 << 5);
    /// Its arguments name hosts whose kind is known.
    pub(super) const HOSTS: Self = Self(1 << 6);

    /// A file's bytes can be read by it.
    pub(super) const READS: Self = Self(1 << 7);
    /// A file, or its name, can be changed by it.
    pub(super) const WRITES: Self = Self(1 << 8);
    /// Who does it holds something of a secret.
    pub(super) const TAINTED: Self = Self(1 << 9);

    /// Those for which the condition is true.
    pub(super) fn of<const N: usize>(conditions: [(Self, bool); N]) -> Self {
        let given = conditions.into_iter().filter(|(_, holds)| *holds);
        Self(given.fold(0, |all, (one, _)| all | one.0))
    }

    /// Those without which the conditions can't hold. `words` says that commands are asked for, and `any` are the
    /// needs of the alternatives, of which one must hold.
    pub(super) fn needed(spec: &MatchSpec, words: bool, any: impl Iterator<Item = Self>) -> Self {
        let places = |class: &Class| *class != Class::Secret;
        let only = |access: Access| !spec.access.is_empty() && spec.access.iter().all(|asked| *asked == access);
        let own = Self::of([
            (Self::PATHS, !spec.path.is_empty()),
            (Self::SECRET, !spec.secret_level.is_empty()),
            (Self::SECRET, !spec.class.is_empty() && !spec.class.iter().any(places)),
            (Self::DESTINATION, !spec.class.is_empty() && spec.class.iter().all(places)),
            (Self::DESTINATION, spec.private_cidr == Some(true)),
            (Self::ADDRESS, !spec.cidr.is_empty()),
            (Self::PORT, !spec.port.is_empty()),
            (Self::PATHS, !spec.path_contains.is_empty() && spec.args_contains.is_empty()),
            (Self::COMMANDS, words),
            (Self::HOSTS, !spec.argv_class.is_empty()),
            (Self::READS, only(Access::Read)),
            (Self::WRITES, only(Access::Write)),
            (Self::TAINTED, spec.tainted == Some(true)),
        ]);
        let shared = any.reduce(|a, b| Self(a.0 & b.0)).unwrap_or_default();
        Self(own.0 | shared.0)
    }

    /// True where all of these are among them.
    pub(super) fn hold(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0
    }
}
