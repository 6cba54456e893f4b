//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	centercodesim "fairbridge/pkg/centercode/simulator"
	"fairbridge/pkg/mapping"
	"fairbridge/pkg/stack"
	testfairysim "fairbridge/pkg/testfairy/simulator"
)

const stackName = "fairbridge-e2e" // samconfig.toml's

// world is a deployed bridge with everything around it, on loopback: AWS as an emulator,
// Centercode and TestFairy as simulators in this process.
type world struct {
	root string // the repository
	dir  string // .build/e2e: the run's files, kept for a look after a failure
	lock *flock.Flock
	env  []string // of the programs that are run

	emulator   *emulator
	gateway    *gateway
	centercode *centercodesim.Server
	testfairy  *testfairysim.Server
	files      *http.Server // serves testfairy
	filesURL   string

	sqs            *sqs.Client
	ssm            *ssm.Client
	dynamodb       *dynamodb.Client
	cloudformation *cloudformation.Client

	config  *mapping.Config // the functions' mapping
	stack   stack.Stack
	mapping string // the id of the work queue's event source mapping
	// queuePolicy is the dead-letter queue's policy, which the emulator cannot run with.
	queuePolicy string
}

// newWorld deploys the bridge. The world must be closed even if there is an error.
func newWorld(ctx context.Context) (*world, error) {
	w := &world{}
	start := time.Now()
	step := func(name string, do func(context.Context) error) error {
		err := do(ctx)
		fmt.Fprintf(os.Stderr, "e2e: %5.1f s: %s\n", time.Since(start).Seconds(), name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	if err := step("folder", w.prepare); err != nil {
		return w, err
	}
	// The simulators' addresses become part of the build.
	if err := step("simulators", w.startSimulators); err != nil {
		return w, err
	}
	var both errgroup.Group
	both.Go(func() error { return step("emulator", w.startAWS) })
	both.Go(func() error { return step("build", w.build) })
	if err := both.Wait(); err != nil {
		return w, err
	}
	w.env = append(w.env, "AWS_ENDPOINT_URL="+w.emulator.url())
	if err := step("deploy", w.deploy); err != nil {
		return w, err
	}
	return w, step("secrets", w.putSecrets)
}

// prepare empties the run's folder.
func (w *world) prepare(context.Context) error {
	var err error
	if w.root, err = filepath.Abs("../.."); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(w.root, ".build"), 0o755); err != nil {
		return err
	}
	w.dir = filepath.Join(w.root, ".build", "e2e")
	w.env = environment(w.dir)
	w.lock = flock.New(w.dir + ".lock")
	switch locked, err := w.lock.TryLock(); {
	case err != nil:
		return err
	case !locked:
		return errors.New("another run is going on in this folder")
	}
	return errors.Join(os.RemoveAll(w.dir), os.MkdirAll(w.dir, 0o755))
}

func (w *world) startSimulators(ctx context.Context) error {
	var err error
	w.centercode, err = centercodesim.Start(ctx, centercodesim.Config{
		APIKeys:  []string{firstKey},
		Projects: map[string][]string{"DEMO": {"testfairy"}},
		Choices:  map[string][]string{"severity": {"Low", "High"}},
	})
	if err != nil {
		return err
	}
	w.testfairy = testfairysim.New(testfairysim.Config{Account: testFairyUser, APIKey: testFairyKey})
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.filesURL = "http://" + l.Addr().String()
	w.files = &http.Server{Handler: w.testfairy.Handler(), ReadHeaderTimeout: time.Minute}
	go func() { _ = w.files.Serve(l) }() // returns ErrServerClosed
	return nil
}

func (w *world) startAWS(ctx context.Context) error {
	var err error
	if w.emulator, err = startEmulator(ctx, w.tool("emulator", "python"), w.dir); err != nil {
		return err
	}
	if w.gateway, err = startGateway(ctx, filepath.Join(w.dir, "gateway.pem"), w.emulator.address); err != nil {
		return err
	}
	config := w.awsConfig(credentials.NewStaticCredentialsProvider(accountKey, accountSecret, ""))
	w.sqs, w.ssm, w.dynamodb = sqs.NewFromConfig(config), ssm.NewFromConfig(config), newDynamoDB(config)
	w.cloudformation = cloudformation.NewFromConfig(config)
	return nil
}

func (w *world) awsConfig(identity aws.CredentialsProvider) aws.Config {
	return aws.Config{
		Region: region, Credentials: identity, BaseEndpoint: aws.String(w.emulator.url()), HTTPClient: loopback,
	}
}

func newDynamoDB(config aws.Config) *dynamodb.Client {
	return dynamodb.NewFromConfig(config, func(o *dynamodb.Options) {
		// The emulator sends no checksum, and the SDK would log a warning for each answer.
		o.DisableValidateResponseChecksum = true
	})
}

// close stops everything that was started, dependents first.
func (w *world) close() error {
	var errs []error
	if w.gateway != nil {
		errs = append(errs, w.gateway.close())
	}
	if w.emulator != nil && w.emulator.Program != nil {
		errs = append(errs, w.emulator.Stop())
	}
	if w.files != nil {
		errs = append(errs, w.files.Close())
	}
	if w.centercode != nil {
		errs = append(errs, w.centercode.Close())
	}
	if w.lock != nil {
		errs = append(errs, w.lock.Close())
	}
	return errors.Join(errs...)
}

// emulatorLog returns the end of the emulator's output.
func (w *world) emulatorLog() string {
	if w.emulator == nil || w.emulator.Program == nil {
		return ""
	}
	return w.emulator.Tail()
}
