package secrets

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
)

// MissingError means that a secret's parameter does not exist. It is an [ErrNotFound].
type MissingError struct{ Parameter string }

// Name returns the secret's name.
func (e *MissingError) Name() string { return path.Base(e.Parameter) }

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("%v: there is no parameter %s; create it with: fairbridge secrets put %s", ErrNotFound, e.Parameter, e.Name())
}

// Unwrap returns [ErrNotFound].
func (e *MissingError) Unwrap() error { return ErrNotFound }

// getParameter reads one SecureString, without the trailing newline that editors and shells
// add.
func getParameter(ctx context.Context, api API, parameter string) (string, error) {
	value, err := api.GetParameter(ctx, parameter)
	if errors.Is(err, ErrNotFound) {
		return "", &MissingError{parameter}
	}
	if err != nil {
		return "", fmt.Errorf("read secret %s: %w", parameter, err)
	}
	value = strings.TrimRight(value, "\r\n")
	if strings.TrimSpace(value) == "" {
		return "", fmt.Errorf("%w: parameter %s is empty; set it with: fairbridge secrets put %s",
			ErrEmpty, parameter, path.Base(parameter))
	}
	return value, nil
}

// Tokens splits the value of [WebhookToken] into its tokens, one a line. There are two
// during a rotation. Empty lines and surrounding white space are ignored.
func Tokens(value string) []string {
	var tokens []string
	for line := range strings.Lines(value) {
		if token := strings.TrimSpace(line); token != "" {
			tokens = append(tokens, token)
		}
	}
	return tokens
}
