//! Builds of Rust crates: a compiler, a linker, and many reads.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::super::contestant::Contestant;
use super::super::workload::{Bare, Expected, Fixture, Missing, Workload};
use super::rust_source;
use crate::Result;
use crate::scratch::Scratch;

pub(crate) struct CargoBuild {
    name: &'static str,
    /// Source is added until the bare build takes this long.
    at_least: Duration,
}

impl CargoBuild {
    pub(crate) const SMALL: Self = Self { name: "cargo build of a small crate", at_least: Duration::ZERO };
    pub(crate) const LONG: Self = Self { name: "cargo build of 5 s or more", at_least: Duration::from_secs(5) };
}

/// Far more than any machine of today needs to reach the duration.
const MOST_MODULES: usize = 1024;

impl Workload for CargoBuild {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self) -> Result<std::result::Result<Rc<dyn Fixture>, Missing>> {
        let directory = Scratch::new("crate")?;
        let manifest = "[package]\nname = \"measured\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n";
        super::write(&directory.path().join("Cargo.toml"), manifest)?;
        let fixture = Rc::new(Crate(directory));
        let mut modules = if self.at_least.is_zero() { 0 } else { 16 };
        loop {
            let source = rust_source::program(modules);
            super::write(&fixture.0.path().join("src/main.rs"), &source)?;
            if self.at_least.is_zero() {
                return Ok(Ok(fixture));
            }
            fixture.reset()?;
            let took = Bare(fixture.clone()).run()?;
            fixture.assert_done()?;
            if took >= self.at_least {
                return Ok(Ok(fixture));
            }
            if modules >= MOST_MODULES {
                return Err(format!("{modules} modules build in {took:?}; raise MOST_MODULES"));
            }
            // A little beyond the aim, so that the last step does not build for twice as long as it must.
            let times = 1.15 * self.at_least.as_secs_f64() / took.as_secs_f64();
            modules = (modules as f64 * times.clamp(1.15, 4.0)).ceil() as usize;
        }
    }
}

struct Crate(Scratch);

impl Crate {
    fn target(&self) -> PathBuf {
        self.0.path().join("target")
    }
}

impl Fixture for Crate {
    fn directory(&self) -> &Path {
        self.0.path()
    }

    fn command(&self) -> Vec<OsString> {
        // A target folder set in the environment would be shared by the runs.
        super::words(&["cargo", "build", "--quiet", "--offline", "--target-dir", "target"])
    }

    fn reset(&self) -> Result<()> {
        super::remove(&self.target())
    }

    fn assert_done(&self) -> Result<()> {
        let program = self.target().join("debug/measured");
        if program.is_file() { Ok(()) } else { Err(format!("{} was not built", program.display())) }
    }

    fn expected(&self) -> Expected {
        // cargo, rustc, and the linker's driver; the program and its dependency file.
        Expected { processes: 3, changed_files: 2 }
    }
}
