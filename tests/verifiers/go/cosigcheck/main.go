// Command cosigcheck holds an exported log to github.com/transparency-dev/formats and .../merkle, which
// Headwaters did not write.
//
//	cosigcheck DIR...
//
// Each DIR is a tlog-tiles tree with its checkpoint and policy, and two files more: vkeys, one verifier key a
// line, all of which must have signed; and proofs.json, written by the code under test. The note and its
// cosignatures are read by formats/note, the checkpoint by formats/log, the quorum by formats/witness, every
// .tlog-proof by formats/proof; every path is judged by merkle/proof. One line a DIR; it exits 1 on any fault.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	tlogproof "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/formats/witness"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

const algEd25519 = 0x01 // a log's key; whatever else stands in vkeys cosigns

// proofs is what the code under test claims about its own tree.
type proofs struct {
	Inclusion []struct {
		Index uint64
		Leaf  []byte
		Path  [][]byte
		File  string // the same as a c2sp.org/tlog-proof
	}
	Consistency []struct {
		Old  uint64
		Root []byte
		Path [][]byte
	}
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: cosigcheck DIR...")
		os.Exit(64)
	}
	code := 0
	for _, dir := range os.Args[1:] {
		summary, err := check(dir)
		if err != nil {
			fmt.Printf("REJECTED %q\n", err.Error())
			code = 1
			continue
		}
		fmt.Println("OK", summary)
	}
	os.Exit(code)
}

func check(dir string) (string, error) {
	verifiers, err := readKeys(filepath.Join(dir, "vkeys"))
	if err != nil {
		return "", err
	}
	raw, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return "", err
	}
	checkpoint, err := open(raw, verifiers)
	if err != nil {
		return "", err
	}
	if err := checkQuorum(filepath.Join(dir, "policy"), raw); err != nil {
		return "", err
	}
	claims, err := checkProofs(filepath.Join(dir, "proofs.json"), raw, checkpoint)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d entries, %d signatures, %d proofs", checkpoint.Size, len(verifiers), claims), nil
}

func readKeys(path string) ([]note.Verifier, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var verifiers []note.Verifier
	for _, line := range strings.Fields(string(raw)) {
		verifier, err := newVerifier(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		verifiers = append(verifiers, verifier)
	}
	if len(verifiers) == 0 {
		return nil, errors.New("no keys")
	}
	return verifiers, nil
}

// newVerifier reads a log's key, or a cosigner's of any suite that formats/note knows. That package does not
// hold a cosigner's key id against its key, so this does.
func newVerifier(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("malformed verifier key")
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) == 0 {
		return nil, errors.New("malformed verifier key")
	}
	if key[0] == algEd25519 {
		return fnote.NewVerifier(vkey)
	}
	verifier, err := fnote.NewVerifierForCosignatureV1(vkey)
	if err == nil && fmt.Sprintf("%08x", verifier.KeyHash()) != parts[1] {
		return nil, errors.New("another key id")
	}
	return verifier, err
}

// open demands a checkpoint of three lines that every one of the keys has signed, the log's first.
func open(raw []byte, verifiers []note.Verifier) (*log.Checkpoint, error) {
	checkpoint, rest, opened, err := log.ParseCheckpoint(raw, verifiers[0].Name(), verifiers[0], verifiers[1:]...)
	if err != nil {
		return nil, err
	}
	if len(opened.Sigs) != len(verifiers) || len(opened.UnverifiedSigs) != 0 {
		return nil, fmt.Errorf("%d of %d keys signed", len(opened.Sigs), len(verifiers))
	}
	if len(rest) != 0 || opened.Text != string(checkpoint.Marshal()) {
		return nil, errors.New("the checkpoint is not three lines, or not in their one spelling")
	}
	if checkpoint.Size == 0 && !bytes.Equal(checkpoint.Hash, rfc6962.DefaultHasher.EmptyRoot()) {
		return nil, errors.New("an empty log has another root")
	}
	return checkpoint, nil
}

// checkQuorum asks formats/witness. It wants an address for each witness, which tlog-policy leaves optional.
func checkQuorum(path string, checkpoint []byte) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, line := range strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n") {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "witness" {
			line += " https://witness.invalid/"
		}
		text.WriteString(line + "\n")
	}
	group, err := witness.ParsePolicy([]byte(text.String()))
	if err != nil {
		return err
	}
	if group.N == 0 || !group.Satisfied(checkpoint) {
		return errors.New("the quorum is not satisfied")
	}
	return nil
}

func checkProofs(path string, raw []byte, checkpoint *log.Checkpoint) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var claims proofs
	if err := json.Unmarshal(text, &claims); err != nil {
		return 0, err
	}
	for _, claim := range claims.Inclusion {
		leaf := rfc6962.DefaultHasher.HashLeaf(claim.Leaf)
		err := proof.VerifyInclusion(
			rfc6962.DefaultHasher, claim.Index, checkpoint.Size, leaf, claim.Path, checkpoint.Hash)
		if err != nil {
			return 0, fmt.Errorf("inclusion of %d: %w", claim.Index, err)
		}
		if err := checkFile(claim.File, claim.Index, claim.Path, raw); err != nil {
			return 0, fmt.Errorf("the proof file of %d: %w", claim.Index, err)
		}
	}
	for _, claim := range claims.Consistency {
		err := proof.VerifyConsistency(
			rfc6962.DefaultHasher, claim.Old, checkpoint.Size, claim.Path, claim.Root, checkpoint.Hash)
		if err != nil {
			return 0, fmt.Errorf("consistency of %d: %w", claim.Old, err)
		}
	}
	return len(claims.Inclusion) + len(claims.Consistency), nil
}

// checkFile demands that a .tlog-proof says what was just verified, and is what formats/proof would write.
func checkFile(file string, index uint64, path [][]byte, checkpoint []byte) error {
	var read tlogproof.TLogProof
	if err := read.Unmarshal([]byte(file)); err != nil {
		return err
	}
	if string(read.Marshal()) != file {
		return errors.New("formats/proof spells it in another way")
	}
	if read.Index != index || len(read.Hashes) != len(path) || !bytes.Equal(read.Checkpoint, checkpoint) {
		return errors.New("it is another proof")
	}
	for i, hash := range read.Hashes {
		if !bytes.Equal(hash[:], path[i]) {
			return errors.New("it has another path")
		}
	}
	return nil
}
