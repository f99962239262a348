//! The service as clients written in Python see it: one as the existing service's, and one that tries everything that the
//! published description allows and forbids.

use crate::bounded::InTime as _;
use crate::place::{Place, Said, has};
use crate::python::python_packages;
use crate::service::Daemon;
use std::path::Path;
use std::process::{Command, Output};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/service");

/// Runs Python with packages from PyPI against a service; None where they can't be had.
fn python(test: &str, packages: (&str, &[&str]), run: impl FnOnce(&mut Command, &Daemon)) -> Option<Output> {
    if !has(test, "python3") {
        return None;
    }
    let Some(folder) = python_packages(packages.0, packages.1) else {
        println!("SKIP {test}: {} can't be installed from PyPI", packages.1.join(" and "));
        return None;
    };
    let place = Place::new();
    let daemon = Daemon::start(&place);
    let mut command = Command::new("python3");
    run(&mut command, &daemon);
    let path = std::env::join_paths([folder.as_path(), Path::new(SCRIPTS)]).expect("folders without colons");
    let surrounded = place.surround(&mut command).env("PYTHONPATH", path).env("PYTHONDONTWRITEBYTECODE", "1");
    Some(surrounded.output_in_time())
}

#[test]
fn a_client_of_the_existing_service_is_served() {
    let test = "a_client_of_the_existing_service_is_served";
    let output = python(test, ("httpx", &["httpx==0.28.1", "cryptography==46.0.3"]), |command, daemon| {
        command.arg(format!("{SCRIPTS}/client.py")).args([&daemon.address, &daemon.token]);
    });
    if let Some(output) = output {
        assert_eq!(Said::of(&output).ok().stdout, "done\n");
    }
}

#[test]
fn the_service_keeps_to_its_description() {
    let test = "the_service_keeps_to_its_description";
    let full = std::env::var_os("AGENTPROV_TEST_FULL").is_some();
    let output = python(test, ("schemathesis", &["schemathesis==4.32.5"]), |command, daemon| {
        let program = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())";
        command
            .args(["-c", program, "--config-file", &format!("{SCRIPTS}/schemathesis.toml"), "run"])
            .arg(format!("http://{}/openapi.json", daemon.address))
            .args(["--header", &format!("Authorization: Bearer {}", daemon.token)])
            .args(["--seed", "7", "--max-examples", if full { "500" } else { "20" }, "--continue-on-failure"]);
    });
    if let Some(output) = output {
        let said = Said::of(&output).ok();
        assert!(said.stdout.contains("Stateful"), "{}", said.stdout);
        assert!(!said.stdout.contains("FAILURES"), "{}", said.stdout);
    }
}
