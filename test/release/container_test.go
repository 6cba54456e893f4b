//go:build release && linux

package release

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestContainer builds the image as the README describes, without Go, in the archive's
// folder. Debian's buildah, which needs no daemon, replaces docker. What the image does is
// tested in cmd/fairbridge.
func TestContainer(t *testing.T) {
	folder := t.TempDir()
	do(t, folder, "tar", "xzf", absolute(t, here(files+"/fairbridge_linux_%s.tar.gz")))
	archive, storage := filepath.Join(folder, "fairbridge"), filepath.Join(folder, "storage")
	buildah := "buildah --storage-driver vfs --root " + storage + "/root --runroot " + storage + "/run "
	docker := "#!/bin/sh\nshift\nexec " + buildah + "build --quiet --isolation chroot --format docker \"$@\"\n"
	if err := os.WriteFile(filepath.Join(folder, "docker"), []byte(docker), 0o755); err != nil {
		t.Fatal(err)
	}
	built := false
	for _, block := range blocks(t, "## Install") {
		if strings.Contains(block, "docker build") {
			do(t, archive, "sh", "-euc", "PATH="+folder+":/usr/bin:/bin:/usr/sbin\n"+block)
			built = true
		}
	}
	if !built {
		t.Fatal("the README builds no image")
	}
	root := strings.TrimSpace(do(t, "", "sh", "-euc", buildah+"mount $("+buildah+"from --quiet localhost/fairbridge)"))
	defer do(t, "", "sh", "-euc", buildah+"umount --all")
	if !bytes.Equal(load(t, filepath.Join(root, "usr/bin/fairbridge")), load(t, filepath.Join(archive, "fairbridge"))) {
		t.Error("the image has another command than the archive")
	}
	if said := do(t, "", "chroot", root, "/usr/bin/fairbridge", "--version"); !strings.HasPrefix(said, "fairbridge 0.") {
		t.Errorf("in the image: %q", said)
	}
}
