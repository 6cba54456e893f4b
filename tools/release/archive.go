package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// file is one of an archive, under a path with slashes.
type file struct {
	name string
	mode fs.FileMode
	text []byte
}

func read(path, name string, mode fs.FileMode) (file, error) {
	text, err := os.ReadFile(path)
	return file{name: name, mode: mode, text: text}, err
}

// documents are the files that git knows under the paths, but for the sources
// among them.
func (r *release) documents(ctx context.Context, paths ...string) ([]file, error) {
	list, err := r.output(ctx, nil, "git", append([]string{"ls-files", "-z", "--"}, paths...)...)
	if err != nil {
		return nil, err
	}
	var files []file
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		if strings.HasSuffix(name, ".go") {
			continue
		}
		f, err := read(filepath.Join(r.root, filepath.FromSlash(name)), name, 0o644)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// tarball writes NAME.tar.gz, all of it in a folder.
func (r *release) tarball(name, folder string, files []file) (err error) {
	out, err := os.Create(filepath.Join(r.out, name+".tar.gz"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	compressed, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compressed)
	for _, f := range files {
		h := &tar.Header{Name: folder + "/" + f.name, Mode: int64(f.mode), Size: int64(len(f.text)), ModTime: r.when, Format: tar.FormatUSTAR}
		if err := archive.WriteHeader(h); err != nil {
			return err
		}
		if _, err := archive.Write(f.text); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), compressed.Close())
}

// zip writes NAME.zip, all of it in the folder fairbridge.
func (r *release) zip(name string, files []file) (err error) {
	out, err := os.Create(filepath.Join(r.out, name+".zip"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	archive := zip.NewWriter(out)
	for _, f := range files {
		h := &zip.FileHeader{Name: "fairbridge/" + f.name, Method: zip.Deflate, Modified: r.when}
		h.SetMode(f.mode)
		w, err := archive.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := w.Write(f.text); err != nil {
			return err
		}
	}
	return archive.Close()
}

// gzipped is a text as gzip -9n makes it.
func gzipped(text []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(text)
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// checksums writes what `sha256sum --check` reads.
func checksums(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	var list bytes.Buffer
	for _, e := range entries {
		sum := sha256.New()
		f, err := os.Open(filepath.Join(folder, e.Name()))
		if err != nil {
			return err
		}
		_, err = io.Copy(sum, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		fmt.Fprintf(&list, "%x  %s\n", sum.Sum(nil), e.Name())
	}
	return os.WriteFile(filepath.Join(folder, "checksums.txt"), list.Bytes(), 0o644)
}
