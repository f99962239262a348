//! What a client of a container daemon asked for, read from its command line.

/// Programs that ask a daemon for containers.
const CLIENTS: [&str; 8] =
    ["docker", "docker-compose", "podman", "podman-compose", "nerdctl", "buildah", "ctr", "crictl"];

/// Words that stand before the one that says what to do: `docker container run`.
const GROUPS: [&str; 14] = [
    "container",
    "containers",
    "image",
    "builder",
    "buildx",
    "compose",
    "pod",
    "kube",
    "task",
    "tasks",
    "t",
    "c",
    "stack",
    "service",
];

/// Words after which programs run in containers that did not run before. `create` makes a container that waits.
const STARTS: [&str; 8] = ["run", "start", "restart", "up", "build", "bake", "play", "scale"];

/// Options before the verb that a value follows.
const VALUED_BEFORE: [&str; 28] = [
    "-H",
    "--host",
    "-c",
    "--context",
    "--config",
    "-l",
    "--log-level",
    "--tlscacert",
    "--tlscert",
    "--tlskey",
    "--connection",
    "--url",
    "--root",
    "--runroot",
    "--storage-driver",
    "-n",
    "--namespace",
    "-a",
    "--address",
    "-f",
    "--file",
    "-p",
    "--project-name",
    "--project-directory",
    "--profile",
    "--env-file",
    "--builder",
    "-r",
];

/// Options after `exec` that a value follows.
const VALUED_IN_EXEC: [&str; 8] = ["-e", "--env", "--env-file", "-u", "--user", "-w", "--workdir", "--detach-keys"];

/// The same after `start` and `restart`.
const VALUED_IN_START: [&str; 7] = ["-t", "--time", "--timeout", "-s", "--signal", "--detach-keys", "--checkpoint"];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verb {
    /// One container of its own: `run`.
    Runs,
    /// Containers that are there, or several at once.
    Starts,
    /// A program in a container that runs.
    Enters,
}

/// A request that lets a program run in a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Request<'w> {
    pub(super) verb: Verb,
    /// Containers that it is about, by id or name; none where it names something else, as compose does services.
    named: Vec<&'w str>,
    /// The name that it gives.
    gives: Option<&'w str>,
    /// What follows the verb.
    rest: &'w [&'w str],
}

impl<'w> Request<'w> {
    /// None where the program is no such client, or looks and stops only.
    pub(super) fn read(words: &'w [&'w str]) -> Option<Self> {
        let program = base(words.first()?);
        if !CLIENTS.contains(&program) {
            return None;
        }
        let (place, composed) = verb(words, program.ends_with("-compose"))?;
        let rest = &words[place + 1..];
        let verb = match words[place] {
            "exec" => Verb::Enters,
            "run" => Verb::Runs,
            word if STARTS.contains(&word) => Verb::Starts,
            _ => return None,
        };
        let named = match words[place] {
            _ if composed => Vec::new(),
            "exec" => plain(rest, &VALUED_IN_EXEC).take(1).collect(),
            "start" | "restart" => plain(rest, &VALUED_IN_START).collect(),
            _ => Vec::new(),
        };
        let gives = if verb == Verb::Runs { given_name(rest) } else { None };
        Some(Self { verb, named, gives, rest })
    }

    /// True where it says which container it is about, or what one is to be called.
    pub(super) fn is_particular(&self) -> bool {
        !self.named.is_empty() || self.gives.is_some()
    }

    /// True where it is about the container of that id, cut, or of one of these names.
    pub(super) fn is_about<'n>(&self, id: &str, mut names: impl Iterator<Item = &'n str> + Clone) -> bool {
        let is_named = |word: &str| is_id_of(word, id) || names.clone().any(|name| name == word);
        self.named.iter().any(|word| is_named(word)) || self.gives.is_some_and(|given| names.any(|name| name == given))
    }

    /// True where only the container's name, which nobody told, can say whether it is about it.
    pub(super) fn may_be_about(&self) -> bool {
        self.gives.is_some() || self.named.is_empty() || self.named.iter().any(|word| !is_whole_prefix(word))
    }

    /// The name that the container has if it is this request's.
    pub(super) fn given(&self) -> Option<&'w str> {
        match self.verb {
            Verb::Runs => self.gives,
            Verb::Starts | Verb::Enters => match self.named.as_slice() {
                [word] if !is_whole_prefix(word) => Some(word),
                _ => None,
            },
        }
    }

    /// True where a command line, joined by blanks, is what it wants to be run: its last words. A sensor gives the
    /// program by its bare name.
    pub(super) fn wants(&self, line: &str) -> bool {
        let (program, arguments) = line.split_once(' ').unwrap_or((line, ""));
        // An image or a container comes before the command.
        let places = 1..self.rest.len();
        let mut tails = places.map(|place| (self.rest[place], &self.rest[place + 1..]));
        tails.any(|(first, others)| base(first) == base(program) && others.join(" ") == arguments)
    }
}

