// Holds an exported log to npm's @sigstore/verify, which Headwaters did not write.
//
//   node check.mjs MODULES DIR...
//
// MODULES is the node_modules folder. Each DIR holds a checkpoint; vkeys, whose first line is the log's key; and
// proofs.json, written by the code under test. The checkpoint and every inclusion proof go through the functions
// that judge Rekor's; cosignatures are a suite they do not know. One line a DIR; exits 1 on any fault.
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [modules, ...dirs] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const load = (name) => require(path.join(modules, "@sigstore/verify/dist/tlog", name));
const { verifyCheckpoint } = load("checkpoint.js");
const { verifyMerkleInclusion } = load("merkle.js");
const ED25519_SPKI = Buffer.from("302a300506032b6570032100", "hex"); // RFC 8410: what stands before the 32 bytes

// A log as sigstore's trusted root describes it: its key, the name in its notes, and the four bytes of its key id.
function authority(vkey) {
  const [name, id, key] = vkey.split(/\+(.*?)\+(.*)/s);
  const raw = Buffer.from(key, "base64");
  const publicKey = createPublicKey({
    key: Buffer.concat([ED25519_SPKI, raw.subarray(1)]),
    format: "der",
    type: "spki",
  });
  return { baseURL: name, logID: Buffer.from(id, "hex"), publicKey };
}

function check(dir) {
  const envelope = readFileSync(path.join(dir, "checkpoint"), "utf8");
  const log = authority(readFileSync(path.join(dir, "vkeys"), "utf8").split("\n")[0]);
  const claims = JSON.parse(readFileSync(path.join(dir, "proofs.json"), "utf8"));
  const checkpoint = verifyCheckpoint({ inclusionProof: { checkpoint: { envelope } } }, [log]);
  if (checkpoint.origin !== log.baseURL) throw new Error("another log's checkpoint");
  for (const claim of claims.Inclusion) {
    const entry = {
      canonicalizedBody: Buffer.from(claim.Leaf, "base64"),
      inclusionProof: {
        logIndex: String(claim.Index),
        hashes: claim.Path.map((hash) => Buffer.from(hash, "base64")),
        checkpoint: { envelope },
      },
    };
    verifyMerkleInclusion(entry, verifyCheckpoint(entry, [log]));
  }
  return `${checkpoint.logSize} entries, ${claims.Inclusion.length} proofs`;
}

for (const dir of dirs) {
  try {
    console.log(`OK ${check(dir)}`);
  } catch (error) {
    console.log(`REJECTED ${JSON.stringify(String(error))}`);
    process.exitCode = 1;
  }
}
