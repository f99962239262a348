//! securesystemslib, the reference implementation, agrees in both directions.

use crate::{signer, trust};
use agentprov_attest::envelope::IN_TOTO;
use agentprov_attest::{Envelope, verify};
use agentprov_log::note::pem;
use std::path::Path;
use std::process::Command;

/// A Python that has the package; another one than `python3` is named by `AGENTPROV_TEST_SECURESYSTEMSLIB`.
fn python() -> Option<String> {
    let name = std::env::var("AGENTPROV_TEST_SECURESYSTEMSLIB").unwrap_or_else(|_| "python3".into());
    let import = "import securesystemslib.dsse, cryptography";
    let found = Command::new(&name).args(["-c", import]).output().is_ok_and(|output| output.status.success());
    found.then_some(name)
}

#[test]
fn securesystemslib_agrees() {
    let Some(python) = python() else {
        println!(
            "SKIP securesystemslib_agrees: no Python with securesystemslib (pip install securesystemslib[crypto])"
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write("key.pem", pem::private_pem(&[1; 32]));
    write("key.pub.pem", signer(1).verifier().to_pem());
    write("ours.json", Envelope::sign(IN_TOTO, b"{\"from\":\"agentprov\"}".to_vec(), &signer(1)).to_json().unwrap());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attest/interop.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs = Envelope::parse(&std::fs::read(folder.path().join("theirs.json")).unwrap()).unwrap();
    let verified = verify(&theirs, &trust(&[1], 1), &[IN_TOTO]).unwrap();
    assert_eq!(verified.payload, b"{\"from\":\"securesystemslib\"}");
}
