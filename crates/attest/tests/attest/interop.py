"""Reads our key and envelope with securesystemslib, and signs one for us with the same key."""
import json
import pathlib
import sys

from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner, SSlibKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

folder = pathlib.Path(sys.argv[1])
ours = json.loads((folder / "ours.json").read_text())
# The library finds the key of a signature by its id.
keyid = ours["signatures"][0]["keyid"]
public = SSlibKey.from_crypto(load_pem_public_key((folder / "key.pub.pem").read_bytes()), keyid=keyid)
Envelope.from_dict(json.loads(json.dumps(ours))).verify([public], 1)
altered = Envelope.from_dict(json.loads(json.dumps(ours)))
altered.payload += b" "
try:
    altered.verify([public], 1)
except Exception:
    pass
else:
    sys.exit("an altered payload verified")
signer = CryptoSigner(load_pem_private_key((folder / "key.pem").read_bytes(), None))
theirs = Envelope(b'{"from":"securesystemslib"}', "application/vnd.in-toto+json", {})
theirs.sign(signer)
(folder / "theirs.json").write_text(json.dumps(theirs.to_dict()))
