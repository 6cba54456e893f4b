package home

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"fairbridge/pkg/embedded"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/secrets/parameterstore"
)

var (
	// ErrNoToken means that there is no webhook token yet.
	ErrNoToken = errors.New("there is no " + secrets.WebhookToken + " yet")
	// ErrTokenExists means that there already is a webhook token.
	ErrTokenExists = errors.New("there is a " + secrets.WebhookToken + " already")
	// ErrTokenRotating means that there already are two webhook tokens, and TestFairy may
	// still send the previous one.
	ErrTokenRotating = errors.New("the " + secrets.WebhookToken + " is being replaced already")
)

// SecretState is what can be shown about a secret.
type SecretState struct {
	Name   string `json:"name"`
	Exists bool   `json:"exists"`
	// Hidden means that the caller is not allowed to see whether it exists.
	Hidden bool `json:"hidden,omitempty"`
	// Since is when the value was stored, Version its number.
	Since   time.Time `json:"since,omitzero"`
	Version int64     `json:"version,omitempty"`
	// Variable is the environment variable, Credential the systemd credential, that takes
	// precedence over the stored value.
	Variable   string `json:"environmentVariable,omitempty"`
	Credential string `json:"credential,omitempty"`
}

// String describes the state.
func (s SecretState) String() string {
	switch {
	case s.Variable != "":
		return "in the environment variable " + s.Variable
	case s.Credential != "":
		return "in the credential " + s.Credential + " of systemd"
	case s.Hidden:
		return "not for these AWS credentials to see"
	case !s.Exists:
		return "missing"
	}
	return fmt.Sprintf("since %s (version %d)", s.Since.Format("2006-01-02 15:04:05 UTC"), s.Version)
}

// Secrets returns the state of each secret, without decrypting any. The console's password
// is left out if there is none, or it is hidden.
func (h *Home) Secrets(ctx context.Context) ([]SecretState, error) {
	var states []SecretState
	for _, name := range append(secrets.Names(), secrets.ConsolePassword) {
		given, err := h.Override(name)
		if err != nil {
			return nil, err
		}
		if given.Value != "" {
			states = append(states, SecretState{Name: name, Exists: true, Variable: given.Variable, Credential: given.Credential})
			continue
		}
		out, err := h.SSM.GetParameter(ctx, &ssm.GetParameterInput{
			Name: aws.String(secrets.ParameterName(h.SecretsPrefix, name)), WithDecryption: aws.Bool(false),
		})
		_, missing := errors.AsType[*types.ParameterNotFound](err)
		refused, hidden := errors.AsType[smithy.APIError](err)
		hidden = hidden && refused.ErrorCode() == "AccessDeniedException"
		switch {
		case missing || hidden:
			if name != secrets.ConsolePassword { // few people need that
				states = append(states, SecretState{Name: name, Hidden: hidden})
			}
		case err != nil:
			return nil, fmt.Errorf("look for %s: %w", name, err)
		default:
			states = append(states, SecretState{
				Name: name, Exists: true, Since: aws.ToTime(out.Parameter.LastModifiedDate).UTC(), Version: out.Parameter.Version,
			})
		}
	}
	return states, nil
}

// Override returns what takes precedence over a stored secret for a bridge on this machine
// with this process's environment.
func (h *Home) Override(name string) (embedded.Override, error) {
	if h.OnAWS() {
		return embedded.Override{}, nil
	}
	return embedded.OverrideOf(secrets.ParameterName(h.SecretsPrefix, name), os.Getenv)
}

// Secret returns the value of a secret; its error is that of pkg/secrets.
func (h *Home) Secret(ctx context.Context, name string) (string, error) {
	stored, err := secrets.New(secrets.Config{API: parameterstore.New(h.SSM), Prefix: h.SecretsPrefix})
	if err != nil {
		return "", err
	}
	return stored.Get(ctx, name)
}

// PutSecret stores a secret, replacing any previous value.
func (h *Home) PutSecret(ctx context.Context, name, value string) error {
	return h.put(ctx, name, value, true)
}

func (h *Home) put(ctx context.Context, name, value string, overwrite bool) error {
	_, err := h.SSM.PutParameter(ctx, &ssm.PutParameterInput{
		Name:  aws.String(secrets.ParameterName(h.SecretsPrefix, name)),
		Value: aws.String(value), Type: types.ParameterTypeSecureString, Overwrite: aws.Bool(overwrite),
	})
	if err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	return nil
}

// Tokens returns the webhook's valid tokens, the one to send first; none if there is no
// such secret yet.
func (h *Home) Tokens(ctx context.Context) ([]string, error) {
	value, err := h.Secret(ctx, secrets.WebhookToken)
	if err != nil && !errors.Is(err, secrets.ErrNotFound) {
		return nil, err
	}
	return secrets.Tokens(value), nil
}

// GenerateToken generates the webhook's token and returns it. The error is [ErrTokenExists]
// if there is one.
func (h *Home) GenerateToken(ctx context.Context) (string, error) {
	token := rand.Text()
	err := h.put(ctx, secrets.WebhookToken, token, false)
	var exists *types.ParameterAlreadyExists
	if errors.As(err, &exists) {
		return "", ErrTokenExists
	}
	return token, err
}

// RotateToken generates a new token for the webhook; the previous one is still accepted.
// The error is [ErrNoToken] or, until [Home.DropPreviousToken], [ErrTokenRotating].
func (h *Home) RotateToken(ctx context.Context) error {
	tokens, err := h.Tokens(ctx)
	switch {
	case err != nil:
		return err
	case len(tokens) == 0:
		return ErrNoToken
	case len(tokens) > 1:
		return ErrTokenRotating
	}
	return h.put(ctx, secrets.WebhookToken, rand.Text()+"\n"+tokens[0], true)
}

// DropPreviousToken makes only the newest token valid, and reports whether there was
// another. The error is [ErrNoToken] if there is none at all.
func (h *Home) DropPreviousToken(ctx context.Context) (dropped bool, err error) {
	tokens, err := h.Tokens(ctx)
	switch {
	case err != nil:
		return false, err
	case len(tokens) == 0:
		return false, ErrNoToken
	case len(tokens) == 1:
		return false, nil
	}
	return true, h.put(ctx, secrets.WebhookToken, tokens[0], true)
}
