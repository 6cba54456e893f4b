package dynamo_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"fairbridge/pkg/ledger/dynamo"
)

// described is a table as DescribeTable returns it.
type described struct {
	table   types.TableDescription
	ttl     types.TimeToLiveDescription
	backups types.ContinuousBackupsDescription
	err     error
}

func (d *described) DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error) {
	return &dynamodb.DescribeTableOutput{Table: &d.table}, d.err
}

func (d *described) DescribeTimeToLive(context.Context, *dynamodb.DescribeTimeToLiveInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTimeToLiveOutput, error) {
	return &dynamodb.DescribeTimeToLiveOutput{TimeToLiveDescription: &d.ttl}, d.err
}

func (d *described) DescribeContinuousBackups(context.Context, *dynamodb.DescribeContinuousBackupsInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeContinuousBackupsOutput, error) {
	return &dynamodb.DescribeContinuousBackupsOutput{ContinuousBackupsDescription: &d.backups}, d.err
}

// whole returns a table as template.yaml creates it.
func whole() *described {
	key := func(name string, kind types.KeyType) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: &name, KeyType: kind}
	}
	return &described{
		table: types.TableDescription{
			TableName: aws.String(table), KeySchema: []types.KeySchemaElement{key("id", types.KeyTypeHash)},
			GlobalSecondaryIndexes: []types.GlobalSecondaryIndexDescription{{
				IndexName: aws.String("attention"), IndexStatus: types.IndexStatusActive,
				KeySchema:  []types.KeySchemaElement{key("attention", types.KeyTypeHash), key("since", types.KeyTypeRange)},
				Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
			}},
		},
		ttl: types.TimeToLiveDescription{AttributeName: aws.String("expiresAt"), TimeToLiveStatus: types.TimeToLiveStatusEnabled},
		backups: types.ContinuousBackupsDescription{PointInTimeRecoveryDescription: &types.PointInTimeRecoveryDescription{
			PointInTimeRecoveryStatus: types.PointInTimeRecoveryStatusEnabled,
		}},
	}
}

func TestInspect(t *testing.T) {
	index := func(d *described) *types.GlobalSecondaryIndexDescription { return &d.table.GlobalSecondaryIndexes[0] }
	const create, ttl, recovery = "aws dynamodb update-table ", "aws dynamodb update-time-to-live ", "aws dynamodb update-continuous-backups "
	tests := map[string]struct {
		change func(*described)
		want   []string // prefixes of the suggested commands
	}{
		"whole":           {func(*described) {}, nil},
		"another table":   {func(d *described) { d.table.KeySchema[0].AttributeName = aws.String("pk") }, []string{""}},
		"no index":        {func(d *described) { d.table.GlobalSecondaryIndexes = nil }, []string{create}},
		"another's index": {func(d *described) { index(d).IndexName = aws.String("other") }, []string{create}},
		"keys only":       {func(d *described) { index(d).Projection.ProjectionType = types.ProjectionTypeKeysOnly }, []string{create}},
		"without since":   {func(d *described) { index(d).KeySchema = index(d).KeySchema[:1] }, []string{create}},
		"being created":   {func(d *described) { index(d).IndexStatus = types.IndexStatusCreating }, []string{""}},
		"no time to live": {func(d *described) {
			d.ttl = types.TimeToLiveDescription{TimeToLiveStatus: types.TimeToLiveStatusDisabled}
		}, []string{ttl}},
		"by another field":  {func(d *described) { d.ttl.AttributeName = aws.String("ttl") }, []string{ttl}},
		"being switched on": {func(d *described) { d.ttl.TimeToLiveStatus = types.TimeToLiveStatusEnabling }, nil},
		"no recovery":       {func(d *described) { d.backups.PointInTimeRecoveryDescription = nil }, []string{recovery}},
		"recovery is off": {func(d *described) {
			d.backups.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus = types.PointInTimeRecoveryStatusDisabled
		}, []string{recovery}},
		"nothing of all that": {func(d *described) {
			d.table.GlobalSecondaryIndexes, d.ttl, d.backups = nil, types.TimeToLiveDescription{}, types.ContinuousBackupsDescription{}
		}, []string{create, ttl, recovery}},
	}
	for name, test := range tests {
		d := whole()
		test.change(d)
		lacks, err := dynamo.Inspect(t.Context(), d, table)
		same := slices.EqualFunc(lacks, test.want, func(l dynamo.Lack, want string) bool {
			return l.What != "" && (want == "" && l.Command == "" || want != "" && strings.HasPrefix(l.Command, want+"--table-name "+table+" "))
		})
		if err != nil || !same {
			t.Errorf("%s: %+v, %v; want %q", name, lacks, err, test.want)
		}
	}
	gone := errors.New("no such table")
	if _, err := dynamo.Inspect(t.Context(), &described{err: gone}, table); !errors.Is(err, gone) {
		t.Errorf("error %v", err)
	}
}
