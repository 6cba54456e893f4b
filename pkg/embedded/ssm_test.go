package embedded_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"fairbridge/pkg/embedded"
)

const keyName = "/fairbridge/centercode-api-key"

type parameters struct{ *embedded.SSM }

func openSSM(t *testing.T, environment map[string]string) parameters {
	t.Helper()
	s, err := embedded.NewSSM(embedded.SSMConfig{
		DB: openDB(t, filepath.Join(t.TempDir(), "test.db")), Now: newClock().now,
		Getenv: func(name string) string { return environment[name] },
	})
	if err != nil {
		t.Fatal(err)
	}
	return parameters{s}
}

func (p parameters) put(t *testing.T, value string, overwrite bool) (int64, error) {
	t.Helper()
	out, err := p.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String(keyName), Value: &value, Type: types.ParameterTypeSecureString, Overwrite: &overwrite})
	if err != nil {
		return 0, err
	}
	return out.Version, nil
}

func (p parameters) get(t *testing.T, name string, decrypt bool) (types.Parameter, error) {
	t.Helper()
	out, err := p.GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name, WithDecryption: &decrypt})
	if err != nil {
		return types.Parameter{}, err
	}
	return *out.Parameter, nil
}

func TestParameters(t *testing.T) {
	p := openSSM(t, nil)
	var missing *types.ParameterNotFound
	if _, err := p.get(t, keyName, true); !errors.As(err, &missing) {
		t.Errorf("before the put: %v", err)
	}
	if version, err := p.put(t, "secret-1", false); version != 1 || err != nil {
		t.Errorf("put: version %d, %v", version, err)
	}
	var exists *types.ParameterAlreadyExists
	if _, err := p.put(t, "secret-2", false); !errors.As(err, &exists) {
		t.Errorf("put without overwrite: %v", err)
	}
	if version, err := p.put(t, "secret-2", true); version != 2 || err != nil {
		t.Errorf("overwrite: version %d, %v", version, err)
	}
	got, err := p.get(t, keyName, true)
	if err != nil || aws.ToString(got.Value) != "secret-2" || got.Type != types.ParameterTypeSecureString || got.Version != 2 ||
		aws.ToString(got.Name) != keyName || got.LastModifiedDate == nil || !strings.HasSuffix(aws.ToString(got.ARN), keyName) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := p.get(t, keyName, false); err != nil || strings.Contains(aws.ToString(got.Value), "secret") {
		t.Errorf("without decryption: %q, %v", aws.ToString(got.Value), err)
	}
}

func TestParametersFromTheEnvironment(t *testing.T) {
	p := openSSM(t, map[string]string{
		"FAIRBRIDGE_CENTERCODE_API_KEY": "from-environment",
		"FAIRBRIDGE_WEBHOOK_TOKEN":      "",
		"PATH":                          "/bin",
	})
	if _, err := p.put(t, "stored", false); err != nil {
		t.Fatal(err)
	}
	if got, err := p.get(t, keyName, true); err != nil || aws.ToString(got.Value) != "from-environment" {
		t.Errorf("got %q, %v", aws.ToString(got.Value), err)
	}
	if got, err := p.get(t, keyName, false); err != nil || strings.Contains(aws.ToString(got.Value), "environment") {
		t.Errorf("without decryption: %q, %v", aws.ToString(got.Value), err)
	}
	for _, name := range []string{"/fairbridge/webhook-token", "/PATH", "PATH", "/path"} {
		var missing *types.ParameterNotFound
		if got, err := p.get(t, name, true); !errors.As(err, &missing) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

// TestParametersFromCredentials checks that systemd's credentials take precedence over
// stored parameters, and the environment over both, and that no name escapes the
// credentials' folder.
func TestParametersFromCredentials(t *testing.T) {
	folder := t.TempDir()
	for name, value := range map[string]string{
		"fairbridge.centercode-api-key": "from-credential\n", "fairbridge.webhook-token": "\n", "fairbridge.testfairy-api-key": strings.Repeat("k", 4097),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(value), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	environment := map[string]string{"CREDENTIALS_DIRECTORY": folder}
	p := openSSM(t, environment)
	if _, err := p.put(t, "stored", false); err != nil {
		t.Fatal(err)
	}
	if got, err := p.get(t, keyName, true); err != nil || aws.ToString(got.Value) != "from-credential" {
		t.Errorf("got %q, %v", aws.ToString(got.Value), err)
	}
	for _, name := range []string{"/fairbridge/webhook-token", "/fairbridge/other", "/fairbridge/../fairbridge.centercode-api-key", "/centercode-api-key"} {
		var missing *types.ParameterNotFound
		if got, err := p.get(t, name, true); !errors.As(err, &missing) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	if _, err := p.get(t, "/fairbridge/testfairy-api-key", true); err == nil || strings.Contains(err.Error(), "kkk") {
		t.Errorf("a credential that is too long: %v", err)
	}
	environment["FAIRBRIDGE_CENTERCODE_API_KEY"] = "from-environment"
	if got, err := p.get(t, keyName, true); err != nil || aws.ToString(got.Value) != "from-environment" {
		t.Errorf("got %q, %v", aws.ToString(got.Value), err)
	}
}

func TestParameterErrorsHoldNoValue(t *testing.T) {
	p := openSSM(t, nil)
	long := strings.Repeat("secret", 1000)
	for name, in := range map[string]*ssm.PutParameterInput{
		"too long":     {Name: aws.String(keyName), Value: &long, Type: types.ParameterTypeSecureString},
		"no name":      {Value: aws.String("secret"), Type: types.ParameterTypeSecureString},
		"a wrong name": {Name: aws.String("a b"), Value: aws.String("secret"), Type: types.ParameterTypeSecureString},
		"no type":      {Name: aws.String(keyName), Value: aws.String("secret")},
		"a wrong type": {Name: aws.String(keyName), Value: aws.String("secret"), Type: "Date"},
		"no value":     {Name: aws.String(keyName), Type: types.ParameterTypeSecureString},
	} {
		_, err := p.PutParameter(t.Context(), in)
		var api smithy.APIError
		if !errors.As(err, &api) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
