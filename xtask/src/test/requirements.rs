//! What the tests need from the machine, and why. Add a row here when a test needs one more thing.

/// A program and the Debian package that brings it.
pub(crate) struct SystemPackage {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
    pub(crate) reason: &'static str,
}

pub(crate) const SYSTEM_PACKAGES: &[SystemPackage] = &[
    SystemPackage { program: "cc", package: "gcc", reason: "compiles the bundled SQLite and zstd" },
    SystemPackage { program: "dot", package: "graphviz", reason: "the reader of the pictures that are drawn" },
    SystemPackage {
        program: "git",
        package: "git",
        reason: "the reference for blob ids, and the workspaces that tests record in",
    },
    SystemPackage { program: "jq", package: "jq", reason: "reads the JSON output as a script would" },
    SystemPackage { program: "pip3", package: "python3-pip", reason: "brings clients and engines from PyPI" },
    SystemPackage {
        program: "python3",
        package: "python3",
        reason: "a recorded program that is neither a shell nor compiled",
    },
    SystemPackage {
        program: "sqlite3",
        package: "sqlite3",
        reason: "opens the store from outside to check its integrity",
    },
    SystemPackage {
        program: "strace",
        package: "strace",
        reason: "the reference for what a recorded process did, and the rival in the benches",
    },
];

/// A part of the Rust toolchain that a minimal installation leaves out.
pub(crate) struct ToolchainComponent {
    pub(crate) subcommand: &'static str,
    pub(crate) component: &'static str,
}

pub(crate) const TOOLCHAIN_COMPONENTS: &[ToolchainComponent] = &[
    ToolchainComponent { subcommand: "fmt", component: "rustfmt" },
    ToolchainComponent { subcommand: "clippy", component: "clippy" },
];
