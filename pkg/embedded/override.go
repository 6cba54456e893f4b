package embedded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"fairbridge/pkg/secrets"
)

// overridable is the path of the parameters that the environment can override. No other
// name may be read from the environment.
const overridable = "/fairbridge/"

// Override is a value that takes precedence over a stored parameter.
type Override struct {
	Value string
	// Variable is its environment variable, Credential its file in systemd's
	// $CREDENTIALS_DIRECTORY; only one is set. Both are "" if there is no value.
	Variable, Credential string
}

// OverrideOf returns the override of a stored parameter below /fairbridge/. For
// /fairbridge/centercode-api-key it is the environment variable
// FAIRBRIDGE_CENTERCODE_API_KEY, or systemd's credential fairbridge.centercode-api-key; an
// empty one counts as not set, and an invalid one is an error. getenv is os.Getenv, or a substitute in a test. See
// https://systemd.io/CREDENTIALS/
func OverrideOf(parameter string, getenv func(string) string) (Override, error) {
	name, below := strings.CutPrefix(parameter, overridable)
	if !below {
		return Override{}, nil
	}
	variable := "FAIRBRIDGE_" + strings.ToUpper(strings.NewReplacer("/", "_", "-", "_").Replace(name))
	if value := getenv(variable); value != "" {
		value, err := secrets.Check(name, value)
		if err != nil {
			return Override{}, fmt.Errorf("the environment variable %s: %w", variable, err)
		}
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
	if value, err = secrets.Check(name, value); err != nil {
		return Override{}, fmt.Errorf("the credential %s of systemd: %w", credential, err)
	}
	return Override{Value: value, Credential: credential}, nil
}

// readCredential returns "" for a missing file. A trailing newline, which editors add, is
// not part of the secret.
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
