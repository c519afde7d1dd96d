// Command logcheck holds an exported log to code that Headwaters did not write.
//
//	logcheck DIR
//
// DIR is a tlog-tiles tree (checkpoint, tile/...) with two files more: vkeys, one verifier key a line, all of
// which must have signed; and proofs.json, written by the code under test. It checks every signature with
// golang.org/x/mod/sumdb/note, every entry and tile with sumdb/tlog, and every proof. It exits 1 on any fault.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height         = 8    // of a tile, fixed by c2sp.org/tlog-tiles
	algCosignature = 0x04 // the type byte of c2sp.org/tlog-cosignature
)

// proofs is what the code under test claims about its own tree.
type proofs struct {
	Inclusion []struct {
		Index int64
		Leaf  []byte
		Path  [][]byte
	}
	Consistency []struct {
		Old  int64
		Root []byte
		Path [][]byte
	}
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: logcheck DIR")
		os.Exit(64)
	}
	summary, err := check(os.Args[1])
	if err != nil {
		fmt.Println("REJECTED", err)
		os.Exit(1)
	}
	fmt.Println("OK", summary)
}

func check(dir string) (string, error) {
	tree, signatures, err := openCheckpoint(dir)
	if err != nil {
		return "", err
	}
	reader := tlog.TileHashReader(tree, &tiles{dir: dir})
	leaves, err := checkEntries(dir, tree, reader)
	if err != nil {
		return "", err
	}
	claims, err := checkProofs(dir, tree, leaves)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d entries, %d signatures, %d proofs", tree.N, signatures, claims), nil
}

// openCheckpoint verifies the note under every key of the vkeys file and reads its tree.
func openCheckpoint(dir string) (tlog.Tree, int, error) {
	keys, err := os.ReadFile(filepath.Join(dir, "vkeys"))
	if err != nil {
		return tlog.Tree{}, 0, err
	}
	var verifiers []note.Verifier
	for _, line := range strings.Fields(string(keys)) {
		verifier, err := newVerifier(line)
		if err != nil {
			return tlog.Tree{}, 0, err
		}
		verifiers = append(verifiers, verifier)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return tlog.Tree{}, 0, err
	}
	opened, err := note.Open(raw, note.VerifierList(verifiers...))
	if err != nil {
		return tlog.Tree{}, 0, err
	}
	if len(opened.Sigs) != len(verifiers) || len(opened.UnverifiedSigs) != 0 {
		return tlog.Tree{}, 0, fmt.Errorf("%d of %d keys signed", len(opened.Sigs), len(verifiers))
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifiers[0].Name() {
		return tlog.Tree{}, 0, errors.New("the checkpoint is not three lines under the log's name")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, 0, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, len(opened.Sigs), err
}

// checkEntries hashes every entry against its tile, which the reader authenticates under the root, and demands
// that every tile is there and is what the entries make of it.
func checkEntries(dir string, tree tlog.Tree, reader tlog.HashReader) ([]tlog.Hash, error) {
	if tree.N == 0 {
		if tree.Hash != sha256.Sum256(nil) {
			return nil, errors.New("an empty log has another root")
		}
		return nil, nil
	}
	var leaves []tlog.Hash
	for n := int64(0); n<<height < tree.N; n++ {
		width := int(min(1<<height, tree.N-n<<height))
		path := tlog.Tile{H: height, L: -1, N: n, W: width}.Path()
		raw, err := os.ReadFile(filepath.Join(dir, "tile/entries", strings.TrimPrefix(path, "tile/8/data/")))
		if err != nil {
			return nil, err
		}
		var indexes []int64
		for len(raw) > 0 {
			entry, rest, err := cutEntry(raw)
			if err != nil {
				return nil, fmt.Errorf("bundle %d: %w", n, err)
			}
			indexes = append(indexes, tlog.StoredHashIndex(0, int64(len(leaves))))
			leaves = append(leaves, tlog.RecordHash(entry))
			raw = rest
		}
		if len(indexes) != width {
			return nil, fmt.Errorf("bundle %d holds %d entries, not %d", n, len(indexes), width)
		}
		stored, err := reader.ReadHashes(indexes)
		if err != nil {
			return nil, err
		}
		for i, hash := range stored {
			if hash != leaves[int(n)<<height+i] {
				return nil, fmt.Errorf("entry %d is not what its tile says", int(n)<<height+i)
			}
		}
	}
	return leaves, rebuildTiles(dir, tree, leaves)
}

// cutEntry takes one entry off a bundle, after its length in 16 bits.
func cutEntry(raw []byte) (entry, rest []byte, err error) {
	if len(raw) < 2 || len(raw)-2 < int(binary.BigEndian.Uint16(raw)) {
		return nil, nil, errors.New("an entry is cut off")
	}
	end := 2 + int(binary.BigEndian.Uint16(raw))
	return raw[2:end], raw[end:], nil
}

// rebuildTiles compares every tile with what the entries make of it: the reader leaves out those it can spare.
func rebuildTiles(dir string, tree tlog.Tree, leaves []tlog.Hash) error {
	for level, hashes := 0, leaves; len(hashes) > 0; level++ {
		var above []tlog.Hash
		for n := 0; n<<height < len(hashes); n++ {
			row := hashes[n<<height : min((n+1)<<height, len(hashes))]
			tile := tlog.Tile{H: height, L: level, N: int64(n), W: len(row)}
			raw, err := os.ReadFile(filepath.Join(dir, tilePath(tile)))
			if err != nil {
				return err
			}
			var want bytes.Buffer
			for _, hash := range row {
				want.Write(hash[:])
			}
			if !bytes.Equal(raw, want.Bytes()) {
				return fmt.Errorf("%s is not what its entries say", tilePath(tile))
			}
			if len(row) == 1<<height {
				for len(row) > 1 {
					half := make([]tlog.Hash, len(row)/2)
					for i := range half {
						half[i] = tlog.NodeHash(row[2*i], row[2*i+1])
					}
					row = half
				}
				above = append(above, row[0])
			}
		}
		hashes = above
	}
	return nil
}

func checkProofs(dir string, tree tlog.Tree, leaves []tlog.Hash) (int, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "proofs.json"))
	if err != nil {
		return 0, err
	}
	var claims proofs
	if err := json.Unmarshal(raw, &claims); err != nil {
		return 0, err
	}
	for _, claim := range claims.Inclusion {
		path, err := toHashes(claim.Path)
		if err != nil || claim.Index >= tree.N {
			return 0, fmt.Errorf("inclusion of %d is malformed", claim.Index)
		}
		if tlog.RecordHash(claim.Leaf) != leaves[claim.Index] {
			return 0, fmt.Errorf("entry %d is another than the one claimed", claim.Index)
		}
		if err := tlog.CheckRecord(path, tree.N, tree.Hash, claim.Index, leaves[claim.Index]); err != nil {
			return 0, fmt.Errorf("inclusion of %d: %w", claim.Index, err)
		}
	}
	for _, claim := range claims.Consistency {
		path, err := toHashes(append(claim.Path, claim.Root))
		if err != nil {
			return 0, fmt.Errorf("consistency of %d: %w", claim.Old, err)
		}
		if err := tlog.CheckTree(path[:len(path)-1], tree.N, tree.Hash, claim.Old, path[len(path)-1]); err != nil {
			return 0, fmt.Errorf("consistency of %d: %w", claim.Old, err)
		}
	}
	return len(claims.Inclusion) + len(claims.Consistency), nil
}

