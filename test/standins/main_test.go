//go:build e2e

// Package standins runs the deployed functions against other implementations of SQS and
// DynamoDB than the emulator of test/e2e: ElasticMQ, whose redrive is real, and moto. The
// functions are the deployed packages, for arm64, under AWS's own runtime interface
// emulator.
package standins

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	neturl "net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"golang.org/x/sync/errgroup"

	"fairbridge/test/internal/standin"
)

const region = "us-east-1"

// account is shared by the tests.
var account struct {
	dir       string // .build/standins: the run's files
	elasticmq *standin.Program
	moto      *standin.Program
	single    *httptest.Server  // in front of moto
	env       map[string]string // the addresses of both, for a function

	sqs      *sqs.Client
	dynamodb *dynamodb.Client
	ssm      *ssm.Client
}

// tool returns the path of a tool that the Makefile has installed.
func tool(path ...string) string {
	return filepath.Join(append([]string{root, ".build"}, path...)...)
}

// root is the repository's folder.
var root string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	err := start(context.Background())
	defer func() {
		if account.single != nil {
			account.single.Close()
		}
		for _, p := range []*standin.Program{account.elasticmq, account.moto} {
			if p == nil {
				continue
			}
			if err := p.Stop(); err != nil {
				fmt.Fprintf(os.Stderr, "standins: %v\n", err)
				code = 1
			}
		}
	}()
	if err != nil {
		fmt.Fprintf(os.Stderr, "standins: %v\n", err)
		return 1
	}
	return m.Run()
}

func start(ctx context.Context) (err error) {
	if root, err = filepath.Abs("../.."); err != nil {
		return err
	}
	account.dir = tool("standins")
	if err := errors.Join(os.RemoveAll(account.dir), os.MkdirAll(account.dir, 0o755)); err != nil {
		return err
	}
	var queues, tables string
	var both errgroup.Group
	both.Go(func() (err error) { account.elasticmq, queues, err = startElasticMQ(ctx); return err })
	both.Go(func() (err error) { account.moto, tables, err = startMoto(ctx); return err })
	if err := both.Wait(); err != nil {
		return err
	}
	config := func(url string) aws.Config {
		return aws.Config{
			Region: region, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
			BaseEndpoint: aws.String(url), HTTPClient: standin.Client,
		}
	}
	account.sqs, account.ssm = sqs.NewFromConfig(config(queues)), ssm.NewFromConfig(config(tables))
	account.dynamodb = dynamodb.NewFromConfig(config(tables))
	account.env = map[string]string{
		"AWS_REGION": region, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_ENDPOINT_URL": tables, "AWS_ENDPOINT_URL_SQS": queues,
	}
	return nil
}

// elasticMQ is its configuration. It refuses what SQS refuses.
const elasticMQ = `include classpath("application.conf")
node-address {protocol = http, host = "127.0.0.1", port = %[1]d, context-path = ""}
rest-sqs {enabled = true, bind-hostname = "127.0.0.1", bind-port = %[1]d, sqs-limits = strict}
rest-stats {enabled = false}
generate-node-address = false
queues {}
aws {region = %[2]s, accountId = 000000000000}
`

func startElasticMQ(ctx context.Context) (*standin.Program, string, error) {
	port, err := standin.FreePort(ctx)
	if err != nil {
		return nil, "", err
	}
	file := filepath.Join(account.dir, "elasticmq.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, elasticMQ, port, region), 0o600); err != nil {
		return nil, "", err
	}
	url := "http://127.0.0.1:" + strconv.Itoa(port)
	p, err := standin.Start(ctx, standin.Config{
		Name: "elasticmq", Needs: "Java 17 (Debian: apt-get install openjdk-17-jre-headless)", Dir: account.dir,
		Command: []string{"java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dconfig.file=" + file, "-cp", tool("elasticmq", "*"), "org.elasticmq.server.Main"},
		Env:     []string{"PATH=" + os.Getenv("PATH"), "HOME=" + account.dir}, Ready: url + "/?Action=ListQueues&Version=2012-11-05", Any: true,
	})
	return p, url, err
}

func startMoto(ctx context.Context) (*standin.Program, string, error) {
	port, err := standin.FreePort(ctx)
	if err != nil {
		return nil, "", err
	}
	url := "http://127.0.0.1:" + strconv.Itoa(port)
	p, err := standin.Start(ctx, standin.Config{
		Name: "moto", Needs: "make standins, which installs it", Dir: account.dir,
		Command: []string{tool("venv", "moto", "bin", "python"), tool("venv", "moto", "bin", "moto_server"), "-H", "127.0.0.1", "-p", strconv.Itoa(port)},
		Env:     []string{"PATH=/usr/bin:/bin", "HOME=" + account.dir}, Ready: url + "/moto-api/",
	})
	if err != nil {
		return nil, "", err
	}
	far, err := neturl.Parse(url)
	if err != nil {
		return p, "", err
	}
	account.single = httptest.NewServer(&single{handler: httputil.NewSingleHostReverseProxy(far)})
	return p, account.single.URL, nil
}

// single forwards one call at a time: of two concurrent conditional writes, moto's threads
// may carry out both.
type single struct {
	mu      sync.Mutex
	handler http.Handler
}

func (s *single) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler.ServeHTTP(w, r)
}
