package simulator

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
)

// generatedSize returns the size in bytes that a path /generated/{bytes}.bin requests.
func generatedSize(path string) (int64, bool) {
	digits, ok := strings.CutPrefix(path, "/generated/")
	if !ok {
		return 0, false
	}
	if digits, ok = strings.CutSuffix(digits, ".bin"); !ok {
		return 0, false
	}
	size, err := strconv.ParseInt(digits, 10, 64)
	return size, err == nil && size >= 0
}

// blockSize is the unit of a generated file: each block is its number followed by the same
// pseudo-random bytes. Generating a file costs no more than a copy, and a lost, duplicated
// or moved byte is still detected.
const blockSize = 64 << 10

var randomBlock = sync.OnceValue(func() []byte {
	block := make([]byte, blockSize)
	_, _ = rand.NewChaCha8([32]byte([]byte("fairbridge generated test file 1"))).Read(block) // never fails
	return block
})

// generated is a file of any size, generated as it is read.
type generated struct {
	size, offset int64
	edition      uint64
}

func newGenerated(size int64, edition int) *generated {
	return &generated{size: size, edition: uint64(edition)}
}

// Read implements io.Reader.
func (g *generated) Read(p []byte) (int, error) {
	if g.offset >= g.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), g.size-g.offset)]
	for rest := p; len(rest) > 0; {
		number, within := g.offset/blockSize, int(g.offset%blockSize)
		n := copy(rest, randomBlock()[within:])
		var head [16]byte
		binary.BigEndian.PutUint64(head[:8], uint64(number))
		binary.BigEndian.PutUint64(head[8:], g.edition)
		if within < len(head) {
			copy(rest[:n], head[within:])
		}
		g.offset += int64(n)
		rest = rest[n:]
	}
	return len(p), nil
}

// Seek implements io.Seeker.
func (g *generated) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += g.offset
	case io.SeekEnd:
		offset += g.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start of the file")
	}
	g.offset = offset
	return offset, nil
}
