package e2e

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fairbridge/pkg/home"
	"fairbridge/pkg/ingest"
	"fairbridge/pkg/ledger/dynamo"
	"fairbridge/pkg/secrets"
	"fairbridge/pkg/stack"
	"fairbridge/pkg/worker"
)

// TestPermissions: a role allows what its function calls and nothing else. The calls are
// the methods of the interfaces through which the code uses AWS.
func TestPermissions(t *testing.T) {
	// Calls that Lambda makes in the role's name: the event source mapping, logs, traces,
	// the network interfaces in a VPC.
	logs := []string{"logs:CreateLogStream", "logs:PutLogEvents"}
	traces := []string{"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
	mapping := []string{"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
	network := []string{"ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
		"ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses"}
	inNetwork := []string{"SubnetIds=subnet-1", "SecurityGroupIds=sg-1"}

	for _, test := range []struct {
		parameters     []string
		ingest, worker []string // in addition
	}{
		{},
		{[]string{"Tracing=Active"}, traces, traces},
		{[]string{"LedgerTableName=left-by-another"}, nil, nil},
		{inNetwork, nil, network},
	} {
		parsed := readTemplate(t, test.parameters...)
		for role, calls := range map[string][]string{
			"IngestRole": slices.Concat(logs, test.ingest, actions[secrets.API]("ssm"), actions[ingest.Sender]("sqs")),
			"WorkerRole": slices.Concat(logs, test.worker, mapping,
				actions[secrets.API]("ssm"), actions[worker.Queue]("sqs"), actions[dynamo.API]("dynamodb")),
		} {
			var allowed []string
			for _, policy := range parsed.Resources[role].Properties.Policies {
				allowed = append(allowed, allows(t, role+", policy "+policy.PolicyName, policy.PolicyDocument)...)
			}
			checkCalls(t, role, allowed, calls)
		}
	}
	for _, parameters := range [][]string{nil, inNetwork} {
		worker := readTemplate(t, parameters...).Resources["WorkerFunction"]
		if inside := worker.Properties.VpcConfig != nil; inside != (parameters != nil) {
			t.Errorf("%q: the worker is in a network: %t", parameters, inside)
		}
	}
}

// TestPeoplesPermissions: the managed policies together allow what the command calls, and
// nothing else; read access may change nothing, and see no secret.
func TestPeoplesPermissions(t *testing.T) {
	queues := map[string]string{ // a batch is the same action
		"sqs:SendMessageBatch": "sqs:SendMessage", "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
		"sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
	}
	all := slices.Concat(actions[stack.API]("cloudformation"), actions[home.Queues]("sqs"), actions[dynamo.API]("dynamodb"),
		actions[dynamo.HistoryAPI]("dynamodb"), actions[dynamo.TableAPI]("dynamodb"), actions[home.Logs]("logs"), actions[home.Metrics]("cloudwatch"), actions[home.Mappings]("lambda"))
	var looks, works []string
	for _, action := range all {
		if one, ok := queues[action]; ok {
			action = one
		}
		_, name, _ := strings.Cut(action, ":")
		if looking := []string{"Describe", "Get", "List", "Query", "Scan", "Filter"}; slices.ContainsFunc(looking, func(p string) bool { return strings.HasPrefix(name, p) }) {
			looks = append(looks, action)
		} else {
			works = append(works, action)
		}
	}
	parsed := readTemplate(t)
	for policy, calls := range map[string][]string{
		"ReaderPolicy": looks, "OperatorPolicy": works, "KeysPolicy": actions[home.Parameters]("ssm"),
	} {
		checkCalls(t, policy, allows(t, policy, parsed.Resources[policy].Properties.PolicyDocument), calls)
	}
	for _, s := range parsed.Resources["KeysPolicy"].Properties.PolicyDocument.Statement {
		for _, name := range append(secrets.Names(), secrets.ConsolePassword) {
			if !slices.ContainsFunc(s.Resource, func(arn string) bool { return strings.HasSuffix(arn, name) }) {
				t.Errorf("KeysPolicy is not for %s: %s", name, s.Resource)
			}
		}
	}
}

// allows returns the actions that a policy allows, without regard to what it denies.
func allows(t *testing.T, where string, p policy) (allowed []string) {
	t.Helper()
	for _, s := range p.Statement {
		if s.Sid == "" {
			t.Errorf("%s: a statement has no Sid: %+v", where, s)
		}
		if s.Effect == "Deny" {
			continue
		}
		allowed = append(allowed, s.Action...)
		if slices.Contains(s.Action, "dynamodb:DeleteItem") &&
			!slices.Equal(s.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"], list{"#letter/*"}) {
			t.Errorf("%s: more than dead letters' messages may be deleted: %v", where, s.Condition)
		}
		if slices.Contains(s.Resource, "*") && !slices.Contains([]string{"SendTraces", "UseNetwork", "AskForMappings", "ReadMetrics"}, s.Sid) {
			t.Errorf("%s: %s is allowed on every resource", where, s.Action)
		}
	}
	return allowed
}

func checkCalls(t *testing.T, where string, allowed, calls []string) {
	t.Helper()
	set := func(actions []string) []string {
		all := map[string]bool{}
		for _, action := range actions {
			all[action] = true
		}
		return slices.Sorted(maps.Keys(all))
	}
	if got, want := set(allowed), set(calls); !slices.Equal(got, want) {
		t.Errorf("%s allows\n%q\nthe code calls\n%q", where, got, want)
	}
}

// actions returns the IAM actions behind the methods of an interface.
func actions[API any](service string) []string {
	var names []string
	for method := range reflect.TypeFor[API]().Methods() {
		names = append(names, service+":"+method.Name)
	}
	return names
}