func toHashes(raw [][]byte) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(raw))
	for i, one := range raw {
		if len(one) != tlog.HashSize {
			return nil, errors.New("a hash is not 32 bytes")
		}
		copy(hashes[i][:], one)
	}
	return hashes, nil
}

// tiles reads hash tiles from the export; x/mod puts the tile height into the path and tlog-tiles does not.
type tiles struct{ dir string }

func (t *tiles) Height() int                         { return height }
func (t *tiles) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (t *tiles) ReadTiles(want []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range want {
		raw, err := os.ReadFile(filepath.Join(t.dir, tilePath(tile)))
		if err != nil {
			return nil, err
		}
		found = append(found, raw)
	}
	return found, nil
}

func tilePath(tile tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height))
}

// newVerifier reads a key that x/mod knows, or a cosigner's.
func newVerifier(vkey string) (note.Verifier, error) {
	if verifier, err := note.NewVerifier(vkey); err == nil {
		return verifier, nil
	}
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("malformed verifier key")
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != algCosignature {
		return nil, fmt.Errorf("%s is neither a log's nor a witness's key", parts[0])
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	id := binary.BigEndian.Uint32(sum[:])
	if fmt.Sprintf("%08x", id) != parts[1] {
		return nil, fmt.Errorf("%s has another key id", parts[0])
	}
	return &cosigner{name: parts[0], id: id, key: key[1:]}, nil
}

// cosigner verifies cosignature/v1: eight bytes of time, then Ed25519 over the time and the note's text.
type cosigner struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.id }
func (c *cosigner) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), text)
	return ed25519.Verify(c.key, []byte(message), sig[8:])
}
