package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"fairbridge/pkg/sqlitedb"
)

const (
	parameterARNPrefix = "arn:aws:ssm:" + Region + ":" + AccountID + ":parameter"
	// maxParameterBytes is SSM's limit for a standard parameter.
	maxParameterBytes = 4 << 10
)

// ciphertext is the value of a SecureString without WithDecryption: as with SSM, not the
// real one.
const ciphertext = "(encrypted; to be read with WithDecryption)"

// SSM implements the calls for parameters with the SQLite file; [OverrideOf] takes
// precedence.
//
// Every parameter is a SecureString. Values are stored in plain text: the file's mode
// protects them. They are never part of an error.
type SSM struct {
	db     *sqlitedb.DB
	now    func() time.Time
	getenv func(string) string
}

// SSMConfig configures [NewSSM].
type SSMConfig struct {
	// DB holds the parameters.
	DB *sqlitedb.DB
	// Now provides the time of a parameter's change; the default is [time.Now].
	Now func() time.Time
	// Getenv is the environment for overrides; nil for none.
	Getenv func(string) string
}

// NewSSM returns the parameters in a database.
func NewSSM(c SSMConfig) (*SSM, error) {
	if c.DB == nil {
		return nil, errNoDatabase
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Getenv == nil {
		c.Getenv = func(string) string { return "" }
	}
	return &SSM{db: c.DB, now: c.Now, getenv: c.Getenv}, nil
}

// GetParameter returns a parameter. As with SSM, without WithDecryption its value is
// encrypted. The error for a missing one is types.ParameterNotFound.
func (s *SSM) GetParameter(ctx context.Context, in *ssm.GetParameterInput, _ ...func(*ssm.Options)) (_ *ssm.GetParameterOutput, err error) {
	defer operation("SSM", "GetParameter", &err)
	name := aws.ToString(in.Name)
	p := &types.Parameter{
		Name: aws.String(name), ARN: aws.String(parameterARNPrefix + name), DataType: aws.String("text"), Type: types.ParameterTypeSecureString,
	}
	given, err := OverrideOf(name, s.getenv)
	if err != nil {
		return nil, err
	}
	value := given.Value
	if value != "" {
		p.Version, p.LastModifiedDate = 1, aws.Time(s.now())
	} else {
		var modified int64
		err := s.db.Read().QueryRowContext(ctx, "SELECT value, version, modified_at FROM parameters WHERE name = ?", name).
			Scan(&value, &p.Version, &modified)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, &types.ParameterNotFound{Message: aws.String(name)}
		}
		if err != nil {
			return nil, err
		}
		p.LastModifiedDate = aws.Time(time.UnixMilli(modified))
	}
	if !aws.ToBool(in.WithDecryption) {
		value = ciphertext
	}
	p.Value = &value
	return &ssm.GetParameterOutput{Parameter: p}, nil
}

// PutParameter stores a parameter: a new one, or with Overwrite a new version. It returns
// after the value is on disk.
func (s *SSM) PutParameter(ctx context.Context, in *ssm.PutParameterInput, _ ...func(*ssm.Options)) (_ *ssm.PutParameterOutput, err error) {
	defer operation("SSM", "PutParameter", &err)
	name, value := aws.ToString(in.Name), aws.ToString(in.Value)
	switch {
	case !validParameterName(name):
		return nil, badRequest("ValidationException", "Parameter name: can't be empty, and can only contain letters, digits, and the symbols .-_ between slashes.")
	case value == "" || len(value) > maxParameterBytes:
		return nil, badRequest("ValidationException", fmt.Sprintf("The value must have 1 to %d bytes; it has %d.", maxParameterBytes, len(value)))
	case in.Type != types.ParameterTypeSecureString:
		return nil, &types.UnsupportedParameterType{Message: aws.String("Only SecureString is supported.")}
	}
	var version int64
	err = s.db.Write(ctx, func(tx *sqlitedb.Tx) error {
		err := tx.QueryRow("SELECT version FROM parameters WHERE name = ?", name).Scan(&version)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			version = 0
		case err != nil:
			return err
		case !aws.ToBool(in.Overwrite):
			return &types.ParameterAlreadyExists{Message: aws.String("The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")}
		}
		version++
		_, err = tx.Exec("INSERT OR REPLACE INTO parameters (name, type, value, version, modified_at) VALUES (?, ?, ?, ?, ?)",
			name, string(in.Type), value, version, s.now().UnixMilli())
		return err
	})
	if err != nil {
		return nil, err
	}
	return &ssm.PutParameterOutput{Version: version, Tier: types.ParameterTierStandard}, nil
}

func validParameterName(name string) bool {
	return len(name) <= 1011 && strings.Trim(name, "/") != "" && strings.IndexFunc(name, func(r rune) bool {
		return r != '/' && r != '.' && !validName(string(r))
	}) < 0
}
