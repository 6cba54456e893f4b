// Command copy is the floor of an attachment: for each message the body of a GET becomes
// the body of a POST, with plain net/http.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	// Not http.DefaultClient, which would use HTTP/2 where the worker does not.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	lambda.Start(func(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
		for _, message := range batch.Records {
			var way struct{ From, To string }
			if err := json.Unmarshal([]byte(message.Body), &way); err != nil {
				return events.SQSEventResponse{}, err
			}
			if err := carry(ctx, client, way.From, way.To); err != nil {
				return events.SQSEventResponse{}, err
			}
		}
		return events.SQSEventResponse{}, nil
	})
}

func carry(ctx context.Context, client *http.Client, from, to string) error {
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	source, err := client.Do(get)
	if err != nil {
		return err
	}
	defer source.Body.Close()
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, to, source.Body)
	if err != nil {
		return err
	}
	post.ContentLength = source.ContentLength
	answer, err := client.Do(post)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if source.StatusCode != http.StatusOK || answer.StatusCode/100 != 2 {
		return fmt.Errorf("GET %s, POST %s", source.Status, answer.Status)
	}
	return nil
}
