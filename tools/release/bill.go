package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
)

// bill writes NAME.cdx.json, the bill of materials of a binary: the modules that Go
// says it was linked from, and Go's standard library.
// https://cyclonedx.org/docs/1.6/json/
func (r *release) bill(name, component, binary string) (err error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	root := library("fairbridge", r.version, "")
	root.Type, root.Name, root.BOMRef = cyclonedx.ComponentTypeApplication, component, component
	root.Licenses = &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "MIT"}}}
	components := []cyclonedx.Component{library("std", strings.TrimPrefix(info.GoVersion, "go"), "")}
	for _, m := range linked(info) {
		components = append(components, library(m.Path, m.Version, m.Sum))
	}
	refs := make([]string, len(components))
	for i, c := range components {
		refs[i] = c.BOMRef
	}
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Timestamp: r.when.Format(time.RFC3339), Component: &root}
	bom.Components = &components
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: component, Dependencies: &refs}}
	out, err := os.Create(filepath.Join(r.out, name+".cdx.json"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return cyclonedx.NewBOMEncoder(out, cyclonedx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cyclonedx.SpecVersion1_6)
}

// linked are the modules of a binary, each as it was built.
func linked(info *debug.BuildInfo) []*debug.Module {
	modules := slices.Clone(info.Deps)
	for i, m := range modules {
		if m.Replace != nil {
			modules[i] = m.Replace
		}
	}
	return modules
}

// library is a module as a component. Its hash is the one of go.sum.
func library(path, version, sum string) cyclonedx.Component {
	url := "pkg:golang/" + path + "@" + version
	c := cyclonedx.Component{BOMRef: url, Type: cyclonedx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: url}
	if hash, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "h1:")); err == nil && len(hash) > 0 {
		c.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(hash)}}
	}
	return c
}

// licences is THIRD_PARTY_LICENSES: what the modules in the binaries want to be
// passed on with them.
func (r *release) licences(ctx context.Context, binaries ...string) (file, error) {
	modules := map[string]string{} // path@version to folder
	for _, binary := range binaries {
		info, err := buildinfo.ReadFile(binary)
		if err != nil {
			return file{}, err
		}
		for _, m := range linked(info) {
			modules[m.Path+"@"+m.Version] = ""
		}
	}
	names := slices.Sorted(maps.Keys(modules))
	list, err := r.output(ctx, nil, "go", append([]string{"mod", "download", "-json"}, names...)...)
	if err != nil {
		return file{}, err
	}
	for decoder := json.NewDecoder(bytes.NewReader(list)); ; {
		var m struct{ Path, Version, Dir string }
		if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return file{}, err
		}
		modules[m.Path+"@"+m.Version] = m.Dir
	}
	goroot, err := r.output(ctx, nil, "go", "env", "GOROOT")
	if err != nil {
		return file{}, err
	}
	var text bytes.Buffer
	if err := quote(&text, "Go's standard library", strings.TrimSpace(string(goroot))); err != nil {
		return file{}, err
	}
	for _, name := range names {
		if err := quote(&text, name, modules[name]); err != nil {
			return file{}, err
		}
	}
	return file{name: "THIRD_PARTY_LICENSES", mode: 0o644, text: text.Bytes()}, nil
}

// quote appends a module's licences and notices, of which there is at least one.
func quote(to *bytes.Buffer, name, folder string) error {
	var files []string
	for _, pattern := range []string{"LICENSE*", "LICENCE*", "COPYING*", "NOTICE*"} {
		found, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			return err
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		return fmt.Errorf("%s has no licence in %s", name, folder)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(to, "%s\n%s: %s\n\n%s\n", strings.Repeat("=", 78), name, filepath.Base(path), text)
	}
	return nil
}
