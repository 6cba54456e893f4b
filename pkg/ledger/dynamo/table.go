package dynamo

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TableAPI is the part of DynamoDB that [Inspect] uses: an IAM policy needs
// dynamodb:DescribeTable, DescribeTimeToLive and DescribeContinuousBackups on the table.
// *dynamodb.Client implements it.
type TableAPI interface {
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
	DescribeTimeToLive(context.Context, *dynamodb.DescribeTimeToLiveInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTimeToLiveOutput, error)
	DescribeContinuousBackups(context.Context, *dynamodb.DescribeContinuousBackupsInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeContinuousBackupsOutput, error)
}

// Lack is something that a table lacks and a ledger needs.
type Lack struct {
	// What is missing, such as "no index attention".
	What string
	// Command is the AWS CLI command that adds it, without region and profile; "" if it
	// needs no command, or none can add it.
	Command string
}

// Inspect compares a table with what template.yaml creates. A table that an earlier stack
// has left may come from an earlier template, or from a person.
func Inspect(ctx context.Context, api TableAPI, table string) ([]Lack, error) {
	name := aws.String(table)
	described, err := api.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: name})
	if err != nil {
		return nil, fmt.Errorf("describe table %s: %w", table, err)
	}
	if key := keys(described.Table.KeySchema); key != attrID+" HASH" {
		return []Lack{{What: "the key " + key + ", where a ledger has " + attrID + " HASH: it is another table"}}, nil
	}
	lacks := indexLacks(described.Table)
	ttl, err := api.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: name})
	if err != nil {
		return nil, fmt.Errorf("describe the time to live of table %s: %w", table, err)
	}
	if d := ttl.TimeToLiveDescription; d == nil || aws.ToString(d.AttributeName) != attrExpiresAt ||
		d.TimeToLiveStatus != types.TimeToLiveStatusEnabled && d.TimeToLiveStatus != types.TimeToLiveStatusEnabling {
		lacks = append(lacks, Lack{"no time to live, so nothing in it ever expires",
			"aws dynamodb update-time-to-live --table-name " + table + " --time-to-live-specification Enabled=true,AttributeName=" + attrExpiresAt})
	}
	backups, err := api.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: name})
	if err != nil {
		return nil, fmt.Errorf("describe the backups of table %s: %w", table, err)
	}
	d := backups.ContinuousBackupsDescription
	if d == nil || d.PointInTimeRecoveryDescription == nil ||
		d.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus != types.PointInTimeRecoveryStatusEnabled {
		lacks = append(lacks, Lack{"no point-in-time recovery",
			"aws dynamodb update-continuous-backups --table-name " + table + " --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"})
	}
	return lacks, nil
}

// indexLacks returns what is wrong with the index of deliveries that wait for a person.
func indexLacks(table *types.TableDescription) []Lack {
	create := `aws dynamodb update-table --table-name ` + aws.ToString(table.TableName) +
		` --attribute-definitions AttributeName=` + attrAttention + `,AttributeType=S AttributeName=` + attrSince + `,AttributeType=N` +
		` --global-secondary-index-updates '[{"Create":{"IndexName":"` + Index + `","KeySchema":[` +
		`{"AttributeName":"` + attrAttention + `","KeyType":"HASH"},{"AttributeName":"` + attrSince + `","KeyType":"RANGE"}],` +
		`"Projection":{"ProjectionType":"ALL"}}}]'`
	for _, index := range table.GlobalSecondaryIndexes {
		if aws.ToString(index.IndexName) != Index {
			continue
		}
		switch key := keys(index.KeySchema); {
		case key != attrAttention+" HASH, "+attrSince+" RANGE", index.Projection == nil, index.Projection.ProjectionType != types.ProjectionTypeAll:
			return []Lack{{"another index " + Index + " (" + key + ") than a ledger needs; delete it, and create it again when it is gone", create}}
		case index.IndexStatus == types.IndexStatusCreating:
			return []Lack{{What: "an index " + Index + " that is still being made: until then it does not show all that waits for a person"}}
		}
		return nil
	}
	return []Lack{{"no index " + Index + ", so what waits for a person is not seen", create}}
}

// keys describes a key schema.
func keys(schema []types.KeySchemaElement) string {
	var all []string
	for _, k := range schema {
		all = append(all, aws.ToString(k.AttributeName)+" "+string(k.KeyType))
	}
	return strings.Join(all, ", ")
}