/// Where the verb stands, and whether it is one of compose.
fn verb(words: &[&str], mut composed: bool) -> Option<(usize, bool)> {
    let mut place = 1;
    while let Some(word) = words.get(place) {
        if word.starts_with('-') {
            place += 1 + usize::from(VALUED_BEFORE.contains(word));
        } else if GROUPS.contains(word) {
            composed |= *word == "compose";
            place += 1;
        } else {
            return Some((place, composed));
        }
    }
    None
}

/// Words that are neither options nor their values.
fn plain<'w>(words: &'w [&'w str], valued: &'static [&'static str]) -> impl Iterator<Item = &'w str> {
    let mut is_value = false;
    words.iter().copied().filter(move |word| {
        let was_value = std::mem::replace(&mut is_value, valued.contains(word));
        !was_value && !word.starts_with('-')
    })
}

fn given_name<'w>(words: &'w [&'w str]) -> Option<&'w str> {
    let place = words.iter().position(|word| *word == "--name" || word.starts_with("--name="))?;
    words[place].strip_prefix("--name=").or_else(|| words.get(place + 1).copied())
}

/// True for the id or the beginning of it, of which the daemon takes any length.
fn is_id_of(word: &str, id: &str) -> bool {
    const SHORTEST: usize = 4;
    word.len() >= SHORTEST && is_hex(word) && (word.starts_with(id) || id.starts_with(word))
}

/// True for what can hardly be anything but an id.
fn is_whole_prefix(word: &str) -> bool {
    word.len() >= 12 && is_hex(word)
}

pub(super) fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789ab";

    fn words(line: &str) -> Vec<&str> {
        line.split(' ').collect()
    }

    fn verb_of(line: &str) -> Option<Verb> {
        Request::read(&words(line)).map(|request| request.verb)
    }

    #[test]
    fn the_verb_stands_behind_options_and_groups() {
        for line in [
            "docker run image",
            "/opt/bin/docker --context run container run --rm image",
            "docker -D -H tcp://x:1 run image",
            "docker-compose -f run.yml run web",
            "/usr/libexec/docker/cli-plugins/docker-compose compose -p up run web",
            "ctr -n moby run image id",
        ] {
            assert_eq!(verb_of(line), Some(Verb::Runs), "{line}");
        }
        for line in ["docker start x", "docker compose up", "docker buildx build .", "docker image build ."] {
            assert_eq!(verb_of(line), Some(Verb::Starts), "{line}");
        }
        for line in ["docker logs run", "docker ps --filter name=run", "docker rm -f exec", "docker create image"] {
            assert_eq!(verb_of(line), None, "{line}");
        }
        assert_eq!(verb_of("make run"), None);
    }

    #[test]
    fn a_container_is_named_by_id_or_name_in_its_place_only() {
        let about = |line: &str, name: &str| {
            let words = words(line);
            Request::read(&words).expect("a request").is_about(ID, std::iter::once(name))
        };
        let whole = format!("docker exec -it -u 0 {ID}{} sh", "c".repeat(52));
        assert!(about(&whole, "web") && about("docker exec 0123 sh", "web") && about("docker start a web", "web"));
        assert!(about("docker exec -t web sh", "web") && about("docker restart -t 1 web", "web"));
        assert!(about("docker run --name web image", "web") && about("docker run --name=web image", "web"));
        assert!(!about("docker exec db echo web", "web"), "an argument of what is run");
        assert!(!about("docker exec -e web db sh", "web"), "a value of an option");
        assert!(!about("docker exec 01 sh", "web"), "too short");
        assert!(!about("docker compose exec web sh", "web"), "a service");
    }

    #[test]
    fn the_command_is_the_last_words() {
        let line = words("docker run --rm image /bin/sh -c make");
        let request = Request::read(&line).expect("a request");
        assert!(request.wants("sh -c make") && !request.wants("sh -c mak") && !request.wants("make x"));
        let bare = words("docker run sh");
        assert!(!Request::read(&bare).expect("a request").wants("sh"), "the image's name is no command");
    }
}
