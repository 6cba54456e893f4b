package embedded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// overridable is the path below which what the process was given takes precedence.
// No other name may reach into the environment.
const overridable = "/fairbridge/"

// Override is a value that stands before the stored one of a parameter.
type Override struct {
	Value string
	// Variable is the environment variable that it is from, else Credential the
	// file in systemd's $CREDENTIALS_DIRECTORY. Both are "" if there is no value.
	Variable, Credential string
}

// OverrideOf looks for what stands before a stored parameter below /fairbridge/. For
// /fairbridge/centercode-api-key that is the environment variable
// FAIRBRIDGE_CENTERCODE_API_KEY, or the credential fairbridge.centercode-api-key of
// systemd; an empty one counts as not set. getenv is os.Getenv, or what stands for it
// in a test.
// https://systemd.io/CREDENTIALS/
func OverrideOf(parameter string, getenv func(string) string) (Override, error) {
	name, below := strings.CutPrefix(parameter, overridable)
	if !below {
		return Override{}, nil
	}
	variable := "FAIRBRIDGE_" + strings.ToUpper(strings.NewReplacer("/", "_", "-", "_").Replace(name))
	if value := getenv(variable); value != "" {
		return Override{Value: value, Variable: variable}, nil
	}
	folder := getenv("CREDENTIALS_DIRECTORY")
	if folder == "" || !validName(name) {
		return Override{}, nil
	}
	credential := "fairbridge." + name
	value, err := readCredential(filepath.Join(folder, credential))
	if err != nil || value == "" {
		return Override{}, err
	}
	return Override{Value: value, Credential: credential}, nil
}

// readCredential returns "" for a file that is not there. The line end that an
// editor leaves is no part of a secret.
func readCredential(file string) (string, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read a credential of systemd: %w", err)
	}
	defer f.Close()
	value, err := io.ReadAll(io.LimitReader(f, maxParameterBytes+1))
	if err != nil {
		return "", fmt.Errorf("read a credential of systemd: %w", err)
	}
	if len(value) > maxParameterBytes {
		return "", fmt.Errorf("the credential %s is longer than %d bytes", file, maxParameterBytes)
	}
	return strings.TrimRight(string(value), "\r\n"), nil
}
