package functions_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"fairbridge/functions/lambdatest"
)

// TestLinks checks that the binaries do not link what a function never uses: every cold
// start would pay for it.
func TestLinks(t *testing.T) {
	both := []string{
		"modernc.org", "database/sql", "fairbridge/pkg/embedded", "fairbridge/pkg/sqlitedb", "fairbridge/pkg/ledger/sqlite", "github.com/gofrs/flock", // the embedded home
		"github.com/spf13", "golang.org/x/term", "fairbridge/cmd", // the command
		"testing", "net/http/httptest", "fairbridge/pkg/awstest", "fairbridge/pkg/centercode/simulator", "fairbridge/pkg/testfairy/simulator", // tests
		"github.com/prometheus", "google.golang.org/protobuf", "fairbridge/pkg/metrics", // metrics of the embedded bridge: on AWS they are CloudWatch's
		"net/rpc", // lambda.norpc
		"github.com/aws/aws-sdk-go-v2/service/ssm",                                                                                    // see package parameters
		"github.com/aws/aws-sdk-go-v2/config", "github.com/aws/aws-sdk-go-v2/service/sso", "github.com/aws/aws-sdk-go-v2/service/sts", // see package env
	}
	tests := map[string][]string{
		"fairbridge/functions/ingest": append(both, "github.com/aws/aws-sdk-go-v2/service/dynamodb"),
		"fairbridge/functions/worker": both,
	}
	for function, forbidden := range tests {
		for _, dep := range deps(t, function) {
			if slices.ContainsFunc(forbidden, func(path string) bool { return strings.HasPrefix(dep, path) }) {
				t.Errorf("%s links %s", function, dep)
			}
		}
	}
}

// deps returns the packages in a function's binary.
func deps(t *testing.T, importPath string) []string {
	t.Helper()
	args := append([]string{"list", "-deps"}, lambdatest.BuildFlags...)
	cmd := exec.CommandContext(t.Context(), "go", append(args, importPath)...)
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list dependencies of %s: %v", importPath, err)
	}
	return strings.Fields(string(out))
}
