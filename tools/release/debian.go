package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// debian makes fairbridge_ARCH.deb of the archive's files and of deploy/debian.
// Debian's own dpkg-deb packs it.
func (r *release) debian(ctx context.Context, t target, files []file) error {
	tree := filepath.Join(r.work, "debian_"+t.arch)
	if err := os.RemoveAll(tree); err != nil {
		return err
	}
	own, err := r.documents(ctx, "deploy/debian")
	if err != nil {
		return err
	}
	var size int
	for _, f := range slices.Concat(files, own) {
		to, err := installed(&f)
		if err != nil {
			return err
		}
		if to == "" {
			continue
		}
		size += len(f.text)
		if err := place(filepath.Join(tree, to), f); err != nil {
			return err
		}
	}
	control, err := os.ReadFile(filepath.Join(r.root, "deploy", "debian", "control"))
	if err != nil {
		return err
	}
	filled := strings.NewReplacer("@VERSION@", r.version, "@ARCH@", t.arch, "@SIZE@", strconv.Itoa((size+1023)/1024)).Replace(string(control))
	if err := place(filepath.Join(tree, "DEBIAN", "control"), file{mode: 0o644, text: []byte(filled)}); err != nil {
		return err
	}
	// gzip, since what xz writes depends on the number of processors.
	_, err = r.output(ctx, []string{"SOURCE_DATE_EPOCH=" + strconv.FormatInt(r.when.Unix(), 10)},
		"dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, filepath.Join(r.out, "fairbridge_"+t.arch+".deb"))
	return err
}

// installed returns where a file of the archive is in the Debian package, "" for
// those that are not. It may change the file.
// https://www.debian.org/doc/debian-policy/ch-docs.html
func installed(f *file) (path string, err error) {
	const doc = "usr/share/doc/fairbridge/"
	folder, base := filepath.Split(f.name)
	switch {
	case f.name == "fairbridge":
		return "usr/bin/fairbridge", nil
	case f.name == "fairbridge.yaml" || f.name == "fairbridge.schema.json":
		return "etc/fairbridge/" + f.name, nil
	case folder == "deploy/systemd/":
		return "usr/lib/systemd/system/" + base, nil
	case folder == "deploy/debian/":
		if base == "control" {
			return "", nil // filled in by the caller
		}
		if base != "conffiles" {
			f.mode = 0o755
		}
		return "DEBIAN/" + base, nil
	case f.name == "completions/fairbridge.bash":
		return "usr/share/bash-completion/completions/fairbridge", nil
	case f.name == "completions/_fairbridge":
		return "usr/share/zsh/vendor-completions/_fairbridge", nil
	case f.name == "completions/fairbridge.fish":
		return "usr/share/fish/vendor_completions.d/fairbridge.fish", nil
	case folder == "completions/":
		return "", nil
	case f.name == "LICENSE":
		return doc + "copyright", nil
	case f.name == "CHANGELOG.md":
		f.text, err = gzipped(f.text)
		return doc + "changelog.gz", err
	}
	return doc + f.name, nil
}

// place writes a file with its mode, whatever the umask is.
func place(path string, f file) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, f.text, f.mode); err != nil {
		return fmt.Errorf("the tree of the Debian package: %w", err)
	}
	return os.Chmod(path, f.mode)
}
